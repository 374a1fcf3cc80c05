"""Rows of tables as objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

__all__ = ["rows_of"]


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """Return the rows as named tuples: a column is an attribute, whatever its type."""
    return iter(table.itertuples(index=False))
