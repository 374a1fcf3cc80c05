"""What the trials of each arm came to: counts, and the best metric they reached."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import metric_signs

__all__ = ["COUNTS", "arm_counts", "best_metrics"]

COUNTS = ("trials", "hits", "failures", "passes", "pass_hits")
"""Columns of `arm_counts`."""

_ARM = ["workload", "arm"]


def arm_counts(
    arms: pd.DataFrame, policy: pd.DataFrame, passes: pd.DataFrame
) -> pd.DataFrame:
    """Return `arms` with the columns `COUNTS`, zeros where an arm has no trial.

    Args:
        arms: One row an arm, columns `workload, arm` and others.
        policy: Its trials, as from `role_rows`.
        passes: As from `arm_passes`.
    """
    of_trials = policy.groupby(_ARM, as_index=False).agg(
        trials=("hit", "size"), hits=("hit", "sum"), failures=("failed", "sum")
    )
    of_passes = passes.groupby(_ARM, as_index=False).agg(
        passes=("hit", "size"), pass_hits=("hit", "sum")
    )
    counted = arms.merge(of_trials, on=_ARM, how="left")
    counted = counted.merge(of_passes, on=_ARM, how="left")
    numbers = counted[list(COUNTS)].astype(float).fillna(0).astype(int)
    return counted.assign(**{name: numbers[name] for name in COUNTS})


def best_metrics(policy: pd.DataFrame, modes: Mapping[str, str]) -> pd.DataFrame:
    """Return the mean over seeds, or over streams of tuned arms, of the best metric.

    Args:
        policy: As from `role_rows`.
        modes: Mode of each workload's metric, ``max`` where it is not named.

    Returns:
        Columns `workload, arm, best_metric`, NaN where every trial crashed before an
        evaluation; seeds and streams of which that is true are left out of the mean.
    """
    sign = metric_signs(policy["workload"], modes)
    units = policy.assign(
        unit=policy["stream"].where(policy["by"] != "single", policy["seed"]),
        best_metric=sign * policy["best_metric"],
        sign=sign,
    )
    groups = units.groupby([*_ARM, "unit"], as_index=False)
    best = groups.agg(best_metric=("best_metric", "max"), sign=("sign", "first"))
    best["best_metric"] *= best["sign"]
    return best.groupby(_ARM, as_index=False).agg(best_metric=("best_metric", "mean"))
