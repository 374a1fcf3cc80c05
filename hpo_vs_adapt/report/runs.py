"""Which runs stand for an arm, and their curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import pandas as pd

from hpo_vs_adapt.results import Results

__all__ = ["curves_by_key", "cut_curve", "winning_runs"]


def winning_runs(results: Results) -> pd.DataFrame:
    """Return the trials that stand for one training of each arm.

    They are those of an arm without tuning, and a tuned one's retrained winners, or the
    winners' own trials where nothing was retrained.
    """
    records = results.records
    single = records[(records["role"] == "policy") & (records["by"] == "single")]
    retrained = records[records["role"] == "retrain"]
    parts = [single, retrained]
    known = set(zip(retrained["workload"], retrained["arm"], strict=True))
    tuned = records[(records["role"] == "policy") & (records["by"] != "single")]
    modes = {entry.name: entry.metric.mode for entry in results.study.workloads}
    for (workload, arm, _), trials in tuned.groupby(["workload", "arm", "stream"]):
        if (workload, arm) not in known:
            ascending = modes[str(workload)] == "min"
            order = ["best_metric", "number"]
            ranked = trials.sort_values(order, ascending=[ascending, True])
            parts.append(ranked.head(1))
    # Streams with the same winner share its retrainings.
    return pd.concat(parts).drop_duplicates(["workload", "arm", "key"])


def curves_by_key(
    results: Results, columns: Iterable[str]
) -> Callable[[str], pd.DataFrame]:
    """Return a look-up of curves by record key.

    Args:
        results: Of the study.
        columns: That are wanted, all of them numbers.
    """
    # A column that some rules log and others do not may have come in as objects.
    logged = results.curves[list(columns)].astype(float)
    places = results.curves.groupby("key", sort=False).indices

    @cache
    def curve(key: str) -> pd.DataFrame:
        return logged.iloc[places.get(key, [])]

    return curve


def cut_curve(curve: pd.DataFrame, cost: float) -> pd.DataFrame:
    """Leave off what a shared record ran beyond its trial's end."""
    return curve[curve["cost"] <= cost * (1 + 1e-12)]
