"""Tables on the searches of tuned arms: the best of k trials, early and late."""

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
    text,
)
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["best_of_k_table", "dimensions_table", "tunability_table"]

_ROLES = {"policy": "search", "sweep": "sweep"}


def best_of_k_table(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return the best of 1, 2, 4 ... trials, see `metrics.best_of_k_table`."""
    cells = {(row.arm, row.k): row for row in rows_of(table)}
    longest = int(table["k"].max()) if len(table) else 0
    shown = [2**power for power in range(longest.bit_length())]
    return PageTable(
        f"{anchor}-best-of-k",
        "Best of k trials",
        "Expected best metric of so many trials of a tuned arm, whatever they cost; a"
        " trial that failed counts with the arm's worst. In brackets the 95 % band of"
        " the median, for all k at once, where trials do not depend on each other:"
        " random search and grids.",
        "best_of_k",
        [Column("Arm", "name"), *(Column(f"k = {k}", "n") for k in shown)],
        [
            [arm_cell(arm, swatches), *(_best(cells.get((arm, k))) for k in shown)]
            for arm in dict.fromkeys(table["arm"])
        ],
    )


def _best(row: Any | None) -> Cell:
    if row is None:
        return number(wording.UNKNOWN, math.nan)
    ends = [
        wording.metric_value(end) if math.isfinite(end) else wording.UNKNOWN
        for end in (row.low, row.high)
    ]
    note = "" if math.isnan(row.median) else f"[{', '.join(ends)}]"
    return number(wording.metric_value(row.expected), row.expected, note)


def tunability_table(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return how searches do early and late, see `metrics.tunability_table`."""
    return PageTable(
        f"{anchor}-tunability",
        "Searches early and late",
        "Mean of the expected best metric over budgets of 1 trial up to all of a"
        " stream: with more weight on few trials (early), with equal weights, with more"
        " weight on many (late). Compare arms with the same number of trials.",
        "tunability",
        (
            Column("Arm", "name"),
            Column("Trials", "n", "Of one stream"),
            Column("Early", "n", "CPE of Sivaprasad et al., 2020"),
            Column("Uniform", "n", "CPU of Sivaprasad et al., 2020"),
            Column("Late", "n", "CPL of Sivaprasad et al., 2020"),
        ),
        [
            [
                arm_cell(row.arm, swatches),
                count(row.trials),
                *(
                    number(wording.metric_value(value), value)
                    for value in (row.early, row.uniform, row.late)
                ),
            ]
            for row in rows_of(table)
        ],
    )


def dimensions_table(table: pd.DataFrame, swatches: Mapping[str, Markup]) -> PageTable:
    """Return how many settings are worth tuning, see `metrics.dimension_table`.

    Arms with less than two settings, of which there is nothing to say, are left out.
    """
    several = table[table["settings"] > 1]
    return PageTable(
        "suite-dimension",
        "How many settings are worth tuning",
        "Settings that must be tuned on each workload, the others kept where they are"
        " best for all, for 95 % of the score of tuning all. A dash: why there is no"
        " such number stands below it.",
        "effective_dimension",
        (
            Column("Arm", "name"),
            Column("From", "", "Trials of its search, or of its sensitivity sweep"),
            Column("Settings", "n", "That varied"),
            Column("Workloads", "n"),
            Column("Dimension", "n", "Adkins, Bowling and White, 2024"),
            Column("Worth tuning", "code"),
            Column("Surrogate R²", "n", "Worst over workloads, for held-out settings"),
        ),
        [
            [
                arm_cell(row.arm, swatches),
                text(_ROLES[row.role]),
                count(row.settings),
                count(row.workloads),
                number(_decimals(row.dimension), row.dimension, row.note),
                text(row.needed or wording.UNKNOWN),
                number(_decimals(row.cv_score), row.cv_score),
            ]
            for row in rows_of(several)
        ],
    )


def _decimals(value: float) -> str:
    return wording.UNKNOWN if math.isnan(value) else f"{value:.2f}"
