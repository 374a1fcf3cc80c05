"""Drawings of what hangs on the initial learning rate."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hpo_vs_adapt.report.figures.looks import MUTED, Look
from hpo_vs_adapt.report.figures.scales import say_nothing_yet, scale_rates
from hpo_vs_adapt.report.figures.style import draw_lines, draw_points
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["draw_shares", "draw_sweep", "swept_runs"]


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
