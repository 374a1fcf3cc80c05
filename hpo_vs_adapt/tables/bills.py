"""The table of arms: what each costs on each workload, and what stands beside it."""

from __future__ import annotations

import math

import pandas as pd

from hpo_vs_adapt.metrics import arm_bills, interval_note, reference_ratios
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["BILL_COLUMNS", "make_bills"]

_COUNTS = ("trials", "hits", "failures", "passes", "pass_hits")
_COSTS = ("bill", "full_plan", "all_trials", "cost_per_run")

BILL_COLUMNS = (
    "workload",
    "arm",
    "kind",
    *_COUNTS,
    *(f"{cost}{end}" for cost in _COSTS for end in ("", "_low", "_high")),
    "best_metric",
    "first_probability",
    "ratio",  # of the bill to the reference arm's
    "ratio_low",
    "ratio_high",
    "planned",  # policy trials
    "final_metric",  # at the end of a run with the settings found, mean over runs
    "final_sd",  # failed runs left out of both
    "calibration",  # what choosing the arm's settings once had cost; in no bill
    "interval_note",  # how to read the bill's interval where passes are few; or empty
)
"""Columns of the table of arms, one row per workload and arm."""


def make_bills(given: StudyTables, failure_price: float) -> pd.DataFrame:
    """Return one row per workload and arm of the study, columns `BILL_COLUMNS`.

    An arm without a finished trial has zeros for its counts and NaN elsewhere.

    Args:
        given: Of the study.
        failure_price: Share of its cost that a trial that misses is charged.
    """
    study, records = given.study, given.records
    rows = pd.MultiIndex.from_product(
        [[entry.name for entry in study.workloads], [arm.name for arm in study.arms]],
        names=["workload", "arm"],
    )
    index = ["workload", "arm"]
    bills = arm_bills(
        records,
        given.progress,
        kinds={arm.name: arm.kind for arm in study.arms},
        modes=given.modes,
        failure_price=failure_price,
    )
    table = bills.set_index(index).reindex(rows)
    table["kind"] = [arm.kind for arm in study.arms] * len(study.workloads)
    table[list(_COUNTS)] = table[list(_COUNTS)].fillna(0).astype(int)
    ratios = None
    if study.reference:
        ratios = reference_ratios(records, study.reference, failure_price=failure_price)
    for column, source in (
        ("ratio", "ratio"),
        ("ratio_low", "low"),
        ("ratio_high", "high"),
    ):
        table[column] = (
            float("nan")
            if ratios is None
            else ratios.set_index(index)[source].reindex(rows)
        )
    table["planned"] = _planned(given).reindex(rows, fill_value=0)
    final = _final(records).reindex(rows)
    table["final_metric"], table["final_sd"] = final["mean"], final["std"]
    costs = [
        arm.calibration.cost if arm.calibration else math.nan for arm in study.arms
    ]
    table["calibration"] = costs * len(study.workloads)
    passes = zip(table["passes"], table["pass_hits"], strict=True)
    table["interval_note"] = [
        interval_note(n, hits) or "" if n else "" for n, hits in passes
    ]
    return table.reset_index()[list(BILL_COLUMNS)]


def _final(records: pd.DataFrame) -> pd.DataFrame:
    """Return mean and deviation of the last validation metric over an arm's runs.

    Its runs are those of an arm without tuning, or a tuned one's retrained winners.
    """
    alone = (records["role"] == "policy") & (records["by"] == "single")
    runs = records[(alone | (records["role"] == "retrain")) & ~records["failed"]]
    runs = runs.astype({"final_metric": float})
    return runs.groupby(["workload", "arm"])["final_metric"].agg(["mean", "std"])


def _planned(given: StudyTables) -> pd.Series[int]:
    policy = given.progress[given.progress["role"] == "policy"]
    return policy.set_index(["workload", "arm"])["planned"].astype(int)
