"""The target sweep as a table that the reader moves from target to target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt import wording
from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.study import WorkloadEntry
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["TargetControl", "make_target_control"]


@dataclass(frozen=True, slots=True)
class TargetControl:
    """Bills and ranks at every target of a workload.

    Args:
        anchor: Its id in the page.
        labels: The targets in words, from easy to hard.
        start: Which of them is the study's own, or comes closest.
        arms: In the order of the study.
        cells: For each target, for each arm: bill, interval, rank, P(first), passes
            that met it, then where bill and interval lie on the axis, from 0 to 1,
            or None.
        ends: Least and greatest cost on the axis, in words.
    """

    anchor: str
    labels: list[str]
    start: int
    arms: list[str]
    cells: list[list[list[Any]]]
    ends: tuple[str, str]


def make_target_control(
    entry: WorkloadEntry,
    anchor: str,
    sweep: pd.DataFrame,
    arms: Sequence[str],
) -> TargetControl | None:
    """Return the control, or None where nobody has met any target.

    Args:
        entry: The workload.
        anchor: Id in the page.
        sweep: Columns `metrics.TARGET_SWEEP_COLUMNS`, of this workload.
        arms: Of the study, in its order.
    """
    known = sweep[["bill", "low", "high"]].to_numpy(float)
    known = known[np.isfinite(known) & (known > 0)]
    if not len(known):
        return None
    # The bounds of few hits reach far: the axis holds the bills, and cuts those off.
    bills = sweep["bill"][sweep["bill"] > 0]
    least, most = float(bills.min()) / 2, float(bills.max()) * 2
    targets = list(dict.fromkeys(sweep["target"]))
    present = set(sweep["arm"])
    arms = [arm for arm in arms if arm in present]
    goal = f"{entry.metric.name} {Direction(entry.metric.mode).relation}"
    at = {(row.target, row.arm): row for row in rows_of(sweep)}
    return TargetControl(
        anchor=anchor,
        labels=[f"{goal} {target:.4g}" for target in targets],
        start=int(np.argmin([abs(target - entry.target) for target in targets])),
        arms=arms,
        cells=[
            [_cells(at[target, arm], least, most) for arm in arms] for target in targets
        ],
        ends=(wording.amount(least), wording.amount(most)),
    )


def _cells(row: Any, least: float, most: float) -> list[Any]:
    if row.censored:
        bill = "not known"
    elif math.isnan(row.bill):
        bill = "never met"
    else:
        bill = wording.amount(row.bill)
    return [
        bill,
        wording.interval(row.low, row.high),
        wording.UNKNOWN if math.isnan(row.rank) else f"{row.rank:.0f}",
        wording.probability(row.first_probability),
        f"{row.pass_hits} of {row.passes}",
        *(_place(value, least, most) for value in (row.bill, row.low, row.high)),
    ]


def _place(cost: float, least: float, most: float) -> float | None:
    """Return where a cost lies on the logarithmic axis, cut off at its ends."""
    if not cost > 0:
        return None
    inside = min(max(cost, least), most)
    return round(math.log(inside / least) / math.log(most / least), 3)
