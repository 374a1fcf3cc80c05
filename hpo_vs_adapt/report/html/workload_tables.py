"""Tables of one workload: ranking, single trainings, searches, break-even."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from hpo_vs_adapt.report.html.cells import (
    Cell,
    Cells,
    PageTable,
    Sheet,
    arms,
    number,
    numbers,
    percent,
    whole,
    words,
)
from hpo_vs_adapt.report.html.sensitivity_tables import SENSITIVITY
from hpo_vs_adapt.tables.rows import of_workload, rows_of
from hpo_vs_adapt.wording import (
    UNKNOWN,
    amount,
    interval,
    metric_value,
    probability,
    ratio,
)

__all__ = ["make_workload_tables", "reached"]


def make_workload_tables(
    tables: Mapping[str, pd.DataFrame], workload: str, anchor: str
) -> dict[str, list[PageTable]]:
    """Return the tables of a workload by the topic that they belong to.

    Args:
        tables: Of the study, see `tables.catalogue`.
        workload: Label in the study.
        anchor: Of the workload in the page.
    """

    def shown(sheet: Sheet) -> PageTable:
        table = tables[sheet.file]
        return sheet.show(of_workload(table, workload), anchor)

    return {
        topic: [table for table in map(shown, sheets) if table.rows]
        for topic, sheets in _TOPICS.items()
    }


def _ranks(row: Any) -> str:
    if math.isnan(row.rank_low):
        return ""
    return f"[{row.rank_low:.0f}, {row.rank_high:.0f}]"


def _interval(row: Any) -> str:
    return interval(row.low, row.high)


_RANKING = Sheet(
    "ranking",
    "ranking",
    "Ranking, and the tuning that no bill has",
    "Arms whose rank intervals overlap may change places. Trials that somebody"
    " trained to find an arm's defaults or its search space are in no bill; where a"
    " dash stands they are not known, which is not none.",
    {
        "Arm": arms(),
        "Rank": numbers("rank", whole, _ranks),
        "Bill, sample gradients": numbers("bill", amount, _interval),
        "P(first)": numbers("first_probability", probability),
        "Defaults from": words("defaults_from"),
        "Trials for them": numbers("defaults_trials", whole),
        "Search space from": words(lambda row: row.space_from or UNKNOWN),
        "Trials for it": numbers(
            lambda row: row.space_trials if row.kind == "tuned" else math.nan, whole
        ),
    },
    {
        "Rank": "By its bill; in brackets between which ranks it lies",
        "Defaults from": "Who found the settings that it starts with",
        "Trials for them": "Trained before this study, in no bill",
        "Search space from": "Who chose it, for tuned arms",
        "Trials for it": "Trained before this study, in no bill",
    },
)


def _up_to_one_training(table: pd.DataFrame) -> str:
    horizon = float(table["horizon"].max()) if len(table) else math.nan
    return (
        "What a trial of the arm costs on average that ends when it meets the target,"
        f" and at {amount(horizon)} sample gradients otherwise: a trial that"
        " diverged earlier costs that as well, for it never brings the target. Trials"
        " of tuned arms are those of their search, good and bad settings alike."
    )


_RESTRICTED = Sheet(
    "restricted_means",
    "restricted",
    "One trial, ended at the target or after one ordinary training",
    _up_to_one_training,
    {
        "Arm": arms(),
        "Trials": numbers("trials", whole),
        "Failures": numbers("failures", whole),
        "Met by then": numbers("met", percent),
        "Mean cost": numbers("restricted_mean", amount, _interval),
    },
    {"Mean cost": "Restricted mean, with 95 % interval"},
)


def reached(name: str) -> Cells:
    """Return cells of what trainings reach, with intervals."""

    def bounds(row: Any) -> str:
        low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
        return f"[{metric_value(low)}, {metric_value(high)}]" if low < high else ""

    return numbers(name, metric_value, bounds)


_FROM = {"seeds": "seeds", "retrains": "winners again", "winners": "winners"}

_IQM = Sheet(
    "iqm",
    "iqm",
    "What a training reaches",
    "Interquartile mean of the best validation metric, and of the test metric at"
    " that evaluation, over seeds, or over the winners of tuned arms; failed runs"
    " count with what they had reached. 95 % intervals over seeds or streams; of 3"
    " or 5 they are too narrow.",
    {
        "Arm": arms(),
        "Over": words(lambda row: _FROM[row.runs_are]),
        "Runs": numbers("runs", whole),
        "Validation": reached("best_metric"),
        "Test": reached("test_metric"),
    },
    {"Over": "Winners again: with seeds that did not choose them"},
)


class _Searched(NamedTuple):
    """An arm's rows of the best of k trials, by k."""

    arm: str
    of: dict[int, Any]


def _searched(table: pd.DataFrame) -> Iterator[_Searched]:
    for arm, own in table.groupby("arm", sort=False):
        yield _Searched(str(arm), {row.k: row for row in rows_of(own)})


def _best_of(k: int) -> Cells:
    def cell(arm: _Searched) -> Cell:
        row = arm.of.get(k)
        if row is None:
            return number(UNKNOWN, math.nan)
        ends = (
            metric_value(end) if math.isfinite(end) else UNKNOWN
            for end in (row.low, row.high)
        )
        note = "" if math.isnan(row.median) else f"[{', '.join(ends)}]"
        return number(metric_value(row.expected), row.expected, note)

    return Cells(cell)


def _powers_of_two(table: pd.DataFrame) -> dict[str, Cells]:
    longest = int(table["k"].max()) if len(table) else 0
    powers = (2**power for power in range(longest.bit_length()))
    return {"Arm": arms(), **{f"k = {k}": _best_of(k) for k in powers}}


_BEST_OF_K = Sheet(
    "best_of_k",
    "best-of-k",
    "Best of k trials",
    "Expected best metric of so many trials of a tuned arm, whatever they cost; a"
    " trial that failed counts with the arm's worst. In brackets the 95 % band of"
    " the median, for all k at once, where trials do not depend on each other:"
    " random search and grids.",
    _powers_of_two,
    rows=_searched,
)

_TUNABILITY = Sheet(
    "tunability",
    "tunability",
    "Searches early and late",
    "Mean of the expected best metric over budgets of 1 trial up to all of a"
    " stream: with more weight on few trials (early), with equal weights, with more"
    " weight on many (late). Compare arms with the same number of trials.",
    {
        "Arm": arms(),
        "Trials": numbers("trials", whole),
        "Early": numbers("early", metric_value),
        "Uniform": numbers("uniform", metric_value),
        "Late": numbers("late", metric_value),
    },
    {
        "Trials": "Of one stream",
        "Early": "CPE of Sivaprasad et al., 2020",
        "Uniform": "CPU of Sivaprasad et al., 2020",
        "Late": "CPL of Sivaprasad et al., 2020",
    },
)

_BREAK_EVEN = Sheet(
    "break_even",
    "pairs",
    "When tuning pays: each tuned arm against each other one",
    "R is 0 where tuning costs no more from the start, ∞ where it never pays; f is"
    " 0 % where it loses even if misses cost nothing. A dash: not known, or there"
    " is no such number.",
    {
        "Tuned": arms("tuned"),
        "Against": arms("other"),
        "Trainings R": numbers("runs", ratio),
        "R, whole plan": numbers("runs_full_plan", ratio),
        "Failure share f": numbers("fraction", percent),
        "Price where bills cross": numbers("crossing_price", percent),
        "Workers W": numbers("workers", whole),
    },
    {
        "Trainings R": "After which tuning has paid",
        "R, whole plan": "The same if all planned trials are run",
        "Failure share f": "Of its cost that a trial that misses may burn",
        "Price where bills cross": "If misses of both arms are cheaper",
        "Workers W": "With which the tuned arm is the quicker",
    },
)

_TOPICS = {
    "bills": (_RANKING, _RESTRICTED),
    "race": (_IQM,),
    "budgets": (_BEST_OF_K, _TUNABILITY),
    "break_even": (_BREAK_EVEN,),
    "sensitivity": SENSITIVITY,
}
