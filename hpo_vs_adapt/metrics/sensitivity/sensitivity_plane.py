"""Every swept arm in one plane: how good it is when tuned, how much that takes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.scores import normalised_scores
from hpo_vs_adapt.metrics.sensitivity.hyperparameters import hyperparameter_sensitivity
from hpo_vs_adapt.metrics.sensitivity.sweeps import sweep_trials

__all__ = ["PLANE_COLUMNS", "adkins_plane"]

PLANE_COLUMNS = ("arm", "configurations", "workloads", "phi", "tuned", "default")
"""Columns of `adkins_plane`."""


def adkins_plane(
    records: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    batch_sizes: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Return each swept arm's sensitivity beside how well it does when it is tuned.

    A score is the best validation metric of a trial (its sign turned where low is
    good), normalised on each workload by the 5th and 95th percentile of the sweeps of
    all arms there, so that a further arm changes all scores a little; then the mean
    over seeds. A trial that crashed before an evaluation has the worst score of its
    workload.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``sweep`` count.
        modes: Mode of each workload's metric, ``max`` where it is not named.
        batch_sizes: Each workload's own batch size: trials with others are left out,
            though not from the percentiles. None: an arm's batch sizes are settings
            like others, if it has several.

    Returns:
        Columns `PLANE_COLUMNS`, one row per swept arm, sorted: the number of
        configurations (swept settings) that were run on every workload where the arm
        was swept, the number of these workloads, and `hyperparameter_sensitivity`,
        without unit. The last three are NaN unless that is every workload that has
        sweeps, there are at least two of them, and two configurations.

    Raises:
        ValueError: As in `arm_passes`.

    Performance-sensitivity plane: Adkins, Bowling & White, 2024 (arXiv 2412.07165).
    """
    trials, points = sweep_trials(records)
    trials = trials.assign(score=normalised_scores(trials, modes or {}))
    everywhere = trials["workload"].nunique()
    if batch_sizes is not None:
        own_size = trials["workload"].map(dict(batch_sizes))
        trials = trials[trials["batch_size"] == own_size]
    rows = []
    for arm, own in trials.groupby("arm", sort=True):
        several = own.groupby("workload")["batch_size"].nunique().max() > 1
        sized = several and batch_sizes is None
        names = points[2:] if sized else points[3:]
        # Values may be words, and missing ones are equal: compare what they print.
        text = list(map(repr, own[["arm", *names]].itertuples(index=False, name=None)))
        grid = own["score"].groupby([np.array(text), own["workload"]]).mean()
        table = grid.unstack().dropna()
        measures = (math.nan, math.nan, math.nan)
        if len(table) > 1 and table.shape[1] == everywhere > 1:
            measures = hyperparameter_sensitivity(table)
        rows.append((arm, *table.shape, *measures))
    return pd.DataFrame(rows, columns=list(PLANE_COLUMNS))
