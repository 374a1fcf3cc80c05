"""What is wrong with a study, said in one message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hpo_vs_adapt.wording import Problem, nearest
from hpo_vs_adapt.wording.secrets import mask_uris

__all__ = ["FieldError", "Problems", "StudyError", "must", "show", "unknown"]

SHOWN = 120
"""Characters of a wrong value that a message repeats."""


class StudyError(Problem, ValueError):
    """A study that cannot be used; its text is the whole message for the user.

    Args:
        problems: One sentence each.
        source: The file they are in, or None for a study made in Python.
    """

    def __init__(self, problems: Sequence[str], source: Path | None = None) -> None:
        self.problems = tuple(problems)
        self.source = source
        where = "the study" if source is None else str(source)
        if len(self.problems) == 1:
            super().__init__(f"{where}: {self.problems[0]}")
        else:
            lines = "".join(f"\n  {problem}" for problem in self.problems)
            super().__init__(f"{where} has {len(self.problems)} problems:{lines}")


class FieldError(ValueError):
    """One thing that is wrong, as a sentence; collected by `Problems`."""


class Problems:
    """Collects what is wrong, so that one message can name all of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Note a `FieldError` raised inside and go on after the block."""
        try:
            yield
        except FieldError as problem:
            self.found.append(str(problem))

    def check(self, source: Path | None) -> None:
        """Refuse the study if anything was found.

        Raises:
            StudyError: With all that was found.
        """
        if self.found:
            raise StudyError(self.found, source)


def must(path: str, rule: str, value: object, advice: str = "") -> FieldError:
    """Return the problem of one value: `path` must be `rule`."""
    more = f"; {advice}" if advice else ""
    return FieldError(f"`{path}` must be {rule}; got {show(value)}{more}.")


def show(value: object) -> str:
    """Return a value as a message repeats it, cut to a readable length."""
    text = mask_uris(repr(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def unknown(
    kind: str, path: str, name: str, known: Iterable[str], of: str = ""
) -> FieldError:
    """Return the problem of a name nobody knows, with the nearest that is known.

    Args:
        kind: What it names: ``key``, ``setting``.
        path: Where it is, the name included.
        name: The name alone.
        known: Names that would do.
        of: What has these names, if the path does not say it.
    """
    owner = f" of `{of}`" if of else ""
    return FieldError(f"unknown {kind} `{path}`{owner}; {nearest(name, sorted(known))}")
