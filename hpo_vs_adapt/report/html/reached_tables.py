"""Tables on single trainings: what they reach, and what they cost up to a horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from hpo_vs_adapt import wording
from hpo_vs_adapt.report.html.cells import (
    Cell,
    Column,
    PageTable,
    arm_cell,
    count,
    number,
    percent,
    text,
)
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["iqm_across_table", "iqm_table", "restricted_means_table"]

_FROM = {
    "seeds": "seeds",
    "retrains": "winners again",
    "winners": "winners",
}


def iqm_table(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return what trainings reach, see `metrics.iqm_table`."""
    return PageTable(
        f"{anchor}-iqm",
        "What a training reaches",
        "Interquartile mean of the best validation metric, and of the test metric at"
        " that evaluation, over seeds, or over the winners of tuned arms; failed runs"
        " count with what they had reached. 95 % intervals over seeds or streams; of 3"
        " or 5 they are too narrow.",
        "iqm",
        (
            Column("Arm", "name"),
            Column("Over", "", "Winners again: with seeds that did not choose them"),
            Column("Runs", "n"),
            Column("Validation", "n"),
            Column("Test", "n"),
        ),
        [
            [
                arm_cell(row.arm, swatches),
                text(_FROM[row.runs_are]),
                count(row.runs),
                *_means(row),
            ]
            for row in rows_of(table)
        ],
    )


def iqm_across_table(table: pd.DataFrame, swatches: Mapping[str, Markup]) -> PageTable:
    """Return what trainings reach on all workloads, see `metrics.iqm_across`."""
    return PageTable(
        "suite-iqm",
        "What a training reaches, all workloads",
        "Interquartile mean of normalised metrics over runs and workloads: 0 is as bad"
        " as the worst 5 % of all arms' runs on a workload, 1 as good as the best 5 %."
        " No cost is in it. A dash: the arm has no runs on some workload.",
        "iqm_across",
        (
            Column("Arm", "name"),
            Column("Workloads", "n"),
            Column("Runs", "n"),
            Column("Validation", "n"),
            Column("Test", "n"),
        ),
        [
            [
                arm_cell(row.arm, swatches),
                count(row.workloads),
                count(row.runs),
                *_means(row),
            ]
            for row in rows_of(table)
        ],
    )


def _means(row: Any) -> list[Cell]:
    cells = []
    for name in ("best_metric", "test_metric"):
        value, low, high = (
            getattr(row, f"{name}{end}") for end in ("", "_low", "_high")
        )
        note = ""
        if low < high:
            ends = wording.metric_value(low), wording.metric_value(high)
            note = f"[{', '.join(ends)}]"
        cells.append(number(wording.metric_value(value), value, note))
    return cells


def restricted_means_table(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return what a trial costs up to one training, `metrics.restricted_mean_table`."""
    horizon = float(table["horizon"].max()) if len(table) else math.nan
    return PageTable(
        f"{anchor}-restricted",
        "One trial, ended at the target or after one ordinary training",
        f"What a trial of the arm costs on average that ends when it meets the target,"
        f" and at {wording.amount(horizon)} sample gradients otherwise: a trial that"
        " diverged earlier costs that as well, for it never brings the target. Trials"
        " of tuned arms are those of their search, good and bad settings alike.",
        "restricted_means",
        (
            Column("Arm", "name"),
            Column("Trials", "n"),
            Column("Failures", "n"),
            Column("Met by then", "n"),
            Column("Mean cost", "n", "Restricted mean, with 95 % interval"),
        ),
        [
            [
                arm_cell(row.arm, swatches),
                count(row.trials),
                count(row.failures),
                percent(row.met),
                number(
                    wording.amount(row.restricted_mean),
                    row.restricted_mean,
                    "" if math.isnan(row.low) else wording.interval(row.low, row.high),
                ),
            ]
            for row in rows_of(table)
        ],
    )
