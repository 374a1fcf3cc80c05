"""The summary of a study as data: ``summary.json``, schema 1."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from hpo_vs_adapt.report.tables import make_bills
from hpo_vs_adapt.report.verdict import Verdict, make_verdicts
from hpo_vs_adapt.results import Results

__all__ = ["UNIT", "make_summary", "summarise"]

UNIT = "sample gradients"
"""What all costs are counted in."""

_COSTS = {
    "bill": "bill",
    "bill_full_plan": "full_plan",
    "cost_per_run": "cost_per_run",
}


def make_summary(results: Results) -> dict[str, Any]:
    """Return the summary of a study, schema 1: plain values, JSON-ready.

    Costs are in sample gradients; None stands where the target was never met or there
    are too few passes for an interval.
    """
    bills = make_bills(results)
    return summarise(results, bills, make_verdicts(results, bills))


def summarise(
    results: Results, bills: pd.DataFrame, verdicts: list[Verdict]
) -> dict[str, Any]:
    """Return the summary from tables that are at hand.

    Args:
        results: Of the study.
        bills: Columns `tables.BILL_COLUMNS`.
        verdicts: One for each workload.
    """
    return {
        "schema": 1,
        "study": results.study.name,
        "unit": UNIT,
        "provenance": dict(results.provenance),
        "workloads": [
            {
                "name": entry.name,
                "metric": entry.metric.name,
                "mode": entry.metric.mode,
                "target": entry.target,
                "budget": {"epochs": entry.epochs},
            }
            for entry in results.study.workloads
        ],
        "arms": [_arm(row) for row in bills.to_dict("records")],
        "verdict": [
            {"workload": verdict.workload, "sentence": verdict.sentence}
            for verdict in verdicts
        ],
    }


def _arm(row: dict[Any, Any]) -> dict[str, Any]:
    names = ("workload", "arm", "kind")
    counts = ("trials", "hits", "failures", "passes", "pass_hits")
    return {
        **{name: str(row[name]) for name in names},
        **{name: int(row[name]) for name in counts},
        **{
            name: {
                "expected": _number(row[column]),
                "low": _number(row[f"{column}_low"]),
                "high": _number(row[f"{column}_high"]),
            }
            for name, column in _COSTS.items()
        },
        "best_metric": _number(row["best_metric"]),
        "first_probability": _number(row["first_probability"]),
    }


def _number(value: float) -> float | None:
    """Return a number that JSON can hold."""
    return float(value) if math.isfinite(value) else None
