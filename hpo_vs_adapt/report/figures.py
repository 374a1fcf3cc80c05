"""Drawings: each takes a finished table and the axes to draw on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from hpo_vs_adapt.report.looks import GRID, INK, MUTED, PAPER, Look
from hpo_vs_adapt.report.marks import mark_row
from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.scales import (
    limit_costs,
    say_nothing_yet,
    scale_rates,
    tick_costs,
    tick_powers,
)
from hpo_vs_adapt.report.wording import amount

__all__ = [
    "draw_band",
    "draw_bills",
    "draw_rates",
    "draw_shares",
    "draw_sweep",
    "draw_target",
    "house_style",
]

_BAND = ("median", "low", "high")

_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "axes.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "text.parse_math": False,  # a "$" in a name is a dollar
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the report; figures made inside keep it."""
    with mpl.rc_context(), sns.axes_style("whitegrid"), mpl.rc_context(_STYLE):
        yield


def draw_bills(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw what each arm costs until the target is met, the cheapest on top.

    A filled marker with its interval is the bill, a hollow one the full plan, a tick
    the cost of one run. An arm that never met the target stands at the right edge.

    Args:
        table: Rows of one workload, columns `bills.BILL_COLUMNS`.
        axes: To draw on.
        looks: Of every arm.
    """
    table = table.sort_values("bill", kind="stable", na_position="last")
    table = table.reset_index(drop=True)
    limit_costs(table, axes)
    for place, row in enumerate(rows_of(table)):
        mark_row(axes, place, looks[row.arm], row)
    met = table[np.isfinite(table["bill"].to_numpy(float))]
    if len(met):
        sns.scatterplot(
            met.assign(place=met.index),
            x="bill",
            y="place",
            hue="arm",
            style="arm",
            palette={arm: look.colour for arm, look in looks.items()},
            markers={arm: look.marker for arm, look in looks.items()},
            s=58,
            edgecolor=PAPER,
            linewidth=0.8,
            zorder=3,
            clip_on=False,
            legend=False,
            ax=axes,
        )
    axes.set_yticks(range(len(table)), [looks[arm].label for arm in table["arm"]])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.text(1.03, 1.0, "hits", transform=axes.transAxes, color=MUTED, va="bottom")
    axes.set(xlabel="sample gradients until the target is met", ylabel="")


def draw_band(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    steps: bool = True,
) -> None:
    """Draw median and range of each arm against spending, on a log axis.

    Args:
        table: Rows of one workload, columns `arm, cost, median, low, high`.
        axes: To draw on.
        looks: Of every arm.
        steps: Whether a value holds until the next; else points are joined.
    """
    table = table[table["cost"] > 0]
    if table.empty:
        say_nothing_yet(axes)
        return
    _draw_lines(table, axes, looks, x="cost", steps=steps)
    axes.set_xscale("log")
    axes.set_xlim(table["cost"].min() / 1.1, table["cost"].max() * 1.15)
    tick_costs(axes)


def draw_target(axes: Axes, target: float, text: str) -> None:
    """Draw the target as a line across, its text at the left end."""
    axes.axhline(target, color=INK, lw=1, ls=(0, (2, 2)), zorder=1.5)
    axes.annotate(
        text,
        (0, target),
        xycoords=axes.get_yaxis_transform(),
        xytext=(3, 2),
        textcoords="offset points",
        color=INK,
        fontsize=8.5,
    )


def draw_rates(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw one quantity of the adaptive arms over their steps.

    Args:
        table: Rows of one workload and quantity: `arm, step, median, low, high`.
        axes: To draw on.
        looks: Of every arm.
    """
    rate = (table["quantity"] == "lr").all()
    if rate:
        table = table[table["median"] > 0]
    if table.empty:
        say_nothing_yet(axes)
        return
    _draw_lines(table, axes, looks, x="step", steps=False)
    if rate:
        axes.set_yscale("log")
        tick_powers(axes, table["low"].clip(lower=table["median"].min()), table["high"])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axes.margins(x=0.02)


def draw_sweep(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the metric over initial learning rates, mean and range over seeds.

    A cross at the lower edge marks rates at which a seed diverged.

    Args:
        table: Rows of one workload and batch size, see `metrics.sweep_table`.
        axes: To draw on.
        looks: Of every arm.
    """
    columns = {"metric_mean": "median", "metric_low": "low", "metric_high": "high"}
    known = table.rename(columns=columns).dropna(subset=["median"])
    if known.empty:
        say_nothing_yet(axes)
    else:
        _draw_lines(known, axes, looks, x="lr", steps=False, every_point=True)
    arms = [arm for arm in looks if arm in set(table["arm"])]
    for level, arm in enumerate(arms):
        failed = table[(table["arm"] == arm) & (table["failures"] > 0)]
        axes.plot(
            failed["lr"],
            np.full(len(failed), 0.03 + 0.045 * level),
            transform=axes.get_xaxis_transform(),
            ls="",
            marker="x",
            ms=4,
            mew=1.3,
            color=looks[arm].colour,
        )
    scale_rates(axes, table)


def draw_shares(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the share of seeds that met the target over initial learning rates.

    Args:
        table: Rows of one workload and batch size, see `metrics.sweep_table`.
        axes: To draw on.
        looks: Of every arm.
    """
    shares = table.assign(**dict.fromkeys(_BAND, table["hit_share"]))
    _draw_lines(shares, axes, looks, x="lr", steps=False, every_point=True)
    scale_rates(axes, table)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])


def _draw_lines(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    x: str,
    steps: bool,
    every_point: bool = False,
) -> None:
    """Draw a line and a band for each arm, and for each `line` of an arm."""
    table = table if "line" in table else table.assign(line=0)
    arms = [arm for arm in looks if arm in set(table["arm"])]
    for (arm, _), rows in table.groupby(["arm", "line"]):
        axes.fill_between(
            rows[x].to_numpy(float),
            rows["low"].to_numpy(float),
            rows["high"].to_numpy(float),
            step="post" if steps else None,
            color=looks[str(arm)].colour,
            alpha=0.15,
            lw=0,
        )
    extra: dict[str, Any] = {"drawstyle": "steps-post"} if steps else {}
    if not every_point:
        extra["markevery"] = (0.08, 0.2)
    sns.lineplot(
        table,
        x=x,
        y="median",
        hue="arm",
        style="arm",
        units="line",
        hue_order=arms,
        style_order=arms,
        palette=[looks[arm].colour for arm in arms],
        markers=[looks[arm].marker for arm in arms],
        dashes=[looks[arm].dash for arm in arms],
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
        estimator=None,
        legend=False,
        ax=axes,
        **extra,
    )
    axes.set(xlabel="", ylabel="")
