"""The interquartile mean of what an arm's trainings reach, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.uncertainty.arm_runs import METRICS, arm_runs, run_scores
from hpo_vs_adapt.metrics.uncertainty.resampling import outer_quantiles
from hpo_vs_adapt.metrics.uncertainty.unit_draws import UnitDraws

__all__ = ["IQM_ACROSS_COLUMNS", "IQM_COLUMNS", "iqm_across", "iqm_table"]

_MEANS = tuple(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high"))

IQM_COLUMNS = ("workload", "arm", "runs_are", "runs", "units", *_MEANS)
"""Columns of `iqm_table`; the metrics in their unit."""

IQM_ACROSS_COLUMNS = ("arm", "workloads", "runs", *_MEANS)
"""Columns of `iqm_across`; the metrics as scores without a unit."""

_ARM = ["workload", "arm"]


class _Draws(NamedTuple):
    """Runs by unit, and which units each resample has.

    Args:
        strata: From each workload and arm to its places among the units.
        values: Of each metric, shape `(units, runs of one)`, NaN behind shorter ones.
        picks: Shape `(samples, units)`.
    """

    strata: dict[tuple[str, str], slice]
    values: dict[str, NDArray[np.float64]]
    picks: NDArray[np.int64]


def iqm_table(
    records: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    samples: int = 2000,
    seed: int = 0,
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the interquartile mean of what each arm's trainings reach, by workload.

    `iqm` of the best validation metric, and of the test metric at that evaluation, over
    the arm's runs (`arm_runs`): its seeds, its winners' retrains, or its winners. A run
    that failed stays in, with the best it had until then. Intervals are percentiles of
    the bootstrap over units, which are seeds, or the streams of tuned arms with all
    their runs: of 3 units they are too narrow (`bootstrap` says by how much).

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of the roles ``policy`` and ``retrain`` count.
        modes: Mode of each workload's metric, ``max`` where it is not named.
        samples: Resamples.
        seed: Of the resamples; every workload and arm derives its own.
        confidence: Probability that an interval is meant to cover.

    Returns:
        Columns `IQM_COLUMNS`, one row per workload and arm, sorted. A mean is NaN if a
        run has no such metric (`arm_runs`), and an interval also with a single unit.

    Raises:
        ValueError: As in `arm_passes`, or if `samples` is below 1 or `confidence` not
            between 0 and 1.

    Agarwal et al., "Deep RL at the Edge of the Statistical Precipice", NeurIPS 2021
    (arXiv 2108.13264).
    """
    _check(samples, confidence)
    runs = arm_runs(records, modes)
    draws = _draws(runs, samples, seed)
    rows = []
    for place, own in runs.groupby(_ARM, sort=True):
        workload, arm = map(str, place)
        means = _means(draws, [(workload, arm)], confidence)
        told = (own["runs_are"].iloc[0], len(own), own["unit"].nunique())
        rows.append((workload, arm, *told, *means))
    return pd.DataFrame(rows, columns=list(IQM_COLUMNS))


def iqm_across(
    records: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    samples: int = 2000,
    seed: int = 0,
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the interquartile mean of what each arm's trainings reach, all workloads.

    The runs of `iqm_table` as scores on one scale (`run_scores`): 0 is the 5th and 1
    the 95th percentile of all arms' runs on a workload, so that a further arm changes
    all scores a little. `iqm` is over runs and workloads together; the bootstrap is
    stratified, units being drawn within each workload.

    Args:
        records: As in `iqm_table`.
        modes: As in `iqm_table`.
        samples: As in `iqm_table`.
        seed: As in `iqm_table`.
        confidence: As in `iqm_table`.

    Returns:
        Columns `IQM_ACROSS_COLUMNS`, one row an arm, sorted; no rows with one workload.
        Means are NaN for an arm that has no runs on some workload (`workloads` counts
        those where it has), as means over different workloads do not compare.

    Raises:
        ValueError: As in `iqm_table`.

    Agarwal et al., NeurIPS 2021 (arXiv 2108.13264); scale: Adkins, Bowling & White,
    2024 (arXiv 2412.07165).
    """
    _check(samples, confidence)
    runs = run_scores(arm_runs(records, modes), modes or {})
    everywhere = runs["workload"].nunique()
    draws = _draws(runs, samples, seed)
    rows = []
    for arm, own in runs.groupby("arm", sort=True) if everywhere > 1 else ():
        strata = [(str(name), str(arm)) for name in sorted(own["workload"].unique())]
        means = [math.nan] * len(_MEANS)
        if len(strata) == everywhere:
            means = list(_means(draws, strata, confidence))
        rows.append((str(arm), len(strata), len(own), *means))
    return pd.DataFrame(rows, columns=list(IQM_ACROSS_COLUMNS))


def _check(samples: int, confidence: float) -> None:
    if not samples >= 1:
        raise ValueError(f"`samples` must be at least 1; got {samples!r}.")
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be between 0 and 1; got {confidence!r}.")


def _draws(runs: pd.DataFrame, samples: int, seed: int) -> _Draws:
    units = UnitDraws(runs[[*_ARM, "unit", *METRICS]], ["unit"], _ARM)
    if runs.empty:
        return _Draws({}, {}, np.empty((samples, 0), dtype=np.int64))
    once = units.table.drop_duplicates([*_ARM, "unit"]).reset_index(drop=True)
    strata = {}
    for place, own in once.groupby(_ARM, sort=False):
        workload, arm = map(str, place)
        strata[workload, arm] = slice(own.index[0], own.index[-1] + 1)
    values = {name: units.by_unit(name) for name in METRICS}
    return _Draws(strata, values, units.picks(samples, seed))


def _means(
    draws: _Draws, strata: list[tuple[str, str]], confidence: float
) -> Iterator[float]:
    """Yield mean and bounds of each metric over all runs of some strata."""
    places = [draws.strata[stratum] for stratum in strata]
    units = np.concatenate([np.arange(at.start, at.stop) for at in places])
    spread = any(at.stop - at.start > 1 for at in places)
    picks = np.concatenate([draws.picks[:, at] for at in places], axis=1)
    for values in draws.values.values():
        yield from _mean(values, units, picks, spread, confidence)


def _mean(
    values: NDArray[np.float64],
    units: NDArray[np.int64],
    picks: NDArray[np.int64],
    spread: bool,
    confidence: float,
) -> tuple[float, float, float]:
    own = values[units]
    if np.isnan(own).all(axis=1).any():  # a workload without such a metric
        return math.nan, math.nan, math.nan
    estimate = float(_row_iqm(own.reshape(1, -1))[0])
    if not spread:
        return estimate, math.nan, math.nan
    resampled = _row_iqm(values[picks].reshape(len(picks), -1))
    low, high = outer_quantiles(resampled[:, None], confidence)
    return estimate, float(low[0]), float(high[0])


def _row_iqm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `iqm` of each row; NaN is no value."""
    ordered = np.sort(values, axis=1)  # NaN last
    count = ordered.shape[1] - np.isnan(ordered).sum(axis=1)
    means = np.full(len(ordered), math.nan)
    for size in np.unique(count[count > 0]):
        cut = size // 4
        rows = count == size
        means[rows] = ordered[rows, cut : size - cut].mean(axis=1)
    return means
