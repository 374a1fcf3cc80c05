"""The live view of a study: where its arms are, in as much room as there is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from hpo_vs_adapt.displays import metric_text, pace, totals
from hpo_vs_adapt.progress import ArmProgress, Snapshot, WorkloadProgress
from hpo_vs_adapt.report.wording import amount
from hpo_vs_adapt.sparkline import MET, Scale, fit_scale, sparkline

__all__ = ["race_view"]

NAME_CELLS = (12, 32)
"""Least and most columns for the names of arms."""

SPARK_CELLS = (8, 60)
"""Least and most columns for sparklines; where there are fewer they are left out."""

GAP = "  "


@dataclass(frozen=True, slots=True)
class _Section:
    """One workload: its arms in the order of the race, and how many are shown."""

    workload: WorkloadProgress
    arms: list[ArmProgress]
    shown: int

    @property
    def rows(self) -> list[ArmProgress]:
        """The leaders."""
        return self.arms[: self.shown]

    @property
    def rest(self) -> list[ArmProgress]:
        """Those who are counted only."""
        return self.arms[self.shown :]


def race_view(snapshot: Snapshot, width: int, height: int | None = None) -> Group:
    """Return totals, and for each workload its arms, those in the lead first.

    Args:
        snapshot: What to show.
        width: Columns there are.
        height: Lines there are; None: all arms are shown.
    """
    lines = [
        Text(", ".join(totals(snapshot)), style="bold"),
        Text(", ".join(pace(snapshot))),
        _bar(snapshot.done, snapshot.planned, width),
    ]
    room = (
        None if height is None else max(3, height - len(lines) - 2)
    )  # header and footer
    sections, hidden = _fitted(snapshot, room)
    columns = _Columns(sections, width)
    lines.append(columns.header())
    for section in sections:
        lines.append(_title(section.workload))
        lines += columns.rows(section)
        if section.rest:
            lines.append(_counted(section.rest, "more"))
    if hidden:
        names = {arm.workload for arm in hidden}
        noun = "workload" if len(names) == 1 else "workloads"
        lines.append(_counted(hidden, f"more {noun}", len(names)))
    lines.append(Text("Costs in sample gradients, of trials that have ended.", "dim"))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


class _Columns:
    """The table: what its columns are, and how wide.

    Args:
        sections: What is in it.
        width: Columns of the terminal.
    """

    def __init__(self, sections: Sequence[_Section], width: int) -> None:
        self._names = ["trials", "best", "hits", "failed", "spent", "bill"]
        rows = [arm for section in sections for arm in section.rows]
        cells = [self._names, *map(_numbers, rows)]
        self._widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        taken = sum(self._widths) + len(GAP) * (len(self._widths) + 1)
        longest = max((cell_len(arm.arm) for arm in rows), default=0)
        least, most = NAME_CELLS
        room = width - taken - SPARK_CELLS[0]
        self._name = max(least, min(longest, most, room))
        self._spark = min(width - taken - self._name, SPARK_CELLS[1])
        if self._spark < SPARK_CELLS[0]:
            self._spark = 0

    def header(self) -> Text:
        """Return the names of the columns."""
        meaning = f"best by spending, {MET} target"
        if self._spark < len(meaning):
            meaning = f"best ({MET} hit)"
        return self._row("", self._names, Text(meaning[: self._spark]), "dim")

    def rows(self, section: _Section) -> list[Text]:
        """Return a line for each leader of a workload."""
        goal = section.workload
        starts = [arm.path[0][1] for arm in section.arms if arm.path]
        scale = fit_scale(starts, goal.target, goal.mode)
        return [
            self._row(
                arm.arm,
                _numbers(arm),
                self._curve(arm, scale),
                "dim" if arm.done >= arm.planned else "",
            )
            for arm in section.rows
        ]

    def _row(self, name: str, numbers: Sequence[str], curve: Text, style: str) -> Text:
        if cell_len(name) > self._name:
            name = set_cell_size(name, self._name - 1).rstrip() + "…"
        parts = [set_cell_size(name, self._name)]
        parts += [n.rjust(w) for n, w in zip(numbers, self._widths, strict=True)]
        return Text(GAP.join([*parts, ""]), style=style).append_text(curve)

    def _curve(self, arm: ArmProgress, scale: Scale) -> Text:
        text = Text(sparkline(arm.path, arm.spent, self._spark, scale))
        met = text.plain.find(MET)
        if met >= 0:
            text.stylize("green", met)
        return text


def _numbers(arm: ArmProgress) -> list[str]:
    return [
        f"{arm.done}/{arm.planned}",
        metric_text(arm.best),
        str(arm.hits),
        str(arm.failed),
        amount(arm.spent),
        amount(math.nan if arm.bill is None else arm.bill),
    ]


def _bar(done: int, planned: int, width: int) -> Text:
    length = min(width, 80)
    full = length * done // max(1, planned)
    return Text("━" * full, style="green").append("─" * (length - full), style="dim")


def _title(goal: WorkloadProgress) -> Text:
    sign = "≥" if goal.mode == "max" else "≤"
    line = Text(f"{goal.name}: {goal.metric} {sign} {goal.target:g}", style="bold")
    if goal.training:
        line.append(f", {goal.training} training", style="not bold")
    return line


def _counted(arms: Sequence[ArmProgress], what: str, number: int | None = None) -> Text:
    done, planned = sum(a.done for a in arms), sum(a.planned for a in arms)
    hits = sum(arm.hits for arm in arms)
    line = f"and {number or len(arms)} {what}: {done}/{planned} trials, {hits} hits"
    return Text(line, style="dim")


def _fitted(
    snapshot: Snapshot, room: int | None
) -> tuple[list[_Section], list[ArmProgress]]:
    """Return the workloads that have room, and the arms of the others.

    A workload takes a line for itself and one for each arm; where not all fit, those
    that are at work come first, then those that have not begun.
    """
    fields = [
        (goal, _raced(goal, [a for a in snapshot.arms if a.workload == goal.name]))
        for goal in snapshot.workloads
    ]
    needs = [1 + len(arms) for _, arms in fields]
    if room is None or sum(needs) <= room:
        return [_Section(goal, arms, len(arms)) for goal, arms in fields], []
    number = max(1, min(len(fields), room // 3))
    if number < len(fields):
        number = max(1, min(number, (room - 1) // 3))
        room -= 1  # for those that are counted only
    urgent = sorted(range(len(fields)), key=lambda place: _urgency(*fields[place]))
    chosen = sorted(urgent[:number])
    sections = []
    shares = _shares([needs[place] for place in chosen], room)
    for place, lines in zip(chosen, shares, strict=True):
        goal, arms = fields[place]
        shown = len(arms) if lines > len(arms) else max(0, lines - 2)
        sections.append(_Section(goal, arms, shown))
    return sections, [a for p in urgent[number:] for a in fields[p][1]]


def _urgency(goal: WorkloadProgress, arms: Sequence[ArmProgress]) -> int:
    if goal.training:
        return 0
    finished = all(arm.done >= arm.planned for arm in arms)
    return 3 if finished else 1 if any(arm.done for arm in arms) else 2


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """Return lines for each, none more than it needs, the rest spread evenly."""
    shares = [0] * len(needs)
    left = len(needs)
    for place in sorted(range(len(needs)), key=needs.__getitem__):
        shares[place] = min(needs[place], room // left)
        room, left = room - shares[place], left - 1
    return shares


def _raced(goal: WorkloadProgress, arms: Sequence[ArmProgress]) -> list[ArmProgress]:
    """Return arms by their bills, then by how near to the target they have come."""
    sign = -1.0 if goal.mode == "max" else 1.0

    def rank(arm: ArmProgress) -> tuple[float, float]:
        bill = math.inf if arm.bill is None else arm.bill
        return bill, math.inf if arm.best is None else sign * arm.best

    return sorted(arms, key=rank)
