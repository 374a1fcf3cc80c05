"""Tables of one workload: ranking and break-even here, the others beside them."""

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
    number,
    percent,
    text,
)
from hpo_vs_adapt.report.html.reached_tables import iqm_table, restricted_means_table
from hpo_vs_adapt.report.html.sensitivity_tables import (
    batch_sizes_table,
    importances_table,
    knobs_table,
    lr_table,
)
from hpo_vs_adapt.report.html.tuning_tables import best_of_k_table, tunability_table
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["make_workload_tables"]

_RANKING = (
    Column("Arm", "name"),
    Column("Rank", "n", "By its bill; in brackets between which ranks it lies"),
    Column("Bill, sample gradients", "n"),
    Column("P(first)", "n"),
    Column("Defaults from", "", "Who found the settings that it starts with"),
    Column("Trials for them", "n", "Trained before this study, in no bill"),
    Column("Search space from", "", "Who chose it, for tuned arms"),
    Column("Trials for it", "n", "Trained before this study, in no bill"),
)
_BREAK_EVEN = (
    Column("Tuned", "name"),
    Column("Against", "name"),
    Column("Trainings R", "n", "After which tuning has paid"),
    Column("R, whole plan", "n", "The same if all planned trials are run"),
    Column("Failure share f", "n", "Of its cost that a trial that misses may burn"),
    Column("Price where bills cross", "n", "If misses of both arms are cheaper"),
    Column("Workers W", "n", "With which the tuned arm is the quicker"),
)


def make_workload_tables(
    tables: Mapping[str, pd.DataFrame],
    workload: str,
    anchor: str,
    swatches: Mapping[str, Markup],
) -> dict[str, list[PageTable]]:
    """Return the tables of a workload by the topic that they belong to.

    Args:
        tables: Of the study, see `tables.catalogue`.
        workload: Label in the study.
        anchor: Of the workload in the page.
        swatches: Marker of each arm.
    """

    def of(name: str) -> pd.DataFrame:
        table = tables[name]
        return table[table["workload"] == workload]

    found = {
        "bills": [
            _ranking(of("ranking"), anchor, swatches),
            restricted_means_table(of("restricted_means"), anchor, swatches),
        ],
        "race": [iqm_table(of("iqm"), anchor, swatches)],
        "budgets": [
            best_of_k_table(of("best_of_k"), anchor, swatches),
            tunability_table(of("tunability"), anchor, swatches),
        ],
        "break_even": [_break_even(of("break_even"), anchor, swatches)],
        "sensitivity": [
            lr_table(of("lr_numbers"), anchor, swatches),
            knobs_table(of("knob_numbers"), anchor, swatches),
            batch_sizes_table(of("batch_size_spread"), anchor, swatches),
            importances_table(of("importances"), anchor, swatches),
        ],
    }
    return {
        topic: [table for table in tables if table.rows]
        for topic, tables in found.items()
    }


def _ranking(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    return PageTable(
        f"{anchor}-ranking",
        "Ranking, and the tuning that no bill has",
        "Arms whose rank intervals overlap may change places. Trials that somebody"
        " trained to find an arm's defaults or its search space are in no bill; where a"
        " dash stands they are not known, which is not none.",
        "ranking",
        _RANKING,
        [
            [
                arm_cell(row.arm, swatches),
                number(f"{row.rank}", row.rank, _ranks(row)),
                number(
                    wording.amount(row.bill),
                    row.bill,
                    wording.interval(row.low, row.high),
                ),
                number(
                    wording.probability(row.first_probability), row.first_probability
                ),
                text(row.defaults_from),
                _whole(row.defaults_trials),
                text(row.space_from or wording.UNKNOWN),
                _whole(row.space_trials if row.kind == "tuned" else math.nan),
            ]
            for row in rows_of(table)
        ],
    )


def _ranks(row: Any) -> str:
    if math.isnan(row.rank_low):
        return ""
    return f"[{row.rank_low:.0f}, {row.rank_high:.0f}]"


def _break_even(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    return PageTable(
        f"{anchor}-pairs",
        "When tuning pays: each tuned arm against each other one",
        "R is 0 where tuning costs no more from the start, ∞ where it never pays; f is"
        " 0 % where it loses even if misses cost nothing. A dash: not known, or there"
        " is no such number.",
        "break_even",
        _BREAK_EVEN,
        [
            [
                arm_cell(row.tuned, swatches),
                arm_cell(row.other, swatches),
                _factor(row.runs),
                _factor(row.runs_full_plan),
                percent(row.fraction),
                percent(row.crossing_price),
                _whole(row.workers),
            ]
            for row in rows_of(table)
        ],
    )


def _whole(value: float) -> Cell:
    return number(wording.UNKNOWN if math.isnan(value) else f"{value:.0f}", value)


def _factor(value: float) -> Cell:
    return number(wording.ratio(value), value)
