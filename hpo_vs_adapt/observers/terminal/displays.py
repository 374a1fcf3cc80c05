"""Showing progress: a live view, or plain lines without a terminal."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from rich.console import Console
from rich.live import Live
from typing_extensions import override

from hpo_vs_adapt.observers.terminal.progress import Progress, Snapshot
from hpo_vs_adapt.observers.terminal.race_view import race_view
from hpo_vs_adapt.observers.terminal.totals import metric_text, pace, totals
from hpo_vs_adapt.wording import counted

__all__ = [
    "Display",
    "LiveProgress",
    "PlainProgress",
    "make_console",
    "make_progress",
]

LEAST_SECONDS = 2.0
"""Plain lines are at least this far apart."""

MOST_SECONDS = 30.0
"""Plain lines are at most about this far apart, if anything happens."""

FILE_WIDTH = 200
"""Columns of output that goes to a file or a pipe."""

SHARE = 0.1
"""Share of the trials after which a plain line is due before that."""


class Display(Progress, ABC):
    """Shows progress to people.

    Args:
        console: Where it is shown.

    Attributes:
        done: Trials that have ended, as far as is known.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: Snapshot | None = None
        self.done = 0

    @override
    def update(self, snapshot: Snapshot) -> None:
        self._last, self.done = snapshot, snapshot.done

    @abstractmethod
    @override
    def close(self) -> None: ...


class LiveProgress(Display):
    """The race of the arms, redrawn in place.

    Args:
        console: A terminal.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, auto_refresh=False, transient=False)

    @override
    def update(self, snapshot: Snapshot) -> None:
        super().update(snapshot)
        if not self._live.is_started:
            self._live.start()
        width, height = self._console.size
        # The last line is the cursor's.
        self._live.update(race_view(snapshot, width, height - 1), refresh=True)

    @override
    def close(self) -> None:
        if not self._live.is_started:
            return
        try:
            if self._last is not None:  # all arms: nothing is redrawn after this
                self._live.vertical_overflow = "visible"
                view = race_view(self._last, self._console.width)
                self._live.update(view, refresh=True)
        finally:
            self._live.stop()


class PlainProgress(Display):
    """Lines of text, few enough for a log file.

    A line is due after a tenth of the trials or `MOST_SECONDS`, never within
    `LEAST_SECONDS` of the one before. The last one is followed by a line for each arm.

    Args:
        console: Where the lines go.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._printed: Snapshot | None = None

    @override
    def update(self, snapshot: Snapshot) -> None:
        super().update(snapshot)
        if self._is_due(snapshot):
            self._print(_line(snapshot))
            self._printed = snapshot

    @override
    def close(self) -> None:
        if self._last is None:
            return
        if self._last != self._printed:
            self._print(_line(self._last))
        for arm in self._last.arms:
            self._print(
                f"  {arm.workload} {arm.arm}: {arm.done} of {arm.planned} trials, "
                f"{counted(arm.hits, 'hit')}, best {metric_text(arm.best)}"
            )
        self._last = None

    def _is_due(self, snapshot: Snapshot) -> bool:
        before = self._printed
        if before is None:
            return True
        waited = snapshot.elapsed - before.elapsed
        if waited < LEAST_SECONDS or snapshot == before:
            return False
        share = (snapshot.done - before.done) / max(1, snapshot.planned)
        return share >= SHARE or waited >= MOST_SECONDS

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that does not squeeze tables where there is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = FILE_WIDTH
    return console


def make_progress(console: Console) -> Display:
    """Return a live view for a terminal, plain lines for anything else."""
    drawable = console.encoding.startswith("utf")
    if console.is_terminal and not console.is_dumb_terminal and drawable:
        return LiveProgress(console)
    return PlainProgress(console)


def _line(snapshot: Snapshot) -> str:
    return ", ".join([*totals(snapshot), *pace(snapshot)])
