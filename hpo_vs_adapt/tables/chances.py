"""The probability that an arm has met the target by what it has spent."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics import arm_passes, survival

__all__ = ["CHANCE_COLUMNS", "make_chances"]

CHANCE_COLUMNS = ("workload", "arm", "cost", "probability", "low", "high")
"""Columns of `make_chances`; `cost` in the unit of the trials."""


def make_chances(trials: pd.DataFrame, progress: pd.DataFrame) -> pd.DataFrame:
    """Return the probability that one pass of each arm has met the target, by cost.

    One minus the Kaplan-Meier estimate over passes (`metrics.survival`). A pass that
    missed never hits; while trials of the arm are missing it may still, and counts up
    to what it has spent.

    Args:
        trials: One row a trial of a stream, columns as in `StudyTables.records`.
        progress: Columns `PROGRESS_COLUMNS`.

    Returns:
        Columns `CHANCE_COLUMNS`, by rising cost, a probability holding until the next
        row: from 0 at cost 0 to what the dearest pass has spent. `low` and `high` are
        95 % bounds at each cost by itself; NaN where nothing has ended.
    """
    policy = progress[progress["role"] == "policy"]
    open_ = policy[policy["done"] < policy["planned"]]
    unfinished = set(zip(open_["workload"], open_["arm"], strict=True))
    parts = []
    groups = arm_passes(trials).groupby(["workload", "arm"], sort=False)
    for (workload, arm), passes in groups:
        found = _met_by(passes, (workload, arm) in unfinished)
        parts.append(found.assign(workload=str(workload), arm=str(arm)))
    if not parts:
        return pd.DataFrame(columns=list(CHANCE_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(CHANCE_COLUMNS)]


def _met_by(passes: pd.DataFrame, unfinished: bool) -> pd.DataFrame:
    cost = passes["cost"].to_numpy(float)
    hit = passes["hit"].to_numpy(bool)
    ended = cost if unfinished else np.where(hit, cost, math.inf)
    curve = survival(ended, hit)
    start = pd.DataFrame([(0.0, 0.0, math.nan, math.nan)])
    known = curve.assign(
        probability=1 - curve["survival"],
        bottom=1 - curve["high"],
        top=1 - curve["low"],
    )[["cost", "probability", "bottom", "top"]]
    names = ["cost", "probability", "low", "high"]
    rows = np.vstack([start.to_numpy(float), known.to_numpy(float)])
    if cost.max() > rows[-1, 0]:
        rows = np.vstack([rows, [cost.max(), *rows[-1, 1:]]])
    return pd.DataFrame(rows, columns=names)
