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

from hpo_vs_adapt.metrics.cost import expected_running_time
from hpo_vs_adapt.metrics.paired import paired_ratios
from hpo_vs_adapt.metrics.passes import arm_passes, role_rows
from hpo_vs_adapt.metrics.statistics import log_bill_draws

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

_Float: TypeAlias = np.floating[Any]

DRAWS = 100_000
"""Of log bills: enough for the tails of intervals that hold all together."""


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


def bill_change(first: pd.DataFrame, other: pd.DataFrame) -> Change:
    """Return how an arm's bill changed.

    Args:
        first: Trials of one arm on one workload, columns as in `Results.records`.
        other: The same of another report.
    """
    ours, theirs = _unit_seeds(first), _unit_seeds(other)
    # Where trials of a stream have seeds of their own, a stream shares no luck.
    pairs = ours == theirs and all(len(seeds) == 1 for seeds in ours.values())
    paired = len(ours) if pairs else 0
    return _cost_change("bill", arm_passes, first, other, paired)


def run_change(first: pd.DataFrame, other: pd.DataFrame) -> Change:
    """Return how the cost of one run with the settings found changed.

    Args:
        first: As in `bill_change`; runs are retrains, and trials of arms without
            `tune`.
        other: The same of another report.
    """
    first, other = _runs(first), _runs(other)
    seeds = set(first["seed"])
    paired = len(seeds) if seeds == set(other["seed"]) else 0
    return _cost_change("per run", _record_passes, first, other, paired)


def best_change(first: pd.DataFrame, other: pd.DataFrame, mode: str) -> Change:
    """Return how the best metric changed, its mean over seeds or streams.

    Student's t of the differences where both have the same seeds or streams, otherwise
    Welch's t. A seed whose trials all crashed before an evaluation has no metric.

    Args:
        first: As in `bill_change`.
        other: The same of another report.
        mode: ``max`` or ``min``: what is best.
    """
    ours, theirs = _best(first, mode), _best(other, mode)
    pairs = ours.index.equals(theirs.index)
    a, b = ours.to_numpy(np.float64), theirs.to_numpy(np.float64)
    one, two = (float(x.mean()) if x.size else math.nan for x in (a, b))
    bounds: Bounds
    if min(a.size, b.size) < 2:
        bounds = _unknown
    elif pairs:
        bounds = _t_bounds(two - one, float(np.var(b - a, ddof=1)) / a.size, a.size - 1)
    else:
        bounds = _welch_bounds(a, b)
    return Change("best", one, two, two - one, bounds, a.size if pairs else 0)


def hits_change(first: pd.DataFrame, other: pd.DataFrame) -> Change:
    """Return how the share of passes that met the target changed.

    The interval is Newcombe's hybrid score interval of a difference of independent
    shares. It is unknown where all passes of both hit, or none: nothing can then show.

    Args:
        first: As in `bill_change`.
        other: The same of another report.

    Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17, 1998, method 10.
    """
    ours, theirs = (arm_passes(trials)["hit"].to_numpy() for trials in (first, other))
    one, two = (
        float(hits.mean()) if hits.size else math.nan for hits in (ours, theirs)
    )

    def bounds(confidence: float) -> tuple[float, float]:
        low, high = _wilson(ours, confidence)
        their_low, their_high = _wilson(theirs, confidence)
        gap = two - one
        return (
            gap - math.hypot(two - their_low, high - one),
            gap + math.hypot(their_high - two, one - low),
        )

    alike = one == two and one in (0.0, 1.0)
    known = ours.size and theirs.size and not alike
    return Change("hits", one, two, two - one, bounds if known else _unknown, 0)


def _cost_change(
    quantity: Quantity,
    passes_of: Callable[[pd.DataFrame], pd.DataFrame],
    first: pd.DataFrame,
    other: pd.DataFrame,
    paired: int,
) -> Change:
    """Return a change of costs; `paired` is how many units the two share, all or 0."""
    ours, theirs = passes_of(first), passes_of(other)
    one, two = _ert(ours), _ert(theirs)
    bounds = _paired_bounds(first, other) if paired else _drawn_bounds(ours, theirs)
    ratio = two / one if one > 0 else math.nan  # 0: met by the initial weights
    return Change(quantity, one, two, ratio, bounds, paired)


def _ert(passes: pd.DataFrame) -> float:
    if passes.empty or not passes["hit"].any():
        return math.nan
    return expected_running_time(passes["cost"], passes["hit"])


def _paired_bounds(first: pd.DataFrame, other: pd.DataFrame) -> Bounds:
    both = [first.assign(arm="first"), other.assign(arm="other")]
    trials = pd.concat(both, ignore_index=True)

    def bounds(confidence: float) -> tuple[float, float]:
        table = paired_ratios(trials, "first", confidence=confidence)
        (row,) = table[table["arm"] == "other"].to_dict("records")
        return row["low"], row["high"]

    return functools.cache(bounds)


def _drawn_bounds(ours: pd.DataFrame, theirs: pd.DataFrame) -> Bounds:
    """Return quantiles of differences of independent draws, as `reference_ratios`."""
    if not (len(ours) and len(theirs)):
        return _unknown
    place = str(ours["workload"].iloc[0])
    # The two have generators of their own: with the same draws they would be paired.
    base = log_bill_draws(ours, place, "first", DRAWS, 0)
    draws = log_bill_draws(theirs, place, "other", DRAWS, 0)
    if np.isnan(base).any() or np.isnan(draws).any():
        return _unknown
    with np.errstate(invalid="ignore"):  # inf - inf may be anything
        gaps = draws - base

    def bounds(confidence: float) -> tuple[float, float]:
        tail = (1 - confidence) / 2
        ends = ((tail, -np.inf), (1 - tail, np.inf))
        low, high = (
            np.quantile(
                np.where(np.isnan(gaps), worst, gaps), at, method="inverted_cdf"
            )
            for at, worst in ends
        )
        with np.errstate(over="ignore"):  # two passes far apart know no upper bound
            return float(np.exp(low)), float(np.exp(high))

    return functools.cache(bounds)


def _unknown(confidence: float) -> tuple[float, float]:
    return math.nan, math.nan


def _t_bounds(mean: float, variance: float, freedom: float) -> Bounds:
    def bounds(confidence: float) -> tuple[float, float]:
        away = float(special.stdtrit(freedom, (1 + confidence) / 2))
        return mean - away * math.sqrt(variance), mean + away * math.sqrt(variance)

    return bounds


def _welch_bounds(a: NDArray[_Float], b: NDArray[_Float]) -> Bounds:
    """Return Welch's interval of the difference of means; samples of two or more."""
    shares = [float(np.var(x, ddof=1)) / x.size for x in (a, b)]
    variance = sum(shares)
    parts = sum(s**2 / (x.size - 1) for s, x in zip(shares, (a, b), strict=True))
    freedom = variance**2 / parts if parts else 1.0  # no spread: any will do
    return _t_bounds(float(b.mean() - a.mean()), variance, freedom)


def _wilson(hits: NDArray[np.bool_], confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share (JASA 22, 1927)."""
    z = float(special.ndtri((1 + confidence) / 2))
    n, share = hits.size, float(hits.mean())
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    away = math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) * z / (1 + z**2 / n)
    return middle - away, middle + away


def _unit_seeds(trials: pd.DataFrame) -> dict[int, frozenset[int]]:
    """Return the training seeds of every seed or stream, see `paired_ratios`."""
    policy = role_rows(trials, "policy")
    return {
        int(unit): frozenset(seeds)
        for unit, seeds in policy.groupby(_units(policy))["seed"]
    }


def _units(policy: pd.DataFrame) -> pd.Series[int]:
    return policy["stream"].mask(policy["by"] == "single", policy["seed"])


def _runs(trials: pd.DataFrame) -> pd.DataFrame:
    """Return retrains and trials of arms without `tune`, as trials of such an arm."""
    policy = role_rows(trials, "policy")
    runs = [policy[policy["by"] == "single"], role_rows(trials, "retrain")]
    table = pd.concat(runs, ignore_index=True)
    return table.assign(by="single", role="policy", stream=-1)


def _record_passes(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs as passes; those that share a record are one, see `arm_bills`."""
    groups = runs.groupby(["workload", "arm", "key"], sort=True, as_index=False)
    return groups.agg(cost=("contribution", "sum"), hit=("hit", "sum"))


def _best(trials: pd.DataFrame, mode: str) -> pd.Series[float]:
    """Return the best metric of every seed or stream that has one, see `arm_bills`."""
    policy = role_rows(trials, "policy")
    best = policy.groupby(_units(policy), sort=True)["best_metric"].agg(mode)
    return best.dropna()
