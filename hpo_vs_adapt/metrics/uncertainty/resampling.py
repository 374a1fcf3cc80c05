"""How sure any statistic is: whole units drawn again; robust means and comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.direction import Mode
from hpo_vs_adapt.metrics.basics.task_runs import (
    Runs,
    check_known,
    paired_tasks,
    place_counts,
    share_won,
)
from hpo_vs_adapt.metrics.uncertainty.unit_draws import UnitDraws

__all__ = [
    "INTERVAL_COLUMNS",
    "Statistic",
    "bootstrap",
    "improvement_interval",
    "iqm",
    "outer_quantiles",
    "probability_of_improvement",
]

INTERVAL_COLUMNS = ("estimate", "low", "high")
"""Columns of `bootstrap`, in the unit of the statistic."""

Statistic: TypeAlias = Callable[
    [pd.DataFrame], "float | Mapping[Hashable, float] | pd.Series"
]
"""A number of a table, or several with a label each."""


def bootstrap(
    table: pd.DataFrame,
    statistic: Statistic,
    unit: str | Sequence[str],
    samples: int = 2000,
    seed: int = 0,
    *,
    within: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return a statistic of a table with its percentile bootstrap interval.

    Whole units are drawn with replacement, as many as there are, with all their rows:
    trials, seeds, or the streams of a tuner (whose trials are not exchangeable). They
    are drawn within each workload by itself, so that the answer is about this suite.
    A unit brings its rows of every arm: arms that share seeds are resampled in pairs,
    and the luck they share leaves their difference. For arms that share nothing put the
    arm into `within`. A unit drawn twice counts as two: drawn units are numbered from
    0, and the columns `unit` of a resample hold these numbers.

    With ``unit="seed"`` and `iqm` of a column this is the stratified bootstrap of
    Agarwal et al. Few units make intervals that are too narrow: of 3, 5, 10 and 20
    normal numbers a 95 % interval held the mean in 73, 83, 89 and 93 % of cases. For
    bills prefer `ert_interval`.

    Args:
        table: Any tidy table.
        statistic: Given a table like `table`, returns a number, or several as a mapping
            or a series. It is called once for every resample.
        unit: Column or columns that name a unit.
        samples: Resamples.
        seed: Of the resamples; every stratum derives its own generator by its name, so
            that another workload or the order of rows changes nothing.
        within: Columns that name a stratum, in which units are drawn by themselves;
            `workload` if there is such a column and nothing is given.
        confidence: Probability that an interval is meant to cover.

    Returns:
        Columns `INTERVAL_COLUMNS`, one row, or one per label of the statistic (the
        index). ``inf`` is larger than any number, and a bound is ``inf`` where so many
        resamples are. A resample where the statistic is NaN or has not the label (no
        row of an arm was drawn) might be anything: it counts as ``-inf`` for the lower
        bound and as ``inf`` for the upper. Bounds are NaN where the estimate is, and
        where no stratum has two units: nothing is then known of the spread. A stratum
        with one unit among others adds no spread.

    Raises:
        ValueError: If a column is missing or does not name a unit of every row,
            `samples` is below 1, or `confidence` is not between 0 and 1.

    Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics
    1979; Agarwal et al., "Deep RL at the Edge of the Statistical Precipice", NeurIPS
    2021 (arXiv 2108.13264).
    """
    _check_resampling(samples, confidence)
    units = [unit] if isinstance(unit, str) else unit
    default = ["workload"] if "workload" in table.columns else []
    draws = UnitDraws(table, units, default if within is None else within)
    estimate = _labelled(statistic(draws.table))
    found = np.full((samples, len(estimate)), math.nan)
    if draws.spread:
        for place, resample in enumerate(draws.draw(samples, seed)):
            values = _labelled(statistic(resample))
            found[place] = values.reindex(estimate.index)
    known = draws.spread & estimate.notna().to_numpy()
    low, high = np.where(known, outer_quantiles(found, confidence), math.nan)
    return pd.DataFrame({"estimate": estimate, "low": low, "high": high})


def iqm(values: ArrayLike) -> float:
    """Return the interquartile mean: without the lowest and the highest quarter.

    ``mean of v_(g + 1) ... v_(n - g)`` with ``g = floor(n / 4)``. It moves with all of
    the middle, unlike the median, and with no outlier, unlike the mean.

    Args:
        values: Scores of runs and tasks together, of any shape.

    Returns:
        In the unit of `values`; NaN without a value. An infinite value among the middle
        half makes it infinite, or NaN if both signs are there.

    Raises:
        ValueError: If a value is NaN.

    Agarwal et al., NeurIPS 2021 (arXiv 2108.13264).
    """
    found = np.sort(np.asarray(values, dtype=np.float64), axis=None)
    check_known("values", found)
    if not found.size:
        return math.nan
    cut = found.size // 4
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, as documented
        return float(found[cut : found.size - cut].mean())


def probability_of_improvement(a: Runs, b: Runs, mode: Mode = "max") -> float:
    """Return the probability that a run of `a` is better than one of `b`.

    ``P = mean over tasks of U / (n m)``: U is Mann and Whitney's, the number of pairs
    of one of n runs of `a` and one of m runs of `b` that `a` wins; a tie counts half.

    Args:
        a: Runs of one method: shape `(n,)`, `(n, tasks)`, or a mapping from each task
            to its runs where their numbers differ. ``inf`` equals ``inf``: a cost that
            was never reached.
        b: Runs of the other, `(m,)`, `(m, tasks)`, or of the same tasks.
        mode: ``max`` if higher is better, ``min`` for costs and losses.

    Returns:
        Between 0 and 1; NaN without a task, or if a task has no runs of one of them.

    Raises:
        ValueError: If a value is NaN, the tasks differ, or `mode` is unknown.

    Agarwal et al., NeurIPS 2021 (arXiv 2108.13264); Mann and Whitney, Annals of
    Mathematical Statistics 1947.
    """
    shares = []
    for ours, theirs in paired_tasks(a, b, mode).values():
        if not (ours.size and theirs.size):
            return math.nan
        values = np.unique(np.concatenate([ours, theirs]))
        counts = [
            place_counts(np.searchsorted(values, runs)[None], values.size)
            for runs in (ours, theirs)
        ]
        shares.append(float(share_won(*counts)[0]))
    return math.fsum(shares) / len(shares) if shares else math.nan


def improvement_interval(
    a: Runs,
    b: Runs,
    mode: Mode = "max",
    samples: int = 2000,
    seed: int = 0,
    *,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of `probability_of_improvement`.

    Stratified bootstrap: runs of `a` and of `b` are drawn with replacement within each
    task, each by itself; the tasks are kept.

    Args:
        a: As in `probability_of_improvement`, and so are `b` and `mode`.
        b: Runs of the other.
        mode: Whether higher or lower is better.
        samples: Resamples.
        seed: Of the resamples; every task derives its own generator by its name (its
            column), so the order of runs changes nothing.
        confidence: Probability that the interval is meant to cover.

    Returns:
        Lower and upper bound between 0 and 1; NaN without a task, or if some task has
        fewer than two runs of one of them: nothing is then known of their spread.

    Raises:
        ValueError: As in `probability_of_improvement` and `bootstrap`.
    """
    _check_resampling(samples, confidence)
    tasks = paired_tasks(a, b, mode)
    if not tasks or any(min(x.size, y.size) < 2 for x, y in tasks.values()):
        return math.nan, math.nan
    total = np.zeros(samples)
    for name, (ours, theirs) in tasks.items():
        rng = np.random.default_rng([seed, *name.encode()])
        values = np.unique(np.concatenate([ours, theirs]))
        counts = []
        for runs in (ours, theirs):
            drawn = rng.integers(runs.size, size=(samples, runs.size))
            places = np.searchsorted(values, runs)[drawn]
            counts.append(place_counts(places, values.size))
        total += share_won(*counts)
    low, high = outer_quantiles(total[:, None] / len(tasks), confidence)
    return float(low[0]), float(high[0])


def _labelled(result: float | Mapping[Hashable, float] | pd.Series) -> pd.Series:
    if isinstance(result, Mapping | pd.Series):
        return pd.Series(result, dtype=np.float64)
    return pd.Series([result], dtype=np.float64)


def outer_quantiles(
    found: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the outer quantiles of each column of resampled statistics.

    Args:
        found: Shape `(samples, statistics)`; NaN might be anything.
        confidence: Share of the resamples between them.
    """
    tail = (1 - confidence) / 2
    unknown = np.isnan(found)
    # No interpolation: between a number and inf there is nothing.
    low, high = (
        np.quantile(np.where(unknown, worst, found), level, 0, method="inverted_cdf")
        for worst, level in ((-np.inf, tail), (np.inf, 1 - tail))
    )
    return low, high


def _check_resampling(samples: int, confidence: float) -> None:
    if not samples >= 1:
        raise ValueError(f"`samples` must be at least 1; got {samples!r}.")
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be between 0 and 1; got {confidence!r}.")
