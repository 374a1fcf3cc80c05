"""Which runs stand for an arm, and their curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["curves_of", "winning_runs"]


def winning_runs(given: StudyTables) -> pd.DataFrame:
    """Return the trials that stand for one training of each arm.

    They are those of an arm without tuning, and a tuned one's retrained winners, or the
    winners' own trials where nothing was retrained.
    """
    records = given.records
    single = records[(records["role"] == "policy") & (records["by"] == "single")]
    retrained = records[records["role"] == "retrain"]
    parts = [single, retrained]
    known = set(zip(retrained["workload"], retrained["arm"], strict=True))
    tuned = records[(records["role"] == "policy") & (records["by"] != "single")]
    modes = {entry.name: entry.metric.mode for entry in given.study.workloads}
    for (workload, arm, _), trials in tuned.groupby(["workload", "arm", "stream"]):
        if (workload, arm) not in known:
            ascending = not Direction(modes[str(workload)]).up
            order = ["best_metric", "number"]
            ranked = trials.sort_values(order, ascending=[ascending, True])
            parts.append(ranked.head(1))
    # Streams with the same winner share its retrainings.
    return pd.concat(parts).drop_duplicates(["workload", "arm", "key"])


def curves_of(
    given: StudyTables, columns: Iterable[str]
) -> Callable[[pd.DataFrame], Iterator[pd.DataFrame]]:
    """Return a function from trials to their curves, one after the other.

    A curve ends with its trial, also where another trial that shares the record ran on.

    Args:
        given: Of the study.
        columns: That are wanted, all of them numbers, with the cost.
    """
    # A column that some rules log and others do not may have come in as objects.
    logged = given.curves[list(columns)].astype(float)
    places = given.curves.groupby("key", sort=False).indices

    @cache
    def whole(key: str) -> pd.DataFrame:
        return logged.iloc[places.get(key, [])]

    def curves(trials: pd.DataFrame) -> Iterator[pd.DataFrame]:
        for key, cost in zip(trials["key"], trials["cost"], strict=True):
            curve = whole(key)
            yield curve[curve["cost"] <= cost * (1 + 1e-12)]

    return curves
