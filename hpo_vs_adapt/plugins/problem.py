"""How a reference that leads nowhere is reported."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from types import TracebackType

__all__ = ["Importing", "ReferenceProblem", "nearest"]


class ReferenceProblem(ValueError):
    """A reference that leads nowhere, in one sentence."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Return ``; did you mean `x`?``, or nothing if no known name is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


class Importing:
    """Turns whatever a module raises while it is imported into a `ReferenceProblem`."""

    def __init__(self, reference: str) -> None:
        self.reference = reference

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ReferenceProblem):
            return
        if isinstance(error, (Exception, SystemExit)):
            message = " ".join(str(error).split())
            raise ReferenceProblem(
                f"`{self.reference}`: importing it raised {type(error).__name__}: "
                f"{message}."
            ) from error
