"""Showing progress: a live table, or plain lines without a terminal."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from hpo_vs_adapt.progress import ArmProgress, Progress, Snapshot

__all__ = [
    "Display",
    "LiveProgress",
    "PlainProgress",
    "duration",
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

MARGIN = 6
"""Lines of the live display around the rows of its table."""


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
    """A table that is redrawn in place.

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
        room = max(3, self._console.height - MARGIN)
        self._live.update(_display(snapshot, room), refresh=True)

    @override
    def close(self) -> None:
        if not self._live.is_started:
            return
        if self._last is not None:  # all rows: nothing is redrawn after this
            self._live.vertical_overflow = "visible"
            self._live.update(_display(self._last, len(self._last.arms)), refresh=True)
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
            self._print(_headline(snapshot))
            self._printed = snapshot

    @override
    def close(self) -> None:
        if self._last is None:
            return
        if self._last != self._printed:
            self._print(_headline(self._last))
        for arm in self._last.arms:
            self._print(
                f"  {arm.workload} {arm.arm}: {arm.done} of {arm.planned} trials, "
                f"{_count(arm.hits, 'hit')}, best {_metric(arm.best)}"
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
    """Return a live table for a terminal, plain lines for anything else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveProgress(console)
    return PlainProgress(console)


def duration(seconds: float) -> str:
    """Return a time span as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _headline(snapshot: Snapshot) -> str:
    parts = [f"{snapshot.done} of {snapshot.planned} trials"]
    if snapshot.found:
        parts[0] += f" ({snapshot.found} found on disk)"
    parts.append(_count(snapshot.hits, "hit"))
    if snapshot.packs:
        lanes, packs = _count(snapshot.lanes, "lane"), _count(snapshot.packs, "pack")
        parts.append(f"training {lanes} in {packs}")
    parts.append(f"{duration(snapshot.elapsed)} elapsed")
    if snapshot.remaining is not None and snapshot.done < snapshot.planned:
        parts.append(f"about {duration(snapshot.remaining)} left")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _metric(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _display(snapshot: Snapshot, room: int) -> Group:
    """Return totals above the table of arms, at most `room` rows of it.

    Where there is too little room, arms that are done make way first.
    """
    rows = list(snapshot.arms)
    if len(rows) > room:
        rows.sort(key=lambda arm: arm.done >= arm.planned)
        kept = set(map(id, rows[: room - 1]))
        rows = [arm for arm in snapshot.arms if id(arm) in kept]
    bar = ProgressBar(total=max(1, snapshot.planned), completed=snapshot.done, width=40)
    parts: list[RenderableType] = [Text(_headline(snapshot)), bar, _table(rows)]
    if hidden := len(snapshot.arms) - len(rows):
        parts.append(Text(f"and {hidden} more", style="dim"))
    return Group(*parts)


def _table(arms: Iterable[ArmProgress]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("workload", no_wrap=True)
    table.add_column("arm", no_wrap=True)
    for name in ("trials", "hits", "best"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in arms:
        style = "dim" if arm.done >= arm.planned else ""
        table.add_row(
            Text(arm.workload),
            Text(arm.arm),
            f"{arm.done}/{arm.planned}",
            str(arm.hits),
            _metric(arm.best),
            style=style,
        )
    return table
