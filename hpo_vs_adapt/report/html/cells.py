"""Tables of the page: cells as they are shown, and what they are sorted by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from markupsafe import Markup

from hpo_vs_adapt.wording import UNKNOWN

__all__ = [
    "ROWS_SHOWN",
    "Cell",
    "Column",
    "PageTable",
    "Row",
    "arm_cell",
    "count",
    "number",
    "percent",
    "text",
]

ROWS_SHOWN = 100
"""Rows of a table that are in the page's HTML; a script makes the others from data."""


Packed: TypeAlias = str | tuple[str | None, ...]
"""A text, or a text, what it is sorted by, and a note."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        label: Its heading.
        kind: ``name``, ``code``, ``n`` for numbers, or empty: how cells are set.
        about: What it means, shown on hovering; the method section has it in full.
        rows_of: The CSV file whose rows, counted from 1, its numbers are and lead to.
    """

    label: str
    kind: str = ""
    about: str = ""
    rows_of: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Args:
        shown: Its text.
        value: What it is sorted by, where that is not its text; empty: unknown, last.
        note: A second, smaller line.
        swatch: An arm's marker before its name, or empty.
    """

    shown: str
    value: str | None = None
    note: str = ""
    swatch: Markup = field(default_factory=Markup)

    @property
    def packed(self) -> Packed:
        """The cell as the page's script reads it; without a swatch."""
        value = None if self.value == self.shown else self.value
        if self.note:
            return (self.shown, value, self.note)
        return self.shown if value is None else (self.shown, value)


Row: TypeAlias = list[Cell]
PackedColumn: TypeAlias = list[Packed] | dict[str, list[Packed] | list[int]]


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table of the page, which is sorted and filtered there.

    Args:
        anchor: Its id in the page.
        title: What it is.
        about: What to see in it, or empty.
        file: Name of the CSV file with its numbers, without suffix.
        columns: From left to right; the first one names the row.
        rows: A cell for every column each.
    """

    anchor: str
    title: str
    about: str
    file: str
    columns: Sequence[Column]
    rows: list[Row]

    @property
    def first_rows(self) -> list[Row]:
        """What is in the page's HTML, and all that a reader without script sees."""
        return self.rows[:ROWS_SHOWN]

    @property
    def packed_rest(self) -> list[PackedColumn]:
        """The columns of the other rows, as the page's script reads them.

        A column with few different cells has them ``of`` a list, and their places
        ``at`` each row.
        """
        return [_pack(column) for column in zip(*self.rows[ROWS_SHOWN:], strict=True)]


def _pack(cells: Sequence[Cell]) -> PackedColumn:
    packed = [cell.packed for cell in cells]
    places = {cell: place for place, cell in enumerate(dict.fromkeys(packed))}
    if 2 * len(places) > len(packed):
        return packed
    return {"of": list(places), "at": [places[cell] for cell in packed]}


def text(shown: Any, note: str = "") -> Cell:
    """Return a cell with words in it."""
    return Cell(str(shown), None, note)


def number(shown: str, value: float, note: str = "") -> Cell:
    """Return a cell with a number in words, which is sorted by its value."""
    known = not math.isnan(value)
    return Cell(shown, f"{float(value):.6g}" if known else "", note)


def count(value: float) -> Cell:
    """Return a cell with a whole number."""
    return number(f"{value:.0f}", value)


def percent(share: float) -> Cell:
    """Return a cell with a share of 1 in per cent; a dash if it is not known."""
    shown = UNKNOWN if math.isnan(share) else f"{100 * share:.0f} %"
    return number(shown, share)


def arm_cell(arm: str, swatches: Mapping[str, Markup], note: str = "") -> Cell:
    """Return a cell with an arm's name behind its marker."""
    return Cell(arm, None, note, swatch=swatches.get(arm, Markup()))
