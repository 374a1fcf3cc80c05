"""How a reference that leads nowhere is reported."""

from __future__ import annotations

from types import TracebackType

from hpo_vs_adapt.wording import Problem

__all__ = ["Calling", "ReferenceProblem"]


class ReferenceProblem(Problem, ValueError):
    """A reference that leads nowhere, in one sentence."""


class Calling:
    """Turns whatever somebody's own code raises into a `ReferenceProblem`.

    A `Problem` stays what it is.

    Args:
        reference: Whose code it is.
        doing: What of it runs: ``importing it``.
    """

    def __init__(self, reference: str, doing: str) -> None:
        self.reference = reference
        self.doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Problem):
            return
        if isinstance(error, (Exception, SystemExit)):
            said = " ".join([f"{type(error).__name__}:", *str(error).split()])
            raise ReferenceProblem(
                f"`{self.reference}`: {self.doing} raised {said.rstrip(':.')}."
            ) from error
