"""The summary of a study as data: ``summary.json``, schema 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.report.sentences.verdict import make_verdicts
from hpo_vs_adapt.tables.catalogue import CATALOGUE, Tables

__all__ = ["UNIT", "make_summary"]

UNIT = "sample gradients"
"""What all costs are counted in."""

_COSTS = {
    "bill": "bill",
    "bill_full_plan": "full_plan",
    "cost_per_run": "cost_per_run",
}

_OF_RANKING = (
    *("rank", "rank_low", "rank_high"),
    *("defaults_from", "defaults_trials", "space_from", "space_trials"),
)


def make_summary(tables: Tables) -> dict[str, Any]:
    """Return the summary of a study, schema 1: plain values, JSON-ready.

    Costs are in sample gradients; None stands where the target was never met or there
    are too few passes for an interval. The lists after `arms` are the rows of the
    tables of these names; None is there what is not known, and the text ``inf`` what is
    infinite: JSON has no number for it. Tables of curves are in ``tables/`` alone.
    """
    given = tables.given
    ranks = tables["ranking"].set_index(["workload", "arm"])
    arms = tables["bills"].join(ranks[list(_OF_RANKING)], on=["workload", "arm"])
    return {
        "schema": 1,
        "study": given.study.name,
        "unit": UNIT,
        "provenance": dict(given.provenance),
        "workloads": [
            {
                "name": entry.name,
                "metric": entry.metric.name,
                "mode": entry.metric.mode,
                "target": entry.target,
                "budget": {"epochs": entry.epochs},
            }
            for entry in given.study.workloads
        ],
        "arms": [_arm(row) for row in arms.to_dict("records")],
        "verdict": [
            {"workload": verdict.workload, "sentence": verdict.sentence}
            for verdict in make_verdicts(given.study, tables)
        ],
        **{name: _rows(tables[name]) for name in tables if CATALOGUE[name].listed},
    }


def _arm(row: dict[Any, Any]) -> dict[str, Any]:
    names = ("workload", "arm", "kind")
    counts = ("trials", "hits", "failures", "passes", "pass_hits")
    return {
        **{name: str(row[name]) for name in names},
        **{name: int(row[name]) for name in counts},
        **{name: _estimate(row, column) for name, column in _COSTS.items()},
        "best_metric": _number(row["best_metric"]),
        "first_probability": _number(row["first_probability"]),
        "interval_note": row["interval_note"],
        "planned": int(row["planned"]),
        "calibration": _number(row["calibration"]),
        "ratio": _estimate(row, "ratio"),
        "bill_all_trials": _estimate(row, "all_trials"),
        **{name: _plain(row[name]) for name in _OF_RANKING},
    }


def _estimate(row: dict[Any, Any], column: str) -> dict[str, float | None]:
    ends = {"expected": "", "low": "_low", "high": "_high"}
    return {name: _number(row[f"{column}{end}"]) for name, end in ends.items()}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON can hold them."""
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: float) -> float | None:
    """Return a number that JSON can hold."""
    return float(value) if math.isfinite(value) else None
