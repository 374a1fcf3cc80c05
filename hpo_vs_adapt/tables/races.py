"""Tables of curves: races and single trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.metrics.basics.hits import finite_part
from hpo_vs_adapt.study import WorkloadEntry
from hpo_vs_adapt.tables.rows import stacked
from hpo_vs_adapt.tables.runs import curves_of, winning_runs
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["make_race", "make_training"]

Array = NDArray[np.float64]

_POINTS = 240  # of a band; a curve with fewer evaluations is kept exactly
_LOGGED = ["cost", "validation_metric"]
_BAND = ["median", "low", "high"]


@dataclass(frozen=True, slots=True)
class _Path:
    """A metric against spending, known from each point until the next.

    Args:
        cost: Spending, increasing, shape `(n,)`.
        value: Validation metric, shape `(n,)`; never NaN.
    """

    cost: Array
    value: Array

    def at(self, cost: Array) -> Array:
        """Return the value last known at each spending; NaN before the first."""
        last = np.searchsorted(self.cost, cost, side="right") - 1
        return np.where(last < 0, np.nan, self.value[np.maximum(last, 0)])


def make_race(given: StudyTables) -> pd.DataFrame:
    """Return the best metric so far against all that an arm has spent.

    A path is a seed of an arm without tuning, or a stream of a tuned arm: its trials
    one after the other, in the order in which they were asked for, all of them charged.

    Returns:
        Columns `workload, arm, cost, median, low, high, paths`: median and range over
        the paths; a path that has ended keeps its last value.
    """
    policy = given.records[given.records["role"] == "policy"]
    curves = curves_of(given, _LOGGED)

    def paths(
        entry: WorkloadEntry, rows: pd.DataFrame, worst: float
    ) -> Iterator[_Path]:
        by = "seed" if (rows["by"] == "single").all() else "stream"
        for _, path in rows.sort_values("number").groupby(by):
            yield _policy_path(path, curves, entry, worst)

    return _banded(given, policy, paths)


def make_training(given: StudyTables) -> pd.DataFrame:
    """Return the metric against the spending of one training, search left out.

    A path is a seed of an arm without tuning, or a retraining of a tuned arm's winner;
    where a study has no retraining, the winners' own trials stand in.

    Returns:
        Columns `workload, arm, cost, median, low, high, paths`; a run that diverged
        counts from there on with the worst value there is.
    """
    curves = curves_of(given, _LOGGED)

    def paths(_: WorkloadEntry, rows: pd.DataFrame, worst: float) -> Iterator[_Path]:
        for curve in curves(rows):
            if len(curve):
                value = curve["validation_metric"].to_numpy(float)
                known = np.where(np.isfinite(value), value, worst)
                yield _Path(curve["cost"].to_numpy(float), known)

    return _banded(given, winning_runs(given), paths)


def _banded(
    given: StudyTables,
    trials: pd.DataFrame,
    paths: Callable[[WorkloadEntry, pd.DataFrame, float], Iterator[_Path]],
) -> pd.DataFrame:
    tables = []
    for entry in given.study.workloads:
        worst = _worst(given, entry)
        for arm in given.study.arms:
            rows = trials[
                (trials["workload"] == entry.name) & (trials["arm"] == arm.name)
            ]
            band = _band(list(paths(entry, rows, worst)))
            tables.append(band.assign(workload=entry.name, arm=arm.name))
    return stacked(tables, ["workload", "arm", "cost", *_BAND, "paths"])


def _band(paths: list[_Path]) -> pd.DataFrame:
    costs = np.unique(np.concatenate([path.cost for path in paths] or [np.empty(0)]))
    if len(costs) > _POINTS:
        positive = costs[costs > 0]
        grid = np.geomspace(positive[0], positive[-1], _POINTS)
        # The first point and the last are exact; the others lose less than a step.
        costs = np.concatenate([costs[:1], grid[:-1], costs[-1:]])
    columns = ("cost", *_BAND, "paths")
    if not len(costs):
        return pd.DataFrame(columns=list(columns), dtype=float)
    values = np.stack([path.at(costs) for path in paths])
    known = np.isfinite(values).any(0)
    costs, values = costs[known], values[:, known]
    return pd.DataFrame(
        {
            "cost": costs,
            "median": np.nanmedian(values, 0),
            "low": np.nanmin(values, 0),
            "high": np.nanmax(values, 0),
            "paths": np.isfinite(values).sum(0),
        }
    )


def _policy_path(
    trials: pd.DataFrame,
    curves: Callable[[pd.DataFrame], Iterator[pd.DataFrame]],
    entry: WorkloadEntry,
    worst: float,
) -> _Path:
    costs: list[Array] = []
    values: list[Array] = []
    spent = 0.0
    for cost, curve in zip(trials["cost"], curves(trials), strict=True):
        costs += [spent + curve["cost"].to_numpy(float), np.array([spent + cost])]
        known = finite_part(curve["validation_metric"])
        # What follows a NaN or an infinity, a diverged run, is never the best.
        values += [known, np.full(len(curve) - len(known) + 1, worst)]
        spent += cost
    best = Direction(entry.metric.mode).running_best(np.concatenate(values))
    return _Path(np.concatenate(costs), best)


def _worst(given: StudyTables, entry: WorkloadEntry) -> float:
    """Return what a diverged run is drawn as: the worst the metric can be.

    A metric without a bound has the worst value before training in its place.
    """
    direction = Direction(entry.metric.mode)
    bound = direction.worst_end(entry.metric.low, entry.metric.high)
    if bound is not None:
        return bound
    keys = given.records.loc[given.records["workload"] == entry.name, "key"]
    start = given.curves[given.curves["key"].isin(keys) & (given.curves["step"] == 0)][
        "validation_metric"
    ].to_numpy(float)
    start = start[np.isfinite(start)]
    if not len(start):
        return 0.0
    return direction.worst(start)
