"""How an arm does where nobody tuned it: tables over learning rate and batch size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.passes import role_rows

__all__ = ["SWEEP_COLUMNS", "as_numbers", "sweep_table", "sweep_trials"]

SWEEP_COLUMNS = (
    "n",  # trials
    "failures",
    "hits",
    "hit_share",
    "ert",  # expected running time of the point's trials; NaN: none hit
    "metric_mean",
    "metric_low",
    "metric_high",
)
"""What `sweep_table` says of each point."""


def sweep_trials(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the trials of all sweeps, and which columns make a point of a sweep.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``sweep`` count.

    Returns:
        A table in an order that does not depend on the given one: the columns of a
        point, namely `workload`, `arm`, `batch_size`, then `lr` and every other setting
        that varies within some arm's sweep (NaN for a trial that was not given it), and
        `key`, `cost`, `failed`, `hit`, `contribution`, `metric` (best validation
        metric). A record that several sweeps of an arm share is one trial of a point.
        With it, the names of a point's columns.

    Raises:
        ValueError: As in `arm_passes`.
    """
    sweep = role_rows(trials, "sweep")
    varied = _varied(sweep)
    points = ["workload", "arm", "batch_size", *varied]
    given = [
        [settings.get(name, math.nan) for name in varied]
        for settings in sweep["settings"]
    ]
    kept = ["key", "cost", "failed", "hit", "contribution"]
    table = pd.DataFrame(given, columns=varied, index=sweep.index).assign(
        **{name: sweep[name] for name in (*points[:3], *kept)},
        metric=sweep["best_metric"],
    )
    once = table[[*points, *kept, "metric"]].drop_duplicates([*points, "key"])
    return once.reset_index(drop=True), points


def sweep_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Return how each swept arm did at each point of its sweep, over seeds.

    Diverged and crashed trials stay in: they count in `n`, in `failures` and as trials
    that did not hit (unless they crossed the target before), and a diverged one brings
    the best metric it had until then. ``hit_share = hits / n``, so a seed whose trial
    crashed is not dropped from it either.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``sweep`` count.

    Returns:
        One row per point, sorted by rate: `workload`, `arm`, `batch_size`, then `lr`
        and every other setting that varies within some arm's sweep (NaN for an arm that
        was not given it), then `SWEEP_COLUMNS`. `ert` is the expected bill of training
        with the point's settings, seed after seed, until the target is met
        (`expected_running_time`), in the unit of the trials; NaN where no trial met it.
        `metric_mean`, `metric_low` and `metric_high` are mean, lowest and highest of
        the best validation metric over seeds, in the metric's unit; NaN if every trial
        crashed before an evaluation.

    Raises:
        ValueError: As in `arm_passes`.
    """
    table, points = sweep_trials(trials)
    groups = table.groupby(points, dropna=False, sort=False, as_index=False)
    result = groups.agg(
        n=("hit", "size"),
        failures=("failed", "sum"),
        hits=("hit", "sum"),
        hit_share=("hit", "mean"),
        ert=("contribution", "sum"),
        metric_mean=("metric", "mean"),
        metric_low=("metric", "min"),
        metric_high=("metric", "max"),
    )
    result["ert"] /= result["hits"].where(result["hits"] > 0)
    # Other settings, which may be words, keep the order of the sweep.
    order = [*points[:3], *(name for name in points if name == "lr")]
    result = result[[*points, *SWEEP_COLUMNS]]
    return result.sort_values(order, kind="stable", ignore_index=True)


def as_numbers(values: pd.Series[Any]) -> pd.Series[float]:
    """Return the values of a setting as floats; words, flags and absence are NaN."""
    flags = values.map(lambda value: isinstance(value, bool | np.bool_))
    numbers = pd.to_numeric(values.mask(flags.astype(bool)), errors="coerce")
    return numbers.astype(float)


def _varied(sweep: pd.DataFrame) -> list[str]:
    """Return the settings that vary within some arm, `lr` first."""
    seen: dict[tuple[str, str, str], set[object]] = {}
    arms = zip(sweep["workload"], sweep["arm"], sweep["settings"], strict=True)
    for workload, arm, settings in arms:
        for name, value in settings.items():
            seen.setdefault((workload, arm, name), set()).add(value)
    names = {name for (_, _, name), values in seen.items() if len(values) > 1}
    names |= {name for _, _, name in seen if name == "lr"}
    return sorted(names, key=lambda name: (name != "lr", name))
