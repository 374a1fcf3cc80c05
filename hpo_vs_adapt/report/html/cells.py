"""Tables of the page: columns, cells as they are shown, and what they are sorted by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pandas as pd

from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import UNKNOWN

__all__ = [
    "ROWS_SHOWN",
    "Cell",
    "Cells",
    "Column",
    "PageTable",
    "Sheet",
    "arms",
    "number",
    "numbers",
    "percent",
    "whole",
    "words",
]

ROWS_SHOWN = 100
"""Rows of a table that are in the page's HTML; a script makes the others from data."""


Packed: TypeAlias = str | tuple[str | None, ...]
"""A text, or a text, what it is sorted by, and a note."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Args:
        shown: Its text.
        value: What it is sorted by, where that is not its text; empty: unknown, last.
        note: A second, smaller line.
    """

    shown: str
    value: str | None = None
    note: str = ""

    @property
    def packed(self) -> Packed:
        """The cell as the page's script reads it."""
        value = None if self.value == self.shown else self.value
        if self.note:
            return (self.shown, value, self.note)
        return self.shown if value is None else (self.shown, value)


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column, and how its cells are set.

    Args:
        label: Its heading.
        kind: ``name``, ``code``, ``n`` for numbers, or empty.
        about: What it means, shown on hovering; the method section has it in full.
        arms: Whether its cells are arms, whose markers stand before them.
        rows_of: The CSV file whose rows, counted from 1, its numbers are and lead to.
    """

    label: str
    kind: str
    about: str = ""
    arms: bool = False
    rows_of: str = ""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a column.

    Args:
        of: Returns the cell of a row.
        kind, arms, rows_of: As in `Column`.
    """

    of: Callable[[Any], Cell]
    kind: str = "n"
    arms: bool = False
    rows_of: str = ""


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
    rows: list[list[Cell]]

    @property
    def first_rows(self) -> list[list[Cell]]:
        """What is in the page's HTML, and all that a reader without script sees."""
        return self.rows[:ROWS_SHOWN]

    @property
    def packed_rest(self) -> list[PackedColumn]:
        """The columns of the other rows, as the page's script reads them.

        A column with few different cells has them ``of`` a list, and their places
        ``at`` each row.
        """
        return [_pack(column) for column in zip(*self.rows[ROWS_SHOWN:], strict=True)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """How a table of the catalogue is shown on the page.

    Args:
        file: Its name in the catalogue, and of its CSV file.
        anchor: Its id in the page, or the end of it.
        title: What it is.
        about: What to see in it, or what says so of its rows.
        columns: Headings and cells from left to right, or what makes them of its rows.
        hints: What columns mean, by their headings.
        rows: Makes from the table what is a row of the page.
    """

    file: str
    anchor: str
    title: str
    about: str | Callable[[pd.DataFrame], str]
    columns: Mapping[str, Cells] | Callable[[pd.DataFrame], Mapping[str, Cells]]
    hints: Mapping[str, str] = field(default_factory=dict)
    rows: Callable[[pd.DataFrame], Iterable[Any]] = rows_of

    def show(self, table: pd.DataFrame, section: str = "") -> PageTable:
        """Return what the page has of a table.

        Args:
            table: The rows that are shown.
            section: Id of the part of the page that it is in, if not the whole page.
        """
        columns = self.columns(table) if callable(self.columns) else self.columns
        assert set(self.hints) <= set(columns)
        return PageTable(
            f"{section}-{self.anchor}" if section else self.anchor,
            self.title,
            self.about(table) if callable(self.about) else self.about,
            self.file,
            [
                Column(label, c.kind, self.hints.get(label, ""), c.arms, c.rows_of)
                for label, c in columns.items()
            ],
            [[c.of(row) for c in columns.values()] for row in self.rows(table)],
        )


Get: TypeAlias = str | Callable[[Any], Any]
"""A column of a table, or what is made of a row."""


def _nothing(_: Any) -> str:
    return ""


def _got(row: Any, what: Get) -> Any:
    return what(row) if callable(what) else getattr(row, what)


def arms(name: str = "arm", note: Get = _nothing) -> Cells:
    """Return cells of arms, with a second line if there is a `note`."""
    return Cells(
        lambda row: Cell(str(getattr(row, name)), None, _got(row, note)), "name", True
    )


def words(what: Get, kind: str = "") -> Cells:
    """Return cells of words."""
    return Cells(lambda row: Cell(str(_got(row, what))), kind)


def numbers(what: Get, write: Callable[[float], str], note: Get = _nothing) -> Cells:
    """Return cells of numbers in words, with a second line if there is a `note`."""

    def cell(row: Any) -> Cell:
        value = _got(row, what)
        return number(write(value), value, _got(row, note))

    return Cells(cell)


def number(shown: str, value: float, note: str = "") -> Cell:
    """Return a cell with a number in words, which is sorted by its value."""
    known = not math.isnan(value)
    return Cell(shown, f"{float(value):.6g}" if known else "", note)


def whole(value: float) -> str:
    """Return a whole number in words; a dash if it is not known."""
    return UNKNOWN if math.isnan(value) else f"{value:.0f}"


def percent(share: float) -> str:
    """Return a share of 1 in per cent; a dash if it is not known."""
    return UNKNOWN if math.isnan(share) else f"{100 * share:.0f} %"


def _pack(cells: Sequence[Cell]) -> PackedColumn:
    packed = [cell.packed for cell in cells]
    places = {cell: place for place, cell in enumerate(dict.fromkeys(packed))}
    if 2 * len(places) > len(packed):
        return packed
    return {"of": list(places), "at": [places[cell] for cell in packed]}
