"""The live view of a study: where its arms are, in as much room as there is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.observers.terminal.progress import (
    ArmProgress,
    Snapshot,
    WorkloadProgress,
)
from hpo_vs_adapt.observers.terminal.race_layout import Section, fit_race
from hpo_vs_adapt.observers.terminal.sparkline import MET, Scale, fit_scale, sparkline
from hpo_vs_adapt.observers.terminal.totals import metric_text, pace, totals
from hpo_vs_adapt.wording import amount, counted

__all__ = ["race_view"]

NAME_CELLS = (12, 32)
"""Least and most columns for the names of arms."""

SPARK_CELLS = (8, 60)
"""Least and most columns for sparklines; where there are fewer they are left out."""

NUMBERS = ("trials", "now", "best", "hits", "failed", "spent", "bill")
"""Columns between the names of arms and their sparklines."""

GIVE_WAY = ("spent", "failed", "hits", "now")
"""Columns that are left out, in this order, where there is no room for sparklines."""

GAP = "  "

LEGEND = "Costs in sample gradients, of trials that have ended."
TRAINING = "+: in training, now: their best. Costs of ended trials: sample gradients."


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
    sections, hidden = fit_race(snapshot, room)
    columns = _Columns(sections, width)
    lines.append(columns.header())
    for section in sections:
        lines.append(_title(section.workload))
        lines += columns.rows(section)
        if section.rest:
            lines.append(_counted(section.rest, len(section.rest), "arm"))
    if hidden:
        names = {arm.workload for arm in hidden}
        lines.append(_counted(hidden, len(names), "workload"))
    lines.append(Text(TRAINING if snapshot.lanes else LEGEND, "dim"))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


class _Columns:
    """The table: what its columns are, and how wide.

    Args:
        sections: What is in it.
        width: Columns of the terminal.
    """

    def __init__(self, sections: Sequence[Section], width: int) -> None:
        rows = [arm for section in sections for arm in section.rows]
        cells = [_numbers(arm) for arm in rows]
        self._widths = {
            name: max([len(name), *(len(row[name]) for row in cells)])
            for name in NUMBERS
            if name != "now" or any(arm.training for arm in rows)
        }
        least, most = NAME_CELLS
        for name in GIVE_WAY:
            if self._taken() + least + SPARK_CELLS[0] > width:
                self._widths.pop(name, None)
        taken = self._taken()
        longest = max((cell_len(arm.arm) for arm in rows), default=0)
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
        names = {name: name for name in NUMBERS}
        return self._row("", names, Text(meaning[: self._spark]), "dim")

    def rows(self, section: Section) -> list[Text]:
        """Return a line for each arm of a workload that is shown."""
        goal = section.workload
        arms = (*section.rows, *section.rest)
        starts = [arm.path[0][1] for arm in arms if arm.path]
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

    def _taken(self) -> int:
        """Return the cells of all columns but the first and the last, with gaps."""
        return sum(self._widths.values()) + len(GAP) * (len(self._widths) + 1)

    def _row(
        self, name: str, numbers: Mapping[str, str], curve: Text, style: str
    ) -> Text:
        if cell_len(name) > self._name:
            name = set_cell_size(name, self._name - 1).rstrip() + "…"
        parts = [set_cell_size(name, self._name)]
        parts += [numbers[n].rjust(cells) for n, cells in self._widths.items()]
        return Text(GAP.join([*parts, ""]), style=style).append_text(curve)

    def _curve(self, arm: ArmProgress, scale: Scale) -> Text:
        text = Text(sparkline(arm.path, arm.spent, self._spark, scale))
        met = text.plain.find(MET)
        if met >= 0:
            text.stylize("green", met)
        return text


def _numbers(arm: ArmProgress) -> dict[str, str]:
    """Return the columns of an arm, those of `NUMBERS`."""
    more = f" +{arm.training}" if arm.training else ""
    return {
        "trials": f"{arm.done}/{arm.planned}{more}",
        "now": metric_text(arm.latest) if arm.training else "",
        "best": metric_text(arm.best),
        "hits": str(arm.hits),
        "failed": str(arm.failed),
        "spent": amount(arm.spent),
        "bill": amount(math.nan if arm.bill is None else arm.bill),
    }


def _bar(done: int, planned: int, width: int) -> Text:
    length = min(width, 80)
    full = length * done // max(1, planned)
    return Text("━" * full, style="green").append("─" * (length - full), style="dim")


def _title(goal: WorkloadProgress) -> Text:
    relation = Direction(goal.mode).relation
    line = Text(f"{goal.name}: {goal.metric} {relation} {goal.target:g}", style="bold")
    if goal.training:
        line.append(f", {goal.training} training", style="not bold")
    return line


def _counted(arms: Sequence[ArmProgress], number: int, noun: str) -> Text:
    """Return the line that stands for arms that have no room."""
    done, planned = sum(a.done for a in arms), sum(a.planned for a in arms)
    hits, training = sum(a.hits for a in arms), sum(a.training for a in arms)
    parts = [f"{done}/{planned} trials", f"{hits} hits"]
    parts += [f"{training} in training"] * (training > 0)
    more = counted(number, f"more {noun}")
    return Text(f"and {more}: {', '.join(parts)}", style="dim")
