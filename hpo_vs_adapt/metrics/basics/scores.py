"""Metrics of different workloads on one scale."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import metric_signs

__all__ = ["normalised_scores"]


def normalised_scores(
    trials: pd.DataFrame, modes: Mapping[str, str]
) -> pd.Series[float]:
    """Return the metrics of trials as scores, so that higher is better everywhere.

    ``(p - p_5) / (p_95 - p_5)`` with the percentiles of all trials on the workload and
    the sign of p turned where low is good; not clipped, 0 where they are equal.

    Args:
        trials: Columns `workload, metric`. A trial without a metric has the worst score
            of its workload.
        modes: Mode of each workload's metric, ``max`` where it is not named.

    Percentile normalisation: Adkins, Bowling & White, 2024 (arXiv 2412.07165).
    """
    gains = metric_signs(trials["workload"], modes) * trials["metric"].astype(float)
    by_workload = gains.groupby(trials["workload"])
    filled = gains.fillna(by_workload.transform("min"))
    groups = filled.groupby(trials["workload"])
    low = groups.transform(lambda own: np.percentile(own, 5))
    high = groups.transform(lambda own: np.percentile(own, 95))
    return ((filled - low) / (high - low).where(high > low)).fillna(0.0)
