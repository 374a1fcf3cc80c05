"""What the command line shows of reports against each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hpo_vs_adapt.report.compare.definitions import Note
from hpo_vs_adapt.report.compare.findings import Finding
from hpo_vs_adapt.report.compare.reports import Comparison
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import (
    UNKNOWN,
    amount,
    counted,
    metric_value,
    probability,
)

__all__ = ["comparison_view"]


def comparison_view(comparison: Comparison, everything: bool = False) -> Group:
    """Return what differs between reports.

    Args:
        comparison: Of them.
        everything: Whether to show what does not differ, too.
    """
    parts: list[RenderableType] = [_reports(comparison), Text()]
    changes = comparison.changes
    for name, notes in comparison.notes.items():
        parts.append(Text(f"{name} against A", style="bold"))
        for note in notes:
            parts += _note(note)
        rows = changes[changes["report"] == name]
        shown = rows if everything else rows[rows["shown"]]
        parts.append(Text())
        if rows.empty:
            parts.append(Text(f"A and {name} share no arm that has trials.\n"))
        elif shown.empty:
            parts.append(Text("Nothing that both have differs beyond noise.\n"))
        parts += _workloads(shown, comparison, name)
    parts += [_firsts(comparison), Text(), Text(_count(comparison, everything))]
    return Group(*parts)


def _reports(comparison: Comparison) -> Table:
    table = _table("", "report", "study", "revision")
    for name, report in comparison.reports.items():
        revision = report.provenance.get("revision", UNKNOWN)
        table.add_row(*map(Text, (name, str(report.folder), report.study, revision)))
    return table


def _note(note: Note) -> Iterator[RenderableType]:
    yield Text(f"{note.about}:")
    yield from (Padding(Text(item), (0, 0, 0, 2), expand=False) for item in note.items)


def _workloads(
    rows: pd.DataFrame, comparison: Comparison, name: str
) -> Iterator[RenderableType]:
    for workload, own in rows.groupby("workload", sort=False):
        one, two = (
            comparison.reports[each].workloads[str(workload)]["target"]
            for each in ("A", name)
        )
        asked = f": target {one:g} in A, {two:g} in {name}" if one != two else ""
        yield Text(f"{workload}{asked}", style="bold")
        yield _changes(own, name)
        yield Text()


def _changes(rows: pd.DataFrame, name: str) -> Table:
    table = _table("arm", "what")
    for column in ("A", name):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column(f"{name} against A", overflow="fold")
    for row in rows_of(rows):
        numbers = (_number(row.quantity, value) for value in (row.first, row.other))
        table.add_row(Text(row.arm), row.quantity, *numbers, Text(row.verdict))
    return table


def _number(quantity: str, value: float) -> str:
    if quantity == "best":
        return metric_value(value)
    if quantity == "hits":
        return UNKNOWN if math.isnan(value) else f"{value:.0%}"
    return amount(value)


def _firsts(comparison: Comparison) -> Table:
    """Return who has the least bill in each report, and how sure that is."""
    table = _table("least bill, P(first)", *comparison.reports)
    firsts: dict[tuple[str, str], Any] = {
        (row.workload, row.report): row for row in rows_of(comparison.firsts)
    }
    named = [name for one in comparison.reports.values() for name in one.workloads]
    for workload in dict.fromkeys(named):
        cells = [
            _first(firsts.get((workload, name)), workload in report.workloads)
            for name, report in comparison.reports.items()
        ]
        table.add_row(Text(workload), *cells)
    return table


def _first(row: Any, there: bool) -> Text:
    if row is None:
        return Text("nobody met it" if there else UNKNOWN)
    return Text(f"{row.arm}, {probability(row.first_probability)}")


def _count(comparison: Comparison, everything: bool) -> str:
    """Return how much of this chance would give."""
    tested = comparison.tested
    differ, perhaps = map(comparison.count, (Finding.DIFFERS, Finding.PERHAPS))
    same = comparison.count(Finding.SAME)
    numbers = counted(len(comparison.changes), "number")
    lines = [f"{numbers} compared, {same} of the same trials."]
    if tested:
        lines.append(
            f"Of {tested} with noise, {differ + perhaps} changed by more than their "
            "own 95 % interval allows, as 1 in 20 would by chance; "
            f"{differ} of these hold with all {tested} counted (Bonferroni), the "
            'others are called "perhaps".'
        )
    if not everything:
        lines.append("`--all` shows the rest.")
    return " ".join(lines)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
