"""Tables drawn again: whole units with replacement, within each stratum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["UnitDraws"]


@final
class UnitDraws:
    """The units of a table, and resamples of them.

    Args:
        table: Any tidy table.
        unit: Columns that name a unit.
        within: Columns that name a stratum, in which units are drawn by themselves.

    Attributes:
        table: The rows in an order that does not depend on the given one.
        spread: Whether some stratum has two units, so that resamples differ.

    Raises:
        ValueError: If there is no `unit`, a column is missing or has a NaN.
    """

    def __init__(
        self, table: pd.DataFrame, unit: Sequence[str], within: Sequence[str]
    ) -> None:
        self._units = list(unit)
        self._strata = list(within)
        _check_columns(table, self._units, self._strata)
        self.table = _in_order(table, [*self._strata, *self._units])
        block = self.table.groupby([*self._strata, *self._units], sort=False).ngroup()
        # Equal keys are neighbours now, so each unit is one block of rows.
        self._starts = np.flatnonzero(np.diff(block.to_numpy(), prepend=-1))
        self._lengths = np.diff(self._starts, append=len(self.table))
        self._sizes = self._units_of_strata()
        self.spread = bool(self._sizes.max(initial=0) > 1)

    def draw(self, samples: int, seed: int) -> Iterator[pd.DataFrame]:
        """Yield resamples: tables with as many units of each stratum as there are.

        The columns of the unit hold the number of the draw in its stratum, from 0: a
        unit drawn twice is two units there.

        Args:
            samples: Number of resamples.
            seed: Every stratum derives its own generator from it by its name.
        """
        number = np.concatenate([np.arange(size) for size in self._sizes])
        for blocks in self._picks(samples, seed):
            sizes = self._lengths[blocks]
            # Rows of a block follow each other; blocks are anywhere.
            shift = self._starts[blocks] - (np.cumsum(sizes) - sizes)
            rows = np.arange(sizes.sum()) + np.repeat(shift, sizes)
            drawn = np.repeat(number, sizes)
            resample = self.table.take(rows)
            resample.index = pd.RangeIndex(len(rows))
            yield resample.assign(**dict.fromkeys(self._units, drawn))

    def _units_of_strata(self) -> NDArray[np.int64]:
        """Return the number of units of each stratum, in the order of the table."""
        if not self._strata:
            return np.array([self._starts.size])
        first = self.table.iloc[self._starts]
        sizes = first.groupby(self._strata, sort=False).size()
        return np.asarray(sizes, dtype=np.int64)

    def _picks(self, samples: int, seed: int) -> NDArray[np.int64]:
        """Return the drawn blocks of every resample, shape `(samples, units)`."""
        ends = np.cumsum(self._sizes)
        parts = []
        for start, size in zip(ends - self._sizes, self._sizes, strict=True):
            first = self.table.iloc[self._starts[start]]
            label = "\x1f".join(str(first[name]) for name in self._strata)
            rng = np.random.default_rng([seed, *label.encode()])
            parts.append(start + rng.integers(size, size=(samples, size)))
        return np.concatenate(parts, axis=1)


def _in_order(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the rows sorted by `keys` and then by all else that they hold.

    Sums of floats depend on their order; sorted rows give the same bits always.
    """
    others = [name for name in table.columns if name not in keys]
    ordered = table.sort_values([*keys, *others], key=_sortable, kind="stable")
    return ordered.reset_index(drop=True)


def _sortable(column: pd.Series) -> pd.Series:
    """Return a column that can be sorted: dicts and mixed types by their text."""
    return column.map(repr) if column.dtype == object else column


def _check_columns(table: pd.DataFrame, unit: list[str], within: list[str]) -> None:
    if not unit:
        raise ValueError(f"`unit` must name a column; got {unit!r}.")
    keys = [*within, *unit]
    missing = [name for name in keys if name not in table.columns]
    if missing:
        raise ValueError(
            f"`unit` and `within` must be columns of `table`; missing {missing!r}."
        )
    unnamed = [name for name in keys if table[name].isna().any()]
    if unnamed:
        raise ValueError(
            f"`unit` and `within` must name every row; got NaN in {unnamed!r}."
        )
