"""Which way a tuned arm's hyperparameters pull, by a surrogate, and its worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.checks import check_least
from hpo_vs_adapt.metrics.sensitivity.forest import Forest, cross_validated
from hpo_vs_adapt.metrics.sensitivity.tunings import Tuning, tunings

__all__ = ["PARTIAL_DEPENDENCE_COLUMNS", "partial_dependence"]

PARTIAL_DEPENDENCE_COLUMNS = (
    *("workload", "arm", "hyperparameter", "value", "metric", "cv_score"),
)
"""Columns of `partial_dependence`."""


def partial_dependence(
    records: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    points: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the metric that a surrogate expects as one hyperparameter varies.

    ``metric(v) = mean_i surrogate(v, others of trial i)``. The surrogate is a random
    forest (16 trees) on the hyperparameters of an arm's trials, numbers on the scales
    of `hyperparameter_importances`, categories one-hot. Beside it stands how well the
    surrogate foretells configurations that it has not seen: where that is bad, the
    curve means nothing.

    Args:
        records: As in `hyperparameter_importances`, also what becomes of failures.
        modes: As in `hyperparameter_importances`.
        points: Values of a number, evenly spaced on its scale from the lowest to the
            highest tried, at least 2; a category has its own.
        seed: Of the forest and of the folds.

    Returns:
        Columns `PARTIAL_DEPENDENCE_COLUMNS`: `value` as it was given, `metric` in its
        unit, `cv_score` R^2 of predictions for held-out configurations in 5 folds (1:
        perfect, 0: no better than the mean, may be negative; NaN with fewer than 4
        configurations). No rows for an arm of which `hyperparameter_importances` says
        nothing, nor for a hyperparameter with a single value.

    Raises:
        ValueError: As in `arm_passes`, or if `points` is below 2.

    Partial dependence: Friedman, "Greedy Function Approximation", Annals of Statistics
    2001, section 8.2.
    """
    check_least("points", points, 2)
    rows: list[tuple[Any, ...]] = []
    for tuning in tunings(records, modes or {}):
        if tuning.axes:
            rows += _dependence(tuning, points, seed)
    return pd.DataFrame(rows, columns=list(PARTIAL_DEPENDENCE_COLUMNS))


def _dependence(tuning: Tuning, points: int, seed: int) -> list[tuple[Any, ...]]:
    columns = np.hstack([axis.columns for axis in tuning.axes])
    score = cross_validated(columns, tuning.metric, seed)
    forest = Forest(columns, tuning.metric, seed)
    labels: list[tuple[str, Any]] = []
    tried: list[NDArray[np.float64]] = []
    start = 0
    for axis in tuning.axes:
        stop = start + axis.columns.shape[1]
        values, places = axis.candidates(points)
        changed = np.repeat(columns[None], len(values), axis=0)
        changed[:, :, start:stop] = places[:, None, :]
        tried.append(changed)
        labels += [(axis.name, value) for value in values]
        start = stop
    every = np.concatenate(tried)
    expected = forest(every.reshape(-1, columns.shape[1]))
    means = expected.reshape(every.shape[:2]).mean(axis=1)
    return [
        (tuning.workload, tuning.arm, *label, float(mean), score)
        for label, mean in zip(labels, means, strict=True)
    ]
