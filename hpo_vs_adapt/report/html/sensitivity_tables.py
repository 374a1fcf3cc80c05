"""Tables on what a workload's arms depend on: rates, other settings, batch sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from hpo_vs_adapt import wording
from hpo_vs_adapt.report.html.cells import (
    Cell,
    Column,
    PageTable,
    Row,
    arm_cell,
    count,
    number,
    percent,
    text,
)
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["batch_sizes_table", "importances_table", "knobs_table", "lr_table"]

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


def lr_table(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return what hangs on the learning rate, see `metrics.sensitivity_numbers`."""
    return PageTable(
        f"{anchor}-rates",
        "The learning rate in numbers",
        _tested(table, "rates") + " A basin marked ≥ reaches an end of them: it may be"
        " wider than is known.",
        "lr_numbers",
        _NUMBERS,
        [[arm_cell(row.arm, swatches), *_numbers(row)] for row in rows_of(table)],
    )


def knobs_table(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return what hangs on other settings, see `metrics.knob_table`."""
    return PageTable(
        f"{anchor}-knobs",
        "Other settings in numbers",
        "As above, for the other settings that were swept; the second line names the"
        " setting, and the rate that went with it.",
        "knob_numbers",
        _NUMBERS,
        [
            [
                arm_cell(row.arm, swatches, _knob(row)),
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
    yield percent(row.hit_fraction)
    for lost in (row.loss_sensitivity, row.regret_2, row.regret_10):
        yield number(wording.metric_value(lost), lost)


def batch_sizes_table(
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
        rows.append([arm_cell(str(arm), swatches, note), *means])
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


def importances_table(
    table: pd.DataFrame, anchor: str, swatches: Mapping[str, Markup]
) -> PageTable:
    """Return which tuned settings mattered, where an arm has several."""
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
                arm_cell(row.arm, swatches),
                text(row.hyperparameter),
                count(row.trials),
                percent(row.fanova),
                percent(row.ped_anova),
            ]
            for row in rows_of(several)
        ],
    )
