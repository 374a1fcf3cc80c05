"""Tables over all workloads of a study: scores, pairs of arms, what was spent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from hpo_vs_adapt.metrics import ALPHAS
from hpo_vs_adapt.records.ledger import Purpose
from hpo_vs_adapt.report.html.cells import (
    Cells,
    PageTable,
    Sheet,
    arms,
    number,
    numbers,
    whole,
    words,
)
from hpo_vs_adapt.report.html.trials_section import ROLES
from hpo_vs_adapt.report.html.workload_tables import reached
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import UNKNOWN, amount, metric_value, probability, ratio

__all__ = ["LEDGER", "make_suite_tables"]


def make_suite_tables(tables: Mapping[str, pd.DataFrame]) -> list[PageTable]:
    """Return the tables of all workloads together; those without a row are left out.

    Args:
        tables: Of the study, see `tables.catalogue`.
    """
    shown = (sheet.show(tables[sheet.file]) for sheet in _SUITE)
    return [table for table in shown if table.rows]


_SCORES = Sheet(
    "across_workloads",
    "suite-scores",
    "Arms over all workloads",
    "Score: 1 is to be the cheapest everywhere, 0 to cost at least 4 times the"
    " least bill, or to miss, everywhere; in brackets what it is if one of the"
    " others had not competed. Within b: share of workloads whose bill is at most"
    " that of b ordinary trainings.",
    {
        "Arm": arms(),
        "Score": numbers(
            "score",
            "{:.2f}".format,
            lambda row: f"[{row.score_low:.2f}, {row.score_high:.2f}]",
        ),
        "Solved": Cells(lambda row: number(f"{row.solved} of {row.tried}", row.solved)),
        "Mean ratio": numbers(
            "mean_ratio",
            ratio,
            lambda row: f"over {row.in_how_many}" if row.in_how_many else "",
        ),
        **{
            f"Within {alpha:g}": numbers(
                f"within_{alpha:g}", lambda share: f"{100 * share:.0f} %"
            )
            for alpha in ALPHAS
            if alpha >= 1
        },
    },
    {
        "Solved": "Workloads whose target it met, of those it tried",
        "Mean ratio": "Of bills to the reference's, geometric",
    },
)


def _bounds(row: Any) -> str:
    return "" if math.isnan(row.low) else f"[{row.low:.2f}, {row.high:.2f}]"


_PAIRS = Sheet(
    "improvement",
    "suite-pairs",
    "Arm against arm",
    "Probability that a pass of the arm is cheaper than one of the other, mean over"
    " workloads. An interval that holds 50 % decides nothing.",
    {
        "Arm": arms(),
        "Against": arms("against"),
        "Probability": numbers("probability", probability, _bounds),
        "Workloads": numbers("workloads", whole),
    },
)

_IQM = Sheet(
    "iqm_across",
    "suite-iqm",
    "What a training reaches, all workloads",
    "Interquartile mean of normalised metrics over runs and workloads: 0 is as bad"
    " as the worst 5 % of all arms' runs on a workload, 1 as good as the best 5 %."
    " No cost is in it. A dash: the arm has no runs on some workload.",
    {
        "Arm": arms(),
        "Workloads": numbers("workloads", whole),
        "Runs": numbers("runs", whole),
        "Validation": reached("best_metric"),
        "Test": reached("test_metric"),
    },
)

_PLANE = Sheet(
    "sensitivity_plane",
    "suite-plane",
    "How good when tuned, and how much that takes",
    "Scores are normalised on each workload. Φ is what tuning on each workload"
    " brings over the one setting that is best for all: near 0, one setting does.",
    {
        "Arm": arms(),
        "Settings": numbers("configurations", whole),
        "Workloads": numbers("workloads", whole),
        "Tuned": numbers("tuned", metric_value),
        "One setting": numbers("default", metric_value),
        "Φ": numbers("phi", metric_value),
    },
    {
        "Tuned": "Mean score with the best setting of each workload",
        "One setting": "Mean score with the one best for all",
        "Φ": "Adkins, Bowling and White, 2024",
    },
)

_SEARCHES = {"policy": "search", "sweep": "sweep"}


def _decimals(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.2f}"


_DIMENSIONS = Sheet(
    "effective_dimension",
    "suite-dimension",
    "How many settings are worth tuning",
    "Settings that must be tuned on each workload, the others kept where they are"
    " best for all, for 95 % of the score of tuning all. A dash: why there is no"
    " such number stands below it.",
    {
        "Arm": arms(),
        "From": words(lambda row: _SEARCHES[row.role]),
        "Settings": numbers("settings", whole),
        "Workloads": numbers("workloads", whole),
        "Dimension": numbers("dimension", _decimals, "note"),
        "Worth tuning": words(lambda row: row.needed or UNKNOWN, "code"),
        "Surrogate R²": numbers("cv_score", _decimals),
    },
    {
        "From": "Trials of its search, or of its sensitivity sweep",
        "Settings": "That varied",
        "Dimension": "Adkins, Bowling and White, 2024",
        "Surrogate R²": "Worst over workloads, for held-out settings",
    },
    # Of arms with less than two settings there is nothing to say.
    lambda table: rows_of(table[table["settings"] > 1]),
)

_SUITE = (_SCORES, _PAIRS, _IQM, _PLANE, _DIMENSIONS)

_PURPOSES = {
    Purpose.TRAINING: "Training",
    Purpose.SECOND_GRADIENT: "Second gradients",
    Purpose.HELD_OUT: "Held-out gradients",
    Purpose.LINE_SEARCH: "Line searches",
    Purpose.REFRESH: "Refreshes",
    Purpose.LOST: "Lost with workers",
    Purpose.EVALUATION: "Evaluation",
}


class _Spent(NamedTuple):
    """What an arm has spent in one role on a workload."""

    workload: str
    arm: str
    role: str
    on: Mapping[str, float]  # by purpose, in sample gradients
    failed: float  # by trials that failed, and of all trials, evaluation left out
    flops: float
    seconds: float


def _spent(ledger: pd.DataFrame) -> Iterator[_Spent]:
    for place, own in ledger.groupby(["workload", "arm", "role"], sort=False):
        workload, arm, role = map(str, place)
        costs = {
            str(p): float(c) for p, c in own.groupby("purpose")["cost"].sum().items()
        }
        charged = own[own["purpose"] != Purpose.EVALUATION]
        failed = charged.loc[charged["failed"].astype(bool), "cost"].sum()
        amounts = charged[["flops", "seconds"]].astype(float).sum()
        yield _Spent(workload, arm, role, costs, failed, *amounts)


def _by_purpose(ledger: pd.DataFrame) -> dict[str, Cells]:
    def on(purpose: Purpose) -> Cells:
        return numbers(lambda spent: spent.on.get(purpose, 0.0), amount)

    return {
        "Arm": arms(),
        "Workload": words("workload", "name"),
        "Role": words(lambda spent: ROLES[spent.role]),
        **{
            label: on(purpose)
            for purpose, label in _PURPOSES.items()
            if (ledger["purpose"] == purpose).any()
        },
        "Of failed trials": numbers("failed", amount),
        "FLOPs": numbers("flops", amount),
        "Seconds": numbers("seconds", "{:.3g}".format),
    }


LEDGER = Sheet(
    "ledger",
    "ledger-table",
    "What each arm has spent on what",
    "In sample gradients. Only an arm's policy is in its bill, and evaluation is in"
    " none. Of failed trials: what trials that diverged or crashed had spent, which"
    " is part of the other columns.",
    _by_purpose,
    {
        "FLOPs": "Of all but evaluation",
        "Seconds": "Amortised over trials that trained together",
    },
    _spent,
)
