"""The figures of how much depends on the learning rate and the batch size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hpo_vs_adapt.metrics import SWEEP_COLUMNS
from hpo_vs_adapt.report.figures.batch_sizes import draw_heatmap, draw_spread
from hpo_vs_adapt.report.figures.looks import MUTED, Look
from hpo_vs_adapt.report.figures.naming import NAMED
from hpo_vs_adapt.report.figures.scales import say_nothing_yet, scale_rates
from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.style import draw_lines, draw_points, draw_target
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import counted, probability, rate

__all__ = ["draw_sensitivity"]


def swept_runs(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the single runs of the sweeps of learning rates.

    Args:
        trials: As `Tables.trials`, settings as JSON.

    Returns:
        Columns `workload, arm, batch_size, lr, metric`, one row a run with a rate that
        is a number; `metric` is its best validation metric.
    """
    sweep = trials[trials["role"] == "sweep"]
    rates = [json.loads(settings).get("lr") for settings in sweep["settings"]]
    runs = sweep.assign(
        lr=pd.to_numeric(pd.Series(rates, index=sweep.index), errors="coerce"),
        metric=sweep["best_metric"].astype(float),
    )
    names = ["workload", "arm", "batch_size", "lr", "metric"]
    return runs.loc[runs["lr"] > 0, names].reset_index(drop=True)


def draw_sweep(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    runs: pd.DataFrame | None = None,
) -> None:
    """Draw the metric over initial learning rates, mean and range over seeds.

    A cross at the lower edge marks rates at which a seed diverged or crashed, one row
    of crosses an arm, the lowest for the arms without a look.

    Args:
        table: Rows of one workload and batch size, see `metrics.sweep_table`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
        runs: From `swept_runs`, to be shown as dots.
    """
    columns = {"metric_mean": "median", "metric_low": "low", "metric_high": "high"}
    known = table.rename(columns=columns).dropna(subset=["median"])
    if known.empty:
        say_nothing_yet(axes)
    else:
        draw_lines(known, axes, looks, x="lr", every_point=True)
    if runs is not None:
        dots = runs[runs["arm"].isin(looks) & np.isfinite(runs["metric"])]
        faint = {"alpha": 0.45, "linewidth": 0, "zorder": 2}
        draw_points(dots, axes, looks, x="lr", y="metric", size=9, **faint)
    _mark_failures(table[table["failures"] > 0], axes, looks)
    scale_rates(axes, table)


def draw_shares(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the share of seeds that met the target over initial learning rates.

    Args:
        table: Rows of one workload and batch size, see `metrics.sweep_table`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    draw_lines(table, axes, looks, x="lr", y="hit_share", every_point=True)
    scale_rates(axes, table)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])


def _mark_failures(failed: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    levels = [arm for arm in looks if arm in set(failed["arm"])]
    others = not set(failed["arm"]) <= set(looks)
    rates = failed.groupby("arm")["lr"].unique().reset_index()
    for row in rows_of(rates):
        level = levels.index(row.arm) + others if row.arm in looks else 0
        axes.plot(
            row.lr,
            np.full(len(row.lr), 0.03 + 0.045 * level),
            transform=axes.get_xaxis_transform(),
            ls="",
            marker="x",
            ms=4,
            mew=1.3,
            color=looks[row.arm].colour if row.arm in looks else MUTED,
        )


_POINT = ("workload", "arm", "batch_size", "lr")
_HEATMAPS = 6  # arms; the numbers of the others are in the table


def draw_sensitivity(scene: Scene) -> Iterator[Drawing]:
    """Draw sweeps of the rate, at one batch size and over batch sizes."""
    table = scene.of("sensitivity")
    if "lr" not in table:
        return
    rates = pd.to_numeric(table["lr"], errors="coerce")
    table = table.assign(lr=rates)[rates > 0]
    if table.empty:
        return
    others = [
        name for name in table if name not in _POINT and name not in SWEEP_COLUMNS
    ]
    # Points that differ in another setting belong to another line of the same arm.
    lines = table.groupby(others, dropna=False).ngroup() if others else 0
    table = table.assign(line=lines)
    yield _curves(scene, table)
    sizes = table.groupby("arm")["batch_size"].nunique()
    several = table[table["arm"].isin(sizes[sizes > 1].index)]
    if len(several):
        yield _heatmaps(scene, several)
        yield _spread(scene)


def _curves(scene: Scene, table: pd.DataFrame) -> Drawing:
    sizes = list(table["batch_size"].unique())
    # The study's batch size, or else the one with the most points.
    size = scene.entry.batch_size
    if size not in sizes:
        size = table["batch_size"].mode().iloc[0]
    note = ""
    if len(sizes) > 1:
        note = f" Batch size {size}; the figures below have the others."
    table = table[table["batch_size"] == size]
    runs = swept_runs(scene.of("trials"))
    drawn = _Columns(scene, table, runs[runs["batch_size"] == size])
    failed = int(table["failures"].sum())
    best = table.groupby("arm", sort=False)["hit_share"].max()
    best = best.sort_values(ascending=False, kind="stable")
    said = (f"{arm} {probability(share)}" for arm, share in best.items())
    words = (
        "How much depends on the initial learning rate",
        "Every swept rule without its tuning: left those that keep to their rate or"
        " schedule, right those that adapt it. Top: mean and range over seeds of the"
        " best validation result, dots are single seeds, the dotted line is the target;"
        " crosses at the lower edge: a seed diverged or crashed there. Bottom: the"
        " share of seeds that met the target. A wide plateau is a rule that needs"
        f" little care.{note}{drawn.grey}",
        f"Best share of seeds that met the target at any rate: {some(said)}."
        f" Failed: {counted(failed, 'run')}.{_basins(scene)}",
    )
    return scene.drawing(
        drawn.figure, "sensitivity", "sensitivity", "sensitivity", words
    )


class _Columns:
    """The figure of rates: a column for fixed and one for adaptive rules."""

    def __init__(self, scene: Scene, table: pd.DataFrame, runs: pd.DataFrame) -> None:
        adaptive = {arm.name for arm in scene.study.arms if arm.kind == "adaptive"}
        moves = table["arm"].isin(adaptive)
        columns = [
            (label, rows)
            for label, rows in (
                ("fixed", table[~moves]),
                ("adaptive", table[moves]),
            )
            if len(rows)
        ]
        self.figure = make_figure(4.6)
        grid: Any = self.figure.subplots(
            2, len(columns), squeeze=False, sharex=True, sharey="row"
        )
        looks: dict[str, Look] = {}
        few = table["arm"].nunique() <= NAMED
        most = NAMED if few else NAMED // len(columns)
        for place, (label, rows) in enumerate(columns):
            named = scene.named(rows, most=most)
            looks |= named
            top, bottom = grid[:, place]
            draw_sweep(rows, top, named, runs[runs["arm"].isin(set(rows["arm"]))])
            draw_target(top, scene.entry.target, "")
            draw_shares(rows, bottom, named)
            top.set(title=f"{label} rules", xlabel="")
        rates = table["lr"]
        grid[0, 0].set_xlim(rates.min() / 1.6, rates.max() * 1.6)
        grid[0, 0].set_ylabel(f"best {scene.entry.metric.name}")
        grid[1, 0].set_ylabel("P(target met)")
        shown = {arm: look for arm, look in scene.looks.items() if arm in looks}
        self.grey = add_names(self.figure, shown, table)


def _basins(scene: Scene) -> str:
    numbers = scene.of("lr_numbers")
    wide = numbers.groupby("arm")["hit_decades"].max().dropna()
    if wide.empty:
        return ""
    wide = wide.sort_values(ascending=False, kind="stable")
    said = (f"{arm} {decades:.1f}" for arm, decades in wide.items())
    return f" Decades of rates in which half the seeds meet it: {some(said)}."


def _heatmaps(scene: Scene, table: pd.DataFrame) -> Drawing:
    looks = scene.named(table, most=_HEATMAPS)
    arms = list(looks)
    rows = table[table["arm"].isin(arms)]
    sizes = int(rows["batch_size"].nunique())
    figure = make_figure(0.5 + (0.62 + 0.24 * sizes) * len(arms))
    grid: Any = figure.subplots(len(arms), 2, squeeze=False)
    known = rows["ert"][np.isfinite(rows["ert"]) & (rows["ert"] > 0)]
    limits = (known.min(), known.max()) if len(known) else None
    for arm, (left, right) in zip(arms, grid, strict=True):
        own = rows[rows["arm"] == arm]
        draw_heatmap(own, left, "hit_share")
        draw_heatmap(own, right, "ert", limits)
        left.set(ylabel="batch size")
        left.set_title(f"{looks[arm].label}: P(target met)")
        right.set_title("bill, sample gradients")
    for axes in grid[-1]:
        axes.set_xlabel("initial learning rate")
    more = table["arm"].nunique() - len(arms)
    best = rows.groupby("arm", sort=False)["hit_share"].mean()
    words = (
        "Learning rate and batch size together",
        "Left: the share of seeds that met the target; right: the bill of training with"
        " these settings, seed after seed, until it is met, on one colour scale for all"
        " arms. Brighter is better; a dash is a point that never met it, a cross one"
        " where a run failed."
        + (f" {counted(more, 'other arm')} in the table." if more else ""),
        "Share of all points and seeds that met the target: "
        + some(f"{arm} {probability(share)}" for arm, share in best.items())
        + ".",
    )
    return scene.drawing(figure, "batch-sizes", "sensitivity", "sensitivity", words)


def _spread(scene: Scene) -> Drawing:
    table = scene.of("batch_size_spread")
    rates = pd.to_numeric(table["lr"], errors="coerce")
    table = table.assign(lr=rates)[(rates > 0) & (table["batch_sizes"] > 1)]
    others = [
        name
        for name in table
        if name not in ("workload", "arm", "lr", "batch_sizes")
        and not str(name).startswith("metric_")
    ]
    lines = table.groupby(others, dropna=False).ngroup() if others else 0
    figure = make_figure(2.8)
    axes = figure.subplots()
    looks: Mapping[str, Look] = scene.named(table)
    draw_spread(table.assign(line=lines), axes, looks)
    draw_target(axes, scene.entry.target, f"target {scene.entry.target:g}")
    axes.set_ylabel(f"best {scene.entry.metric.name}")
    grey = add_names(figure, looks, table)
    least = table.loc[table.groupby("arm")["metric_sd"].idxmin().dropna()]
    said = (
        f"{arm} {spread:.2g} at {rate(lr)}"
        for arm, spread, lr in zip(
            least["arm"], least["metric_sd"], least["lr"], strict=True
        )
    )
    words = (
        "What a rate is worth over batch sizes",
        "Line: mean over batch sizes of the best validation result with that initial"
        " rate; band: one standard deviation to either side. A thin band high up is a"
        f" rate that need not be set again for another batch size.{grey}",
        f"Least deviation over batch sizes: {some(said)}.",
    )
    return scene.drawing(figure, "spread", "sensitivity", "batch_size_spread", words)
