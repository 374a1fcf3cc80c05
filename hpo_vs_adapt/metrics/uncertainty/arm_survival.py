"""How soon the trials of each arm meet the target: survival, and its mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from hpo_vs_adapt.metrics.basics.checks import check_confidence
from hpo_vs_adapt.metrics.basics.passes import role_rows
from hpo_vs_adapt.metrics.uncertainty.survival import (
    SURVIVAL_COLUMNS,
    restricted_mean,
    survival,
)

__all__ = [
    "RESTRICTED_MEAN_COLUMNS",
    "SURVIVAL_TABLE_COLUMNS",
    "restricted_mean_table",
    "survival_table",
]

SURVIVAL_TABLE_COLUMNS = ("workload", "arm", *SURVIVAL_COLUMNS)
"""Columns of `survival_table`; `cost` in the unit of the records."""

RESTRICTED_MEAN_COLUMNS = (
    *("workload", "arm", "trials", "hits", "failures"),
    "horizon",  # cost up to which it is looked at
    "met",  # share of the trials that have met the target by then
    *("restricted_mean", "low", "high"),
)
"""Columns of `restricted_mean_table`; costs in the unit of the records."""


def survival_table(records: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return the share of each arm's trials that have not met the target, by cost.

    The Kaplan-Meier estimate over single trials of the policy (`survival`): one minus
    it is how probably one training, with a setting that the arm happens to try, has met
    the target by then. A trial that missed is a miss by policy, whatever ended it: it
    never hits, and stays at risk for ever. To call one that diverged lost at the cost
    where it did so would leave it out from there on, and make the arm look better for
    every trial that it wrecks early; one that ended at its budget gets no more.

    Trials of a tuner that learns depend on each other, those of a stream share their
    seed: `low` and `high` take them as independent.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` count.
        confidence: Of the bounds, at each cost by itself.

    Returns:
        Columns `SURVIVAL_TABLE_COLUMNS`: a row for each cost at which a trial of the
        arm met the target, sorted; none for an arm without a hit.

    Raises:
        ValueError: As in `arm_passes` and `survival`.

    Kaplan and Meier, JASA 1958.
    """
    parts = []
    for workload, arm, own in _arms(records):
        curve = survival(_times(own), own["hit"], confidence)
        if len(curve):
            curve.insert(0, "workload", workload)
            curve.insert(1, "arm", arm)
            parts.append(curve)
    if not parts:
        return pd.DataFrame(columns=list(SURVIVAL_TABLE_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def restricted_mean_table(
    records: pd.DataFrame,
    horizons: Mapping[str, float],
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what a trial of each arm costs that ends at the target or at a horizon.

    `restricted_mean` over the trials of the policy, misses as in `survival_table`: a
    trial that missed costs the horizon, one that diverged early too, since it never
    brings the target. At one horizon for all arms of a workload the means compare: at
    most the horizon, and less the more trials meet the target and the sooner.

    The interval is Student's t on the mean over units that are independent: trials,
    or whole streams of a grid, an Optuna arm or a portfolio.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` count.
        horizons: Cost to stop at on each workload, in the unit of the records, such as
            that of one ordinary training; workloads without one are left out.
        confidence: Probability that the interval is meant to cover.

    Returns:
        Columns `RESTRICTED_MEAN_COLUMNS`, one row per workload and arm, sorted; `hits`
        are all of the arm's, `met` counts those within the horizon. Bounds are within 0
        and the horizon; NaN with one unit, and where no trial met the target within the
        horizon: nothing is then known of the spread.

    Raises:
        ValueError: As in `arm_passes` and `restricted_mean`, or if `confidence` is not
            between 0 and 1.

    Royston and Parmar, "Restricted Mean Survival Time", BMC Medical Research
    Methodology, 2013; units of unequal size as a ratio of means: Cochran, "Sampling
    Techniques", 3rd ed. 1977, chapter 6.
    """
    check_confidence(confidence)
    rows: list[tuple[Any, ...]] = []
    for workload, arm, own in _arms(records):
        if workload not in horizons:
            continue
        horizon, times = float(horizons[workload]), _times(own)
        mean = restricted_mean(times, own["hit"], horizon)
        met = float((times <= horizon).mean())
        bounds = np.array([math.nan, math.nan])
        if met > 0:
            spent = np.minimum(times, horizon)
            bounds = _interval(spent, mean, _units(own), confidence)
        low, high = np.clip(bounds, 0.0, horizon).tolist()
        counts = (len(own), int(own["hit"].sum()), int(own["failed"].sum()))
        rows.append((workload, arm, *counts, horizon, met, mean, low, high))
    return pd.DataFrame(rows, columns=list(RESTRICTED_MEAN_COLUMNS))


def _arms(records: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    policy = role_rows(records, "policy")
    for (workload, arm), own in policy.groupby(["workload", "arm"], sort=True):
        yield str(workload), str(arm), own


def _times(own: pd.DataFrame) -> NDArray[np.float64]:
    """Return the cost at which each trial met the target; inf: a miss by policy."""
    hit = own["hit"].to_numpy(dtype=bool)
    return np.where(hit, own["cost_to_target"].to_numpy(dtype=np.float64), np.inf)


def _units(own: pd.DataFrame) -> NDArray[np.intp]:
    """Return the number of the unit that each trial belongs to."""
    if own["by"].iloc[0] in ("single", "random"):
        return np.arange(len(own))
    return np.unique(own["stream"].to_numpy(), return_inverse=True)[1].reshape(-1)


def _interval(
    spent: NDArray[np.float64],
    mean: float,
    units: NDArray[np.intp],
    confidence: float,
) -> NDArray[np.float64]:
    number = int(units.max()) + 1
    if number < 2:
        return np.array([math.nan, math.nan])
    sizes = np.bincount(units)
    away = (np.bincount(units, spent) - mean * sizes) / sizes.mean()
    error = math.sqrt(math.fsum(away**2) / (number * (number - 1)))
    reach = error * float(special.stdtrit(number - 1, (1 + confidence) / 2))
    return np.array([mean - reach, mean + reach])
