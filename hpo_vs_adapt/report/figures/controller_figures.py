"""Drawings of what the adaptive rules did while they trained."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from hpo_vs_adapt.report.figures.looks import Look
from hpo_vs_adapt.report.figures.scales import (
    say_nothing_yet,
    scale_signed,
    tick_powers,
    tick_steps,
)
from hpo_vs_adapt.report.figures.style import draw_lines
from hpo_vs_adapt.wording import rate

__all__ = ["draw_choices", "draw_rates", "draw_scalar"]


def draw_rates(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw one quantity of arms over their steps; what tuning found is dashed.

    Args:
        table: Rows of one workload and quantity, columns `kind`, `arm, step, median,
            low, high` (`controllers.make_rates`).
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    rates = (table["quantity"] == "lr").all()
    if rates:
        table = table[table["median"] > 0]
    if table.empty:
        say_nothing_yet(axes)
        return
    tuned = table["kind"] == "tuned"
    draw_lines(table[~tuned], axes, looks, x="step")
    for arm, rows in table[tuned & table["arm"].isin(looks)].groupby("arm"):
        axes.plot(
            rows["step"].to_numpy(float),
            rows["median"].to_numpy(float),
            color=looks[str(arm)].colour,
            ls=(0, (5, 2)),
            lw=1.3,
            marker=looks[str(arm)].marker,
            markevery=[-1],
            clip_on=False,
        )
    if rates:
        axes.set_yscale("log")
        tick_powers(axes, table["low"].clip(lower=table["median"].min()), table["high"])
    tick_steps(axes)


def draw_scalar(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw one of the rules' own scalars over their steps, median and range over seeds.

    An axis of values of one sign that span two decades is logarithmic, of either sign
    linear near 0 and logarithmic beyond.

    Args:
        table: Rows of one workload and quantity, see `curves.make_controllers`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    table = table[np.isfinite(table["value"].to_numpy(float))]
    if table.empty:
        say_nothing_yet(axes)
        return
    groups = table.groupby(["arm", "step"], sort=False)["value"]
    bands = groups.agg(median="median", low="min", high="max").reset_index()
    draw_lines(bands, axes, looks, x="step")
    size = bands["median"].abs()
    size = size[size > 0]
    if len(size) and size.max() / size.min() > 100:
        if (bands["low"] > 0).all():
            axes.set_yscale("log")
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
        else:
            low, high = float(bands["low"].min()), float(bands["high"].max())
            scale_signed(axes, low, high, float(size.quantile(0.1)))
    tick_steps(axes)


def draw_choices(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the momentum that was chosen at each evaluation, one strip a run.

    Args:
        table: Rows of one workload, see `curves.make_controllers`, of the quantity
            `momentum` of runs that choose among momenta.
        axes: To draw on; it gets a legend of the momenta.
        looks: Of every arm.
    """
    table = table[np.isfinite(table["value"].to_numpy(float))]
    if table.empty:
        say_nothing_yet(axes)
        return
    levels = sorted(table["value"].unique())
    shades = colormaps["cividis"](np.linspace(0, 1, max(len(levels), 2)))
    labels = []
    for place, ((arm, seed), rows) in enumerate(
        table.groupby(["arm", "seed"], sort=False)
    ):
        starts = rows["step"].to_numpy(float)
        pace = np.diff(starts).max() if len(starts) > 1 else 1.0
        widths = np.append(np.diff(starts), pace)
        colours = [shades[levels.index(value)] for value in rows["value"]]
        axes.barh(place, widths, left=starts, height=0.8, color=colours, linewidth=0)
        labels.append(f"{looks[str(arm)].label}, {seed}")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False)
    tick_steps(axes)
    axes.margins(x=0)
    axes.legend(
        [Patch(color=shade) for shade in shades[: len(levels)]],
        [f"{level:.3g}" for level in levels],
        title="momentum",
        loc="upper left",
        bbox_to_anchor=(1, 1),
        alignment="left",
    )
