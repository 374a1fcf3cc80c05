"""How an arm carries over batch sizes: drift of its best rate, spread of each rate."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from hpo_vs_adapt.metrics.sensitivity.sensitivity_numbers import SENSITIVITY_COLUMNS
from hpo_vs_adapt.metrics.sensitivity.sweeps import SWEEP_COLUMNS

__all__ = ["batch_size_spread", "lr_drift"]


def lr_drift(table: pd.DataFrame) -> pd.DataFrame:
    """Return how an arm's best rate moves with the batch size, and what suits them all.

    ``slope`` is that of the least-squares line through log10(best rate) over
    log10(batch size): 1 is linear scaling, 0.5 the square root, 0 no drift. The best
    rate is one of the grid's, so the slope is as coarse as the grid. ``common_*`` is
    the range of rates in the basin of every batch size.

    Args:
        table: As from `sensitivity_numbers`.

    Returns:
        Columns `workload`, `arm`, the other swept settings, `batch_sizes` (how many),
        `slope`, `common_low`, `common_high`, `common_decades`, one row per arm and
        combination of settings, sorted. `slope` is NaN with one batch size, or if a
        best rate is unknown or not positive; the common range is NaN, its decades 0,
        where there is none.
    """
    found = ("batch_sizes", "slope", "common_low", "common_high", "common_decades")
    known = ("batch_size", "scale", *SENSITIVITY_COLUMNS)
    keys = [name for name in table.columns if name not in known]
    rows = []
    for key, group in table.groupby(keys, dropna=False, sort=False):
        low = group["basin_low"].max(skipna=False)
        high = group["basin_high"].min(skipna=False)
        if low <= high:
            decades = math.log10(high / low) if low > 0 else math.nan
        else:  # also with a batch size that has no basin
            low, high, decades = math.nan, math.nan, 0.0
        slope = _slope(group["batch_size"], group["best"])
        rows.append((*key, len(group), slope, low, high, decades))
    return pd.DataFrame(rows, columns=[*keys, *found])


def batch_size_spread(table: pd.DataFrame) -> pd.DataFrame:
    """Return how each rate of an arm does over batch sizes: mean and spread.

    Args:
        table: As from `sweep_table`.

    Returns:
        Columns `workload`, `arm`, `lr`, the other swept settings, `batch_sizes` (how
        many have a metric), `metric_mean`, `metric_sd` of the point's mean metric in
        its unit (n - 1; NaN with one batch size), in the order of `table`.
    """
    known = ("batch_size", *SWEEP_COLUMNS)
    keys = [name for name in table.columns if name not in known]
    groups = table.groupby(keys, dropna=False, sort=False, as_index=False)
    return groups.agg(
        batch_sizes=("metric_mean", "count"),
        metric_sd=("metric_mean", "std"),
        metric_mean=("metric_mean", "mean"),
    )[[*keys, "batch_sizes", "metric_mean", "metric_sd"]]


def _slope(batch_sizes: pd.Series[int], rates: pd.Series[float]) -> float:
    if batch_sizes.nunique() < 2 or not (rates > 0).all():
        return math.nan
    line = stats.linregress(
        np.log10(batch_sizes.to_numpy(dtype=np.float64)),
        np.log10(rates.to_numpy(dtype=np.float64)),
    )
    return float(line.slope)
