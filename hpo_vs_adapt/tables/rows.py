"""Rows of tables: as objects, of one workload, below each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

__all__ = ["of_workload", "rows_of", "stacked"]


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """Return the rows as named tuples: a column is an attribute, whatever its type."""
    return iter(table.itertuples(index=False))


def of_workload(table: pd.DataFrame, workload: str) -> pd.DataFrame:
    """Return the rows of one workload, numbered from 0."""
    return table[table["workload"] == workload].reset_index(drop=True)


def stacked(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Return tables below each other; empty ones have no say in the types."""
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(filled, ignore_index=True)[list(columns)]
