"""The table of a workload's arms, with its costs in both units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hpo_vs_adapt import wording
from hpo_vs_adapt.report.sentences.verdict import SURE
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["ArmRow", "InUnits", "flops_per_gradient", "make_arm_rows"]


@dataclass(frozen=True, slots=True)
class InUnits:
    """A cost as it is shown.

    Args:
        cost: In sample gradients.
        flops: In FLOPs; the same text where there is no number.
        value: What it is sorted by; empty: unknown.
    """

    cost: str
    flops: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class ArmRow:
    """An arm in the table of a workload: every cell as it is shown."""

    arm: str
    kind: str
    cheapest: bool
    trials: str
    hits: int
    passes: str
    failures: int
    bill: InUnits
    bill_interval: InUnits
    calibration: InUnits
    ratio: str
    ratio_interval: str
    ratio_value: str
    full_plan: InUnits
    cost_per_run: InUnits
    best_metric: str
    best_value: str
    final_metric: str
    final_sd: str
    final_value: str
    chance: str
    share: float


def flops_per_gradient(trials: pd.DataFrame) -> float:
    """Return what a sample gradient costs on a workload in FLOPs; NaN without trials.

    It is the same for every trial of a workload, so their sums tell it.
    """
    cost = float(trials["cost"].sum())
    return float(trials["flops"].sum()) / cost if cost > 0 else math.nan


def make_arm_rows(bills: pd.DataFrame, flops: float) -> list[ArmRow]:
    """Return a workload's arms, the cheapest first.

    Args:
        bills: Columns `bills.BILL_COLUMNS`, of one workload.
        flops: Of a sample gradient.
    """
    order = bills.sort_values("bill", kind="stable", na_position="last")
    return [_row(row, flops) for row in rows_of(order)]


def _row(row: Any, flops: float) -> ArmRow:
    met = math.isfinite(row.bill)
    chance = row.first_probability
    never = wording.why_no_bill(row)
    return ArmRow(
        arm=row.arm,
        kind=row.kind,
        cheapest=chance >= SURE and row.trials >= row.planned,
        trials=(
            f"{row.trials}"
            if row.trials >= row.planned
            else f"{row.trials} of {row.planned}"
        ),
        hits=row.hits,
        passes=(
            f"{row.pass_hits} of {wording.counted(row.passes, 'pass')}"
            if row.passes != row.trials
            else ""
        ),
        failures=row.failures,
        bill=_amounts(row.bill, flops) if met else InUnits(never, never),
        bill_interval=InUnits(
            wording.interval(row.bill_low, row.bill_high),
            wording.interval(row.bill_low * flops, row.bill_high * flops),
        ),
        calibration=(
            InUnits(
                f"+ {wording.amount(row.calibration)} once",
                f"+ {wording.amount(row.calibration * flops)} once",
            )
            if row.calibration > 0
            else InUnits("", "")
        ),
        ratio=f"{wording.ratio(row.ratio)}\N{MULTIPLICATION SIGN}"
        if math.isfinite(row.ratio)
        else wording.UNKNOWN,
        ratio_interval=(
            f"[{wording.ratio(row.ratio_low)}, {wording.ratio(row.ratio_high)}]"
            if row.ratio_low < row.ratio_high
            else ""
        ),
        ratio_value=_sorted_by(row.ratio),
        full_plan=_amounts(row.full_plan if row.kind == "tuned" else math.nan, flops),
        cost_per_run=_amounts(row.cost_per_run, flops),
        best_metric=wording.metric_value(row.best_metric),
        best_value=_sorted_by(row.best_metric),
        final_metric=wording.metric_value(row.final_metric),
        final_sd=(
            f"± {wording.metric_value(row.final_sd)}" if row.final_sd > 0 else ""
        ),
        final_value=_sorted_by(row.final_metric),
        chance=wording.probability(chance),
        share=0 if math.isnan(chance) else round(chance, 3),
    )


def _amounts(cost: float, flops: float) -> InUnits:
    return InUnits(wording.amount(cost), wording.amount(cost * flops), _sorted_by(cost))


def _sorted_by(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
