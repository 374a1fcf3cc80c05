"""Tables on what a workload's arms depend on: rates, other settings, batch sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from hpo_vs_adapt.report.html.cells import (
    Cell,
    Cells,
    Sheet,
    arms,
    number,
    numbers,
    percent,
    whole,
    words,
)
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import UNKNOWN, metric_value, rate

__all__ = ["SENSITIVITY"]


def _decades(name: str) -> Cells:
    """Return cells of decades, with the values between which they lie."""

    def cell(row: Any) -> Cell:
        decades, low, high, open_low, open_high = (
            getattr(row, f"{name}_{end}")
            for end in ("decades", "low", "high", "open_low", "open_high")
        )
        at_least = "≥ " if open_low or open_high else ""
        return number(
            UNKNOWN if math.isnan(decades) else f"{at_least}{decades:.1f}",
            decades,
            f"{rate(low)} to {rate(high)}" if low < high else "",
        )

    return Cells(cell)


_NUMBERS = {
    "Batch size": numbers("batch_size", whole),
    "Best": numbers("best", lambda best: UNKNOWN if math.isnan(best) else rate(best)),
    "Its metric": numbers("best_metric", metric_value),
    "Basin, decades": _decades("basin"),
    "Hits, decades": _decades("hit"),
    "Share that hits": numbers("hit_fraction", percent),
    "Loss sensitivity": numbers("loss_sensitivity", metric_value),
    "Off by 2": numbers("regret_2", metric_value),
    "Off by 10": numbers("regret_10", metric_value),
}
_HINTS = {
    "Best": "Value with the best mean metric",
    "Basin, decades": "Within 0.01 of the best metric",
    "Hits, decades": "Met the target in at least half of the seeds",
    "Share that hits": "Of the tested range",
    "Loss sensitivity": "Wortsman et al., 2023",
    "Off by 2": "Metric lost with a value off by that factor",
    "Off by 10": "Metric lost with a value off by that factor",
}


def _tested(table: pd.DataFrame) -> str:
    tested = ""
    if len(table):
        low, high = table["tested_low"].min(), table["tested_high"].max()
        tested = f"Tested rates: {rate(low)} to {rate(high)}."
    return (
        f"{tested} A basin marked ≥ reaches an end of them: it may be wider than is"
        " known."
    )


def _knob(row: Any) -> str:
    return row.setting + ("" if math.isnan(row.lr) else f", lr {rate(row.lr)}")


_LR = Sheet(
    "lr_numbers",
    "rates",
    "The learning rate in numbers",
    _tested,
    {"Arm": arms(), **_NUMBERS},
    _HINTS,
)
_KNOBS = Sheet(
    "knob_numbers",
    "knobs",
    "Other settings in numbers",
    "As above, for the other settings that were swept; the second line names the"
    " setting, and the rate that went with it.",
    {"Arm": arms(note=_knob), **_NUMBERS},
    _HINTS,
)

_SPREAD = ("workload", "arm", "lr", "batch_sizes", "metric_mean", "metric_sd")


class _Spread(NamedTuple):
    """An arm's rows by rate, for one combination of other settings."""

    arm: str
    others: str
    at: dict[float, Any]


def _over_sizes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of rates that were swept over several batch sizes."""
    if "lr" not in table:
        return table.head(0).assign(lr=math.nan)
    return table[(table["batch_sizes"] > 1) & table["lr"].notna()]


def _spreads(table: pd.DataFrame) -> Iterator[_Spread]:
    others = [name for name in table if name not in _SPREAD]
    groups = _over_sizes(table).groupby(["arm", *others], sort=False, dropna=False)
    for (arm, *values), own in groups:
        named = zip(others, values, strict=True)
        note = ", ".join(f"{n} {v}" for n, v in named if v == v)
        yield _Spread(str(arm), note, {row.lr: row for row in rows_of(own)})


def _at_rate(lr: float) -> Cells:
    def cell(arm: _Spread) -> Cell:
        row = arm.at.get(lr)
        if row is None:
            return number(UNKNOWN, math.nan)
        mean, sd = metric_value(row.metric_mean), metric_value(row.metric_sd)
        return number(f"{mean} ± {sd}", row.metric_mean)

    return Cells(cell)


def _swept_rates(table: pd.DataFrame) -> dict[str, Cells]:
    rates = sorted(_over_sizes(table)["lr"].unique())
    return {"Arm": arms(note="others"), **{f"lr {rate(r)}": _at_rate(r) for r in rates}}


_BATCH_SIZES = Sheet(
    "batch_size_spread",
    "batch-sizes",
    "Best metric over batch sizes",
    "Mean ± standard deviation over the batch sizes that were swept, for each"
    " initial rate: a small deviation and equal numbers along a row are what a rule"
    " that needs no care has.",
    _swept_rates,
    rows=_spreads,
)


def _several(table: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of arms that have several settings."""
    return rows_of(table[table.groupby("arm")["hyperparameter"].transform("size") > 1])


_IMPORTANCES = Sheet(
    "importances",
    "importances",
    "Which tuned settings mattered",
    "Shares of the variance over the search space that each setting explains"
    " (fANOVA), and among the best trials (PED-ANOVA). Few trials say little.",
    {
        "Arm": arms(),
        "Setting": words("hyperparameter", "code"),
        "Trials": numbers("trials", whole),
        "fANOVA": numbers("fanova", percent),
        "PED-ANOVA": numbers("ped_anova", percent),
    },
    rows=_several,
)

SENSITIVITY = (_LR, _KNOBS, _BATCH_SIZES, _IMPORTANCES)
"""In the order of the page."""
