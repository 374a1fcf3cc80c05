"""Tables over all workloads of a study: scores, pairs of arms, what was spent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from hpo_vs_adapt import wording
from hpo_vs_adapt.metrics import ALPHAS
from hpo_vs_adapt.records.ledger import Purpose
from hpo_vs_adapt.report.html.cells import (
    Cell,
    Column,
    PageTable,
    Row,
    arm_cell,
    count,
    number,
    text,
)
from hpo_vs_adapt.report.html.reached_tables import iqm_across_table
from hpo_vs_adapt.report.html.trials_section import ROLES
from hpo_vs_adapt.report.html.tuning_tables import dimensions_table
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["make_ledger_table", "make_suite_tables"]

_TOLD = [alpha for alpha in ALPHAS if alpha >= 1]
"""Budgets, in ordinary trainings, that have a column."""

_PURPOSES = {
    Purpose.TRAINING: "Training",
    Purpose.SECOND_GRADIENT: "Second gradients",
    Purpose.HELD_OUT: "Held-out gradients",
    Purpose.LINE_SEARCH: "Line searches",
    Purpose.REFRESH: "Refreshes",
    Purpose.LOST: "Lost with workers",
    Purpose.EVALUATION: "Evaluation",
}


def make_suite_tables(
    tables: Mapping[str, pd.DataFrame], swatches: Mapping[str, Markup]
) -> list[PageTable]:
    """Return the tables of all workloads together; those without a row are left out.

    Args:
        tables: Of the study, see `tables.catalogue`.
        swatches: Marker of each arm.
    """
    made = [
        _scores(tables["across_workloads"], swatches),
        _pairs(tables["improvement"], swatches),
        iqm_across_table(tables["iqm_across"], swatches),
        _plane(tables["sensitivity_plane"], swatches),
        dimensions_table(tables["effective_dimension"], swatches),
    ]
    return [table for table in made if table.rows]


def _scores(table: pd.DataFrame, swatches: Mapping[str, Markup]) -> PageTable:
    return PageTable(
        "suite-scores",
        "Arms over all workloads",
        "Score: 1 is to be the cheapest everywhere, 0 to cost at least 4 times the"
        " least bill, or to miss, everywhere; in brackets what it is if one of the"
        " others had not competed. Within b: share of workloads whose bill is at most"
        " that of b ordinary trainings.",
        "across_workloads",
        (
            Column("Arm", "name"),
            Column("Score", "n"),
            Column("Solved", "n", "Workloads whose target it met, of those it tried"),
            Column("Mean ratio", "n", "Of bills to the reference's, geometric"),
            *(Column(f"Within {alpha:g}", "n") for alpha in _TOLD),
        ),
        [_score(row, swatches) for row in rows_of(table)],
    )


def _score(row: Any, swatches: Mapping[str, Markup]) -> Row:
    shares = (getattr(row, f"within_{alpha:g}") for alpha in _TOLD)
    bounds = f"[{row.score_low:.2f}, {row.score_high:.2f}]"
    return [
        arm_cell(row.arm, swatches),
        number(f"{row.score:.2f}", row.score, bounds),
        number(f"{row.solved} of {row.tried}", row.solved),
        number(
            wording.ratio(row.mean_ratio),
            row.mean_ratio,
            f"over {row.in_how_many}" if row.in_how_many else "",
        ),
        *(number(f"{100 * share:.0f} %", share) for share in shares),
    ]


def _pairs(table: pd.DataFrame, swatches: Mapping[str, Markup]) -> PageTable:
    return PageTable(
        "suite-pairs",
        "Arm against arm",
        "Probability that a pass of the arm is cheaper than one of the other, mean over"
        " workloads. An interval that holds 50 % decides nothing.",
        "improvement",
        (
            Column("Arm", "name"),
            Column("Against", "name"),
            Column("Probability", "n"),
            Column("Workloads", "n"),
        ),
        [
            [
                arm_cell(row.arm, swatches),
                arm_cell(row.against, swatches),
                number(
                    wording.probability(row.probability),
                    row.probability,
                    "" if math.isnan(row.low) else f"[{row.low:.2f}, {row.high:.2f}]",
                ),
                count(row.workloads),
            ]
            for row in rows_of(table)
        ],
    )


def _plane(table: pd.DataFrame, swatches: Mapping[str, Markup]) -> PageTable:
    return PageTable(
        "suite-plane",
        "How good when tuned, and how much that takes",
        "Scores are normalised on each workload. Φ is what tuning on each workload"
        " brings over the one setting that is best for all: near 0, one setting does.",
        "sensitivity_plane",
        (
            Column("Arm", "name"),
            Column("Settings", "n"),
            Column("Workloads", "n"),
            Column("Tuned", "n", "Mean score with the best setting of each workload"),
            Column("One setting", "n", "Mean score with the one best for all"),
            Column("Φ", "n", "Adkins, Bowling and White, 2024"),
        ),
        [
            [
                arm_cell(row.arm, swatches),
                count(row.configurations),
                count(row.workloads),
                *(
                    number(wording.metric_value(value), value)
                    for value in (row.tuned, row.default, row.phi)
                ),
            ]
            for row in rows_of(table)
        ],
    )


def make_ledger_table(
    ledger: pd.DataFrame, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return what each arm has spent: purposes side by side, failures apart.

    Args:
        ledger: See `spending.make_ledger`.
        swatches: Marker of each arm.
    """
    purposes = [p for p in _PURPOSES if (ledger["purpose"] == p).any()]
    rows = []
    for place, own in ledger.groupby(["workload", "arm", "role"], sort=False):
        workload, arm, role = map(str, place)
        rows.append(
            [
                arm_cell(arm, swatches),
                text(workload),
                text(ROLES[role]),
                *_spent(own, purposes),
            ]
        )
    return PageTable(
        "ledger-table",
        "What each arm has spent on what",
        "In sample gradients. Only an arm's policy is in its bill, and evaluation is in"
        " none. Of failed trials: what trials that diverged or crashed had spent, which"
        " is part of the other columns.",
        "ledger",
        (
            Column("Arm", "name"),
            Column("Workload", "name"),
            Column("Role"),
            *(Column(_PURPOSES[purpose], "n") for purpose in purposes),
            Column("Of failed trials", "n"),
            Column("FLOPs", "n", "Of all but evaluation"),
            Column("Seconds", "n", "Amortised over trials that trained together"),
        ),
        rows,
    )


def _spent(own: pd.DataFrame, purposes: list[Purpose]) -> Iterator[Cell]:
    for purpose in purposes:
        yield _amount(own.loc[own["purpose"] == purpose, "cost"].sum())
    charged = own[own["purpose"] != Purpose.EVALUATION]
    yield _amount(charged.loc[charged["failed"].astype(bool), "cost"].sum())
    yield _amount(charged["flops"].sum())
    seconds = float(charged["seconds"].sum())
    yield number(f"{seconds:.3g}", seconds)


def _amount(value: float) -> Cell:
    return number(wording.amount(value), value)
