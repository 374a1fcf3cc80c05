"""Records as they would read had the target been another one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.crossings import RecordCurves, record_curves

__all__ = ["at_level", "checked_targets", "retarget"]


def retarget(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    targets: Mapping[str, float],
    modes: Mapping[str, str],
    sustained: int = 2,
) -> pd.DataFrame:
    """Return the records as they would read had `targets` been the targets.

    Crossings are those of `target_crossing`, of every record's own part of its curve:
    a trial may share its record with one that ran on. A value that is not finite ends a
    curve: no crossing follows. Work lost with a worker (`lost`, 0 without that column)
    came before any crossing and is added to it. Nothing is trained and no tuner is
    asked again: the trials are those of the study. That is exact unless a tuner was
    told of the target (``objective: cost``); its trials were chosen for the study's.

    A trial that ended because it met the study's target (``end`` is ``target``) would
    end at its new crossing, which is its new `cost`. Where it would not have met a
    harder target by then, the rest of its curve is known only if it shares its record
    with a trial that ran on; if not, the row is marked `censored`. It reads as a miss
    that costs what it spent, which is neither its hit nor its cost: a bill that counts
    it is unknown.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; `lost` in
            the unit of `cost`, if it is there.
        curves: One row an evaluation, columns as in `Results.curves`.
        targets: Validation metric to reach on each workload of `records`; equality
            meets it.
        modes: ``max`` or ``min`` for each workload of `records`.
        sustained: Evaluations in a row that `sustained_cost` asks for.

    Returns:
        `records`, in the given order, with new `hit`, `cost`, `cost_to_target`,
        `sustained_cost` and `cost_before_target` and the column `censored`. A record
        without a curve, which crashed before its first evaluation, is a miss.

    Raises:
        ValueError: If a column, a target or a mode is missing, a target is NaN, a cost
            is not finite, a curve has a step twice or costs that fall, a record that
            hit has no curve, or `sustained` is below 1.
    """
    paths = record_curves(records, curves, modes, sustained)
    known = checked_targets(records["workload"], targets)
    level = records["workload"].map(known).to_numpy(dtype=float)
    return at_level(records, paths, paths.sign * level)


def checked_targets(
    workloads: pd.Series, targets: Mapping[str, float]
) -> dict[str, float]:
    """Return the target of each workload.

    Raises:
        ValueError: If one has none, or NaN.
    """
    for workload in pd.unique(workloads):
        target = targets.get(workload)
        if target is None or math.isnan(target):
            raise ValueError(
                "`targets` must have a number for every workload; "
                f"got {target!r} for {workload!r}."
            )
    return {str(workload): float(targets[workload]) for workload in workloads.unique()}


def at_level(
    records: pd.DataFrame, paths: RecordCurves, level: NDArray[np.float64]
) -> pd.DataFrame:
    """Return records as `retarget` does, their curves and targets found already.

    Args:
        records: As in `retarget`.
        paths: Their curves.
        level: Target of each record times its `sign`, shape `(n,)`.
    """
    at, found = paths.first(level)
    lasting, in_a_row = paths.first(level, in_a_row=True)
    before = np.where(found, at, paths.stop) - 1
    ended = records["end"].to_numpy() == "target"
    spent = np.where(paths.extended, paths.cost_at(paths.stop - 1), paths.limit)
    first = np.where(found, paths.cost_at(at), np.inf)
    return records.assign(
        hit=found,
        cost=np.where(ended & found, first, spent),
        cost_to_target=first,
        sustained_cost=np.where(in_a_row, paths.cost_at(lasting), np.inf),
        cost_before_target=np.where(
            before < paths.start, paths.lost, paths.cost_at(before)
        ),
        censored=ended & ~found & ~paths.extended,
    )
