"""By how much an arm's numbers changed from one report to another, and how sure."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from hpo_vs_adapt.metrics.basics.cost import expected_running_time
from hpo_vs_adapt.metrics.uncertainty.intervals import log_bill_draws
from hpo_vs_adapt.report.compare.arm_trials import ArmTrials

__all__ = [
    "Bounds",
    "Change",
    "Quantity",
    "best_change",
    "bill_change",
    "hits_change",
    "run_change",
]

Quantity: TypeAlias = Literal["bill", "per run", "best", "hits"]
"""Bill; cost per run; mean best metric; share of passes that met the target."""

Bounds: TypeAlias = Callable[[float], tuple[float, float]]
"""Gives the interval at a confidence; both NaN where nothing is known of the noise."""

DRAWS = 100_000
"""Of log bills: enough for the tails of intervals that hold all together."""

_Floats: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One number of one arm in two reports.

    Args:
        quantity: What it is.
        first: In the first report; NaN where the target was never met, or no trial is.
        other: In the other one.
        change: Ratio of the other to the first for costs, difference for the rest.
        bounds: Interval of `change`.
        paired: Seeds or streams by which the two were paired; 0: independent.
    """

    quantity: Quantity
    first: float
    other: float
    change: float
    bounds: Bounds
    paired: int


def bill_change(first: ArmTrials, other: ArmTrials, paired: Bounds) -> Change:
    """Return how an arm's bill changed.

    Args:
        first: Of the first report.
        other: The same arm of the other one.
        paired: Interval to take where both trained with the same seeds.
    """
    pairs = first.unit_seeds == other.unit_seeds and first.shared_seed
    number = len(first.unit_seeds) if pairs else 0
    return _cost_change("bill", (first.passes, other.passes), paired, number)


def run_change(first: ArmTrials, other: ArmTrials, paired: Bounds) -> Change:
    """Return how the cost of one run with the settings found changed.

    Args:
        first: With retrains.
        other: The same.
        paired: As in `bill_change`.
    """
    number = len(first.run_seeds) if first.run_seeds == other.run_seeds else 0
    return _cost_change("per run", (first.runs, other.runs), paired, number)


def best_change(first: ArmTrials, other: ArmTrials) -> Change:
    """Return how the best metric changed, its mean over seeds or streams.

    Student's t of the differences where both have the same seeds or streams, otherwise
    Welch's t.

    Args:
        first: Of the first report.
        other: The same arm of the other one.
    """
    pairs = first.best.index.equals(other.best.index)
    a, b = (side.best.to_numpy(np.float64) for side in (first, other))
    one, two = (float(x.mean()) if x.size else math.nan for x in (a, b))
    bounds: Bounds
    if min(a.size, b.size) < 2:
        bounds = _unknown
    elif pairs:
        variance = float(np.var(b - a, ddof=1)) / a.size
        bounds = _t_bounds(two - one, variance, a.size - 1)
    else:
        bounds = _welch_bounds(a, b)
    return Change("best", one, two, two - one, bounds, a.size if pairs else 0)


def hits_change(first: ArmTrials, other: ArmTrials) -> Change:
    """Return how the share of passes that met the target changed.

    The interval is Newcombe's hybrid score interval of a difference of independent
    shares. It is unknown where all passes of both hit, or none: nothing can then show.

    Args:
        first: Of the first report.
        other: The same arm of the other one.

    Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17, 1998, method 10.
    """
    ours, theirs = (side.passes["hit"].to_numpy(bool) for side in (first, other))
    one, two = float(ours.mean()), float(theirs.mean())

    def bounds(confidence: float) -> tuple[float, float]:
        low, high = _wilson(one, ours.size, confidence)
        their_low, their_high = _wilson(two, theirs.size, confidence)
        return (
            two - one - math.hypot(two - their_low, high - one),
            two - one + math.hypot(their_high - two, one - low),
        )

    alike = one == two and one in (0.0, 1.0)
    return Change("hits", one, two, two - one, _unknown if alike else bounds, 0)


def _cost_change(
    quantity: Quantity,
    sides: tuple[pd.DataFrame, pd.DataFrame],
    paired: Bounds,
    number: int,
) -> Change:
    """Return a change of costs.

    Args:
        quantity: Which.
        sides: Passes of the first and of the other report.
        paired: Interval to take where `number` is not 0.
        number: Of pairs.
    """
    one, two = map(_ert, sides)
    ratio = two / one if one > 0 else math.nan  # 0: met by the initial weights
    bounds = paired if number else functools.partial(_drawn_bounds, _draws(*sides))
    return Change(quantity, one, two, ratio, bounds, number)


def _ert(passes: pd.DataFrame) -> float:
    if not passes["hit"].any():
        return math.nan
    return expected_running_time(passes["cost"], passes["hit"])


def _draws(
    ours: pd.DataFrame, theirs: pd.DataFrame
) -> Callable[[], NDArray[np.float64]]:
    """Return how to get differences of independent draws of log bills."""

    @functools.cache
    def gaps() -> NDArray[np.float64]:
        # Each has its own generator: with the same draws they would be paired.
        base = log_bill_draws(ours, "", "first", DRAWS, 0)
        draws = log_bill_draws(theirs, "", "other", DRAWS, 0)
        if np.isnan(base).any() or np.isnan(draws).any():
            return np.empty(0)
        with np.errstate(invalid="ignore"):  # inf - inf is NaN: may be anything
            return np.asarray(draws - base)

    return gaps


def _drawn_bounds(
    gaps_of: Callable[[], NDArray[np.float64]], confidence: float
) -> tuple[float, float]:
    """Return the outer quantiles of ratios, as `reference_ratios` does."""
    gaps = gaps_of()
    if not gaps.size:
        return _unknown(confidence)
    tail = (1 - confidence) / 2
    low, high = (
        np.quantile(np.where(np.isnan(gaps), worst, gaps), at, method="inverted_cdf")
        for at, worst in ((tail, -np.inf), (1 - tail, np.inf))
    )
    with np.errstate(over="ignore"):  # two passes far apart know no upper bound
        return float(np.exp(low)), float(np.exp(high))


def _unknown(confidence: float) -> tuple[float, float]:
    return math.nan, math.nan


def _t_bounds(mean: float, variance: float, freedom: float) -> Bounds:
    def bounds(confidence: float) -> tuple[float, float]:
        away = float(special.stdtrit(freedom, (1 + confidence) / 2))
        return mean - away * math.sqrt(variance), mean + away * math.sqrt(variance)

    return bounds


def _welch_bounds(a: _Floats, b: _Floats) -> Bounds:
    """Return Welch's interval of the difference of means; samples of two or more."""
    shares = [float(np.var(x, ddof=1)) / x.size for x in (a, b)]
    variance = sum(shares)
    parts = sum(s**2 / (x.size - 1) for s, x in zip(shares, (a, b), strict=True))
    freedom = variance**2 / parts if parts else 1.0  # no spread: any will do
    return _t_bounds(float(b.mean() - a.mean()), variance, freedom)


def _wilson(share: float, number: int, confidence: float) -> tuple[float, float]:
    """Return the score interval of a share of `number` (Wilson, JASA 22, 1927)."""
    z = float(special.ndtri((1 + confidence) / 2))
    whole = 1 + z**2 / number
    middle = (share + z**2 / (2 * number)) / whole
    root = math.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2)
    return middle - z * root / whole, middle + z * root / whole
