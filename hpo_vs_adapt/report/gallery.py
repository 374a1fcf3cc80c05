"""Which figures a report has: axes, titles, captions and text alternatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo_vs_adapt.metrics import SWEEP_COLUMNS
from hpo_vs_adapt.report import figures
from hpo_vs_adapt.report.analyses import Analyses
from hpo_vs_adapt.report.looks import Look, looks_of
from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.scales import add_legend
from hpo_vs_adapt.report.svg import quiet_glyphs, svg_text
from hpo_vs_adapt.report.tables import Tables
from hpo_vs_adapt.report.verdict import goal
from hpo_vs_adapt.report.wording import (
    amount,
    counted,
    probability,
    rate,
    series,
    slugs,
)
from hpo_vs_adapt.study import Study, WorkloadEntry

__all__ = ["Drawing", "make_drawings"]

_WIDTH = 5.6  # inches
_POINT = ("workload", "arm", "batch_size", "lr")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of the report.

    Args:
        name: Of its file and its place in the page, without a suffix.
        workload: Label of the workload that it shows.
        table: Name of the table that it was drawn from.
        title: What it is.
        caption: How to read it, for everybody.
        finding: What it shows, in words, for those who cannot see it.
        svg: The figure.
        topic: Part of the page that it belongs to: ``bills``, ``race``, ``budgets``,
            ``break_even``, ``sensitivity``, ``controllers``, ``targets``, ``suite`` or
            ``ledger``.
        unit: Of its costs, where there is a twin in the other: ``cost`` or ``flops``.
    """

    name: str
    workload: str
    table: str
    title: str
    caption: str
    finding: str
    svg: str
    topic: str = ""
    unit: str = ""


def make_drawings(study: Study, tables: Tables, analyses: Analyses) -> list[Drawing]:
    """Return the figures of a study, workload by workload, in reading order."""
    looks = looks_of([arm.name for arm in study.arms])
    names = slugs(entry.name for entry in study.workloads)
    with figures.house_style(), quiet_glyphs():
        return [
            drawing
            for entry in study.workloads
            for drawing in _drawings(entry, names[entry.name], tables, looks)
        ]


def _drawings(
    entry: WorkloadEntry, slug: str, tables: Tables, looks: Mapping[str, Look]
) -> Iterator[Drawing]:
    yield _bills(entry, slug, _of(tables.bills, entry), looks)
    yield _race(entry, slug, _of(tables.race, entry), looks)
    yield _training(entry, slug, _of(tables.training, entry), looks)
    rates = _of(tables.rates, entry)
    if len(rates):
        yield _rates(entry, slug, rates, looks)
    sweeps = _of(tables.sensitivity, entry)
    if "lr" in sweeps and sweeps["lr"].notna().any():
        yield _sensitivity(entry, slug, sweeps[sweeps["lr"].notna()], looks)


def _bills(
    entry: WorkloadEntry, slug: str, table: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing:
    figure = _figure(0.85 + 0.29 * len(table))
    figures.draw_bills(table, figure.subplots(), looks)
    met = table[np.isfinite(table["bill"].to_numpy(float))].sort_values("bill")
    said = [f"{row.arm} {amount(row.bill)}" for row in rows_of(met)]
    never = table.loc[~table["arm"].isin(met["arm"]), "arm"]
    finding = f"Bills in sample gradients: {series(said)}." if said else ""
    if len(never):
        finding += f" Never met the target: {series(never)}."
    return Drawing(
        name=f"bills-{slug}",
        workload=entry.name,
        table="bills",
        title=f"What reaching {goal(entry)} costs",
        caption=(
            "Filled marker and bar: the expected bill and its 95 % interval, tuning"
            " counted; further left is cheaper. Hollow marker: the bill of a tuned arm"
            " whose whole plan is run, one retraining included. Tick: one training with"
            " the settings found, as if the search were free. Numbers at the right:"
            " passes that met the target, of all passes. The axis is logarithmic."
        ),
        finding=finding.strip(),
        svg=svg_text(figure, f"bills-{slug}"),
        topic="bills",
    )


def _race(
    entry: WorkloadEntry, slug: str, table: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing:
    figure = _figure(3.3)
    axes = figure.subplots()
    figures.draw_band(table, axes, looks)
    _finish_curves(figure, axes, entry, table, looks)
    axes.set_ylabel(f"best validation {entry.metric.name} so far")
    return Drawing(
        name=f"race-{slug}",
        workload=entry.name,
        table="race",
        title="The race: best result against everything spent",
        caption=(
            "A tuned arm's line runs through its whole search, every trial charged; an"
            " arm without tuning is one training. Line: median over seeds or tuner"
            " seeds; band: from the worst to the best of them. The arm that crosses the"
            " dotted target line further left gets there for less."
        ),
        finding=_crossings(entry, table),
        svg=svg_text(figure, f"race-{slug}"),
        topic="race",
    )


def _training(
    entry: WorkloadEntry, slug: str, table: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing:
    figure = _figure(3.0)
    axes = figure.subplots()
    figures.draw_band(table, axes, looks, steps=False)
    _finish_curves(figure, axes, entry, table, looks)
    axes.set_ylabel(f"validation {entry.metric.name}")
    return Drawing(
        name=f"training-{slug}",
        workload=entry.name,
        table="training",
        title="One training each, the search left out",
        caption=(
            "Learning curves of the arms without tuning, and of each tuned arm's winner"
            " trained again. Line: median; band: range over runs. A run that diverged"
            " counts from there on with the worst value."
        ),
        finding=_crossings(entry, table),
        svg=svg_text(figure, f"training-{slug}"),
        topic="race",
    )


def _rates(
    entry: WorkloadEntry, slug: str, table: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing:
    momentum = table[table["quantity"] == "momentum"]
    moves = momentum.groupby("arm")["median"].nunique().gt(1).any()
    quantities = ["lr", "momentum"] if moves else ["lr"]
    figure = _figure(0.6 + 2.0 * len(quantities))
    grid = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)
    for quantity, axes in zip(quantities, grid[:, 0], strict=True):
        rows = table[table["quantity"] == quantity]
        figures.draw_rates(rows, axes, looks)
        axes.set_ylabel("learning rate" if quantity == "lr" else quantity)
    grid[-1, 0].set_xlabel("optimizer steps")
    add_legend(figure, looks, list(table["arm"].unique()))
    return Drawing(
        name=f"rates-{slug}",
        workload=entry.name,
        table="rates",
        title=f"What the adaptive arms did with the {series(_named(quantities))}",
        caption=(
            "Line: median over seeds; band: their range."
            + ("" if moves else " No momentum changed over time, so it is not drawn.")
        ),
        finding=_movements(table[table["quantity"] == "lr"]),
        svg=svg_text(figure, f"rates-{slug}"),
        topic="controllers",
    )


def _sensitivity(
    entry: WorkloadEntry, slug: str, table: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing:
    sizes = sorted(table["batch_size"].unique())
    others = [
        name for name in table if name not in _POINT and name not in SWEEP_COLUMNS
    ]
    # Points that differ in another setting belong to another line of the same arm.
    lines = table.groupby(others, dropna=False).ngroup() if others else 0
    table = table.assign(line=lines)
    figure = _figure(0.4 + 2.3 * len(sizes))
    grid = figure.subplots(len(sizes), 2, squeeze=False)
    for size, (left, right) in zip(sizes, grid, strict=True):
        rows = table[table["batch_size"] == size]
        figures.draw_sweep(rows, left, looks)
        figures.draw_target(left, entry.target, "")
        figures.draw_shares(rows, right, looks)
        end = f", batch size {size}" if len(sizes) > 1 else ""
        left.set_title(f"best {entry.metric.name}{end}")
        right.set_title(f"seeds that met the target{end}")
    add_legend(figure, looks, list(table["arm"].unique()))
    failed = int(table["failures"].sum())
    best = table.groupby("arm", sort=False)["hit_share"].max()
    return Drawing(
        name=f"sensitivity-{slug}",
        workload=entry.name,
        table="sensitivity",
        title="How much depends on the initial learning rate",
        caption=(
            "Every swept rule without its tuning, fixed and adaptive alike. Left: mean"
            " and range over seeds of the best validation result; crosses at the lower"
            " edge: a seed diverged there. Right: the share of seeds that met the"
            " target. A wide plateau is a rule that needs little care."
        ),
        finding=(
            "Best share of seeds that met the target at any rate: "
            + series(f"{arm} {probability(share)}" for arm, share in best.items())
            + f". Diverged: {counted(failed, 'run')}."
        ),
        svg=svg_text(figure, f"sensitivity-{slug}"),
        topic="sensitivity",
    )


def _figure(height: float) -> Figure:
    return Figure(figsize=(_WIDTH, height), layout="constrained")


def _finish_curves(
    figure: Figure,
    axes: Axes,
    entry: WorkloadEntry,
    table: pd.DataFrame,
    looks: Mapping[str, Look],
) -> None:
    if table.empty:
        return
    figures.draw_target(axes, entry.target, f"target {entry.target:g}")
    axes.set_xlabel("sample gradients spent")
    add_legend(figure, looks, list(table["arm"].unique()))


def _of(table: pd.DataFrame, entry: WorkloadEntry) -> pd.DataFrame:
    return table[table["workload"] == entry.name].reset_index(drop=True)


def _named(quantities: list[str]) -> list[str]:
    return ["learning rate" if name == "lr" else name for name in quantities]


def _crossings(entry: WorkloadEntry, table: pd.DataFrame) -> str:
    sentences = []
    for arm, rows in table.groupby("arm", sort=False):
        best = rows["median"] if entry.metric.mode == "max" else -rows["median"]
        met = rows[
            best >= (entry.target if entry.metric.mode == "max" else -entry.target)
        ]
        where = f"after {amount(met['cost'].iloc[0])}" if len(met) else "never"
        sentences.append(f"{arm} {where}")
    if not sentences:
        return "Nothing is recorded yet."
    return f"The median meets the target: {series(sentences)}."


def _movements(rates: pd.DataFrame) -> str:
    parts = [
        f"{arm} from {rate(rows['median'].iloc[0])} to {rate(rows['median'].iloc[-1])}"
        for arm, rows in rates.groupby("arm", sort=False)
    ]
    return f"Learning rates went: {series(parts)}." if parts else "No rate is recorded."
