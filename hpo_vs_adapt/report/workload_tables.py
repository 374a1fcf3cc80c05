"""Tables of one workload: ranking, break-even, sensitivity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from hpo_vs_adapt.report import wording
from hpo_vs_adapt.report.analyses import Analyses
from hpo_vs_adapt.report.page_tables import (
    Cell,
    Column,
    PageTable,
    Row,
    count,
    number,
    text,
)
from hpo_vs_adapt.report.rows import rows_of

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
_NUMBERS = (
    Column("Arm", "name"),
    Column("Batch size", "n"),
    Column("Best", "n", "Value with the best mean metric"),
    Column("Its metric", "n"),
    Column("Basin, decades", "n", "Within 0.01 of the best metric"),
    Column("Hits, decades", "n", "Met the target in at least half of the seeds"),
    Column("Share that hits", "n", "Of the tested range"),
    Column("Loss sensitivity", "n", "Wortsman et al., 2023"),
    Column("Off by 2", "n", "Metric lost with a value off by that factor"),
    Column("Off by 10", "n", "Metric lost with a value off by that factor"),
)
_SPREAD = ("workload", "arm", "lr", "batch_sizes", "metric_mean", "metric_sd")


def make_workload_tables(
    analyses: Analyses, workload: str, anchor: str, swatches: Mapping[str, Markup]
) -> dict[str, list[PageTable]]:
    """Return the tables of a workload by the topic that they belong to.

    Args:
        analyses: Of the study.
        workload: Label in the study.
        anchor: Of the workload in the page.
        swatches: Marker of each arm.
    """

    def of(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["workload"] == workload]

    found = {
        "bills": [_ranking(of(analyses.ranking), anchor, swatches)],
        "break_even": [_break_even(of(analyses.break_even), anchor, swatches)],
        "sensitivity": [
            _lr_numbers(of(analyses.lr_numbers), anchor, swatches),
            _knobs(of(analyses.knob_numbers), anchor, swatches),
            _spread(of(analyses.batch_size_spread), anchor, swatches),
            _importances(of(analyses.importances), anchor, swatches),
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
                _arm(row.arm, swatches),
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
                _arm(row.tuned, swatches),
                _arm(row.other, swatches),
                _factor(row.runs),
                _factor(row.runs_full_plan),
                _percent(row.fraction),
                _percent(row.crossing_price),
                _whole(row.workers),
            ]
            for row in rows_of(table)
        ],
    )


def _lr_numbers(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    return PageTable(
        f"{anchor}-rates",
        "The learning rate in numbers",
        _tested(table, "rates") + " A basin marked ≥ reaches an end of them: it may be"
        " wider than is known.",
        "lr_numbers",
        _NUMBERS,
        [[_arm(row.arm, swatches), *_numbers(row)] for row in rows_of(table)],
    )


def _knobs(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    return PageTable(
        f"{anchor}-knobs",
        "Other settings in numbers",
        "As above, for the other settings that were swept; the second line names the"
        " setting, and the rate that went with it.",
        "knob_numbers",
        _NUMBERS,
        [
            [
                _arm(row.arm, swatches, _knob(row)),
                *_numbers(row),
            ]
            for row in rows_of(table)
        ],
    )


def _knob(row: Any) -> str:
    rate = "" if math.isnan(row.lr) else f", lr {wording.rate(row.lr)}"
    return f"{row.setting}{rate}"


def _tested(table: pd.DataFrame, what: str) -> str:
    if table.empty:
        return ""
    low, high = table["tested_low"].min(), table["tested_high"].max()
    return f"Tested {what}: {wording.rate(low)} to {wording.rate(high)}."


def _numbers(row: Any) -> Iterator[Cell]:
    yield count(row.batch_size)
    yield number(
        wording.rate(row.best) if row.best == row.best else wording.UNKNOWN, row.best
    )
    yield number(wording.metric_value(row.best_metric), row.best_metric)
    for name in ("basin", "hit"):
        decades = getattr(row, f"{name}_decades")
        low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
        wide = getattr(row, f"{name}_open_low") or getattr(row, f"{name}_open_high")
        yield number(
            wording.UNKNOWN if math.isnan(decades) else f"{'≥ ' * wide}{decades:.1f}",
            decades,
            f"{wording.rate(low)} to {wording.rate(high)}" if low < high else "",
        )
    yield _percent(row.hit_fraction)
    for lost in (row.loss_sensitivity, row.regret_2, row.regret_10):
        yield number(wording.metric_value(lost), lost)


def _spread(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return mean and deviation over batch sizes: an arm a row, a rate a column.

    An arm has a row for each combination of other settings that were swept.
    """
    if "lr" not in table:
        table = table.assign(lr=math.nan)
    several = table[(table["batch_sizes"] > 1) & table["lr"].notna()]
    others = [name for name in table if name not in _SPREAD]
    rates = sorted(several["lr"].unique())
    rows: list[Row] = []
    for place, own in several.groupby(["arm", *others], sort=False, dropna=False):
        arm, *values = place
        named = zip(others, values, strict=True)
        note = ", ".join(f"{n} {v}" for n, v in named if v == v)
        cells = {row.lr: row for row in rows_of(own)}
        means = (_mean(cells.get(rate)) for rate in rates)
        rows.append([_arm(str(arm), swatches, note), *means])
    return PageTable(
        f"{anchor}-batch-sizes",
        "Best metric over batch sizes",
        "Mean ± standard deviation over the batch sizes that were swept, for each"
        " initial rate: a small deviation and equal numbers along a row are what a rule"
        " that needs no care has.",
        "batch_size_spread",
        [Column("Arm", "name"), *(Column(f"lr {wording.rate(r)}", "n") for r in rates)],
        rows,
    )


def _mean(row: Any | None) -> Cell:
    if row is None:
        return number(wording.UNKNOWN, math.nan)
    spread = f" ± {wording.metric_value(row.metric_sd)}"
    return number(f"{wording.metric_value(row.metric_mean)}{spread}", row.metric_mean)


def _importances(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    several = table[table.groupby("arm")["hyperparameter"].transform("size") > 1]
    return PageTable(
        f"{anchor}-importances",
        "Which tuned settings mattered",
        "Shares of the variance over the search space that each setting explains"
        " (fANOVA), and among the best trials (PED-ANOVA). Few trials say little.",
        "importances",
        (
            Column("Arm", "name"),
            Column("Setting", "code"),
            Column("Trials", "n"),
            Column("fANOVA", "n"),
            Column("PED-ANOVA", "n"),
        ),
        [
            [
                _arm(row.arm, swatches),
                text(row.hyperparameter),
                count(row.trials),
                _percent(row.fanova),
                _percent(row.ped_anova),
            ]
            for row in rows_of(several)
        ],
    )


def _arm(arm: str, swatches: Mapping[str, Markup], note: str = "") -> Cell:
    return Cell(arm, None, note, swatch=swatches.get(arm, Markup()))


def _whole(value: float) -> Cell:
    return number(wording.UNKNOWN if math.isnan(value) else f"{value:.0f}", value)


def _factor(value: float) -> Cell:
    return number(wording.ratio(value), value)


def _percent(share: float) -> Cell:
    shown = wording.UNKNOWN if math.isnan(share) else f"{100 * share:.0f} %"
    return number(shown, share)
