"""Which way a metric is better: best and worst values, and what meets a target.

Nobody else compares by a metric's mode, but for the `workloads`, which import nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, get_args, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = ["MODES", "Direction", "Mode", "metric_signs"]

Mode: TypeAlias = Literal["max", "min"]
"""Whether a value meets a target by being high or by being low."""

MODES: tuple[str, ...] = get_args(Mode)
"""Both of them."""

_End = TypeVar("_End")


@dataclass(frozen=True, slots=True)
class Direction:
    """Which way a metric is better.

    Args:
        mode: ``max`` if a higher value is better, ``min`` if a lower one is.

    Raises:
        ValueError: If `mode` is neither.
    """

    mode: str

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"`mode` must be 'max' or 'min'; got {self.mode!r}.")

    @property
    def up(self) -> bool:
        """Whether a higher value is better."""
        return self.mode == "max"

    @property
    def sign(self) -> float:
        """1 where a high value is good, -1 where a low one is."""
        return 1.0 if self.up else -1.0

    @property
    def relation(self) -> str:
        """How a value that meets a target stands to it, as people write it."""
        return "≥" if self.up else "≤"

    @property
    def verb(self) -> Literal["maximize", "minimize"]:
        """What is done to the metric, as Optuna names directions."""
        return "maximize" if self.up else "minimize"

    @overload
    def meets(self, values: float, target: float) -> bool: ...
    @overload
    def meets(
        self, values: NDArray[np.float64], target: float
    ) -> NDArray[np.bool_]: ...
    def meets(
        self, values: float | NDArray[np.float64], target: float
    ) -> bool | NDArray[np.bool_]:
        """Whether values reach a target; equality does, NaN never.

        That a value meets the target is not yet a hit: see `first_hit`.
        """
        return values >= target if self.up else values <= target

    def best(self, values: ArrayLike) -> float:
        """Return the best of the numbers; NaN if there is none."""
        known = _known(values)
        return (
            float(known.max() if self.up else known.min()) if known.size else math.nan
        )

    def worst(self, values: ArrayLike) -> float:
        """Return the worst of the numbers; NaN if there is none."""
        known = _known(values)
        return (
            float(known.min() if self.up else known.max()) if known.size else math.nan
        )

    def best_at(self, values: ArrayLike) -> int | None:
        """Return the place of the first of the best numbers; None if there is none."""
        given = np.asarray(values, dtype=np.float64)
        if np.isnan(given).all():
            return None
        return int(np.nanargmax(given) if self.up else np.nanargmin(given))

    def running_best(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the best number so far at each place, NaN before the first of them."""
        best = np.fmax if self.up else np.fmin
        return np.asarray(best.accumulate(np.asarray(values, dtype=np.float64)))

    def worst_end(self, low: _End, high: _End) -> _End:
        """Return the end of a range where the metric is worst."""
        return low if self.up else high


def metric_signs(
    workloads: pd.Series[str], modes: Mapping[str, str]
) -> pd.Series[float]:
    """Return 1 for each row where a high metric is good, -1 where a low one is.

    Args:
        workloads: Name of each row's workload.
        modes: Mode of each workload's metric, ``max`` where it is not named.
    """
    signs = {
        name: Direction(modes.get(name, "max")).sign for name in workloads.unique()
    }
    return workloads.map(signs).astype(float)


def _known(values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    return given[~np.isnan(given)]
