"""Curves: what the evaluations of a pack have seen, lane by lane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from hpo_vs_adapt.records.trials import CURVE_COLUMNS

__all__ = ["History"]

_Entry: TypeAlias = dict[str, NDArray[np.float64] | float]


class History:
    """The evaluations of a pack; numbers that differ by lane are arrays.

    Args:
        entries: What an earlier history was (`state`), to go on from.
    """

    def __init__(self, entries: Sequence[_Entry] = ()) -> None:
        self._entries: list[_Entry] = [dict(entry) for entry in entries]

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, shared: Mapping[str, float], lanes: Mapping[str, Tensor]) -> None:
        """Keep an evaluation.

        Args:
            shared: What all lanes have in common, such as the step.
            lanes: Numbers of the lanes, shape `(rows,)` or `(rows, 1)`.
        """
        copied = {
            name: value.detach().cpu().double().reshape(-1).numpy().copy()
            for name, value in lanes.items()
        }
        self._entries.append({**shared, **copied})

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all lanes but those in `rows`, which are numbered anew."""
        for entry in self._entries:
            for name, value in entry.items():
                if isinstance(value, np.ndarray):
                    entry[name] = value[list(rows)]

    def last(self, name: str, row: int) -> float:
        """Return a number of the latest evaluation."""
        return _of_lane(self._entries[-1][name], row)

    def values(self, name: str, row: int) -> list[float]:
        """Return a number of all evaluations."""
        return [_of_lane(entry[name], row) for entry in self._entries]

    def state(self) -> list[dict[str, Any]]:
        """Return what a new history goes on from."""
        return [dict(entry) for entry in self._entries]

    def finite(self, row: int) -> bool:
        """Whether a lane's losses and weights were finite at the latest evaluation."""
        return _is_finite(self._entries[-1], row)

    def curve(self, row: int) -> pd.DataFrame:
        """Return the curve of a lane, columns `CURVE_COLUMNS` and the rule's own."""
        known = {*CURVE_COLUMNS, "finite"}
        extras = [name for name in self._entries[0] if name not in known]
        rows = []
        for entry in self._entries:
            values = {name: _of_lane(value, row) for name, value in entry.items()}
            if not _is_finite(entry, row):
                # The largest of NaN outputs is no prediction.
                values |= {"validation_metric": math.nan, "test_metric": math.nan}
            rows.append(values)
        curve = pd.DataFrame(rows, columns=[*CURVE_COLUMNS, *extras])
        counts = ["step", "samples", "sample_gradients", "forward_samples"]
        return curve.astype(dict.fromkeys(counts, "int64"))


def _of_lane(value: NDArray[np.float64] | float, row: int) -> float:
    return float(value[row]) if isinstance(value, np.ndarray) else value


def _is_finite(entry: _Entry, row: int) -> bool:
    losses = [_of_lane(entry["validation_loss"], row)]
    if entry["step"]:  # no step was taken before the first evaluation
        losses.append(_of_lane(entry["train_loss"], row))
    return bool(np.isfinite(losses).all() and _of_lane(entry["finite"], row))
