"""What many metrics ask of what they are given; each refuses by a `ValueError`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = ["check_columns", "check_confidence", "check_least", "equal_arrays"]


def check_confidence(confidence: float) -> None:
    """Refuse what is no share of cases that an interval can cover."""
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be between 0 and 1; got {confidence!r}.")


def check_least(name: str, value: int, least: int) -> None:
    """Refuse a number that is too small."""
    if not value >= least:
        raise ValueError(f"`{name}` must be at least {least}; got {value!r}.")


def check_columns(
    name: str, table: pd.DataFrame, needed: Iterable[str], source: str
) -> None:
    """Refuse a table that lacks a column.

    Args:
        name: Of the table, for the message.
        table: It.
        needed: Columns.
        source: What returns such tables.
    """
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise ValueError(
            f"`{name}` must have the columns of `{source}`; missing {missing!r}."
        )


def equal_arrays(
    names: str, one: ArrayLike, other: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two arrays `(n,)` of floats; refuse others.

    Args:
        names: Both names, for the message.
        one: The first.
        other: The second.
    """
    ours, theirs = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if ours.ndim != 1 or ours.shape != theirs.shape:
        raise ValueError(
            f"{names} must be one-dimensional and equally long; "
            f"got shapes {ours.shape} and {theirs.shape}."
        )
    return ours, theirs
