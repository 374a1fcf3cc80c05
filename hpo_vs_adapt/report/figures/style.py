"""What all drawings share: the house style, lines with bands, the target.

A drawing is a function of a finished table, the axes to draw on, and the looks of arms.
Arms of the table that have no look are drawn in grey, without a name: so a figure stays
readable with a hundred arms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from hpo_vs_adapt.report.figures.looks import GRID, INK, MUTED, PAPER, Look

__all__ = [
    "draw_lines",
    "draw_points",
    "draw_target",
    "house_style",
    "mark_place",
]

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
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "text.parse_math": False,  # a "$" in a name is a dollar
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the report; figures made inside keep it."""
    with mpl.rc_context(), sns.axes_style("whitegrid"), mpl.rc_context(_STYLE):
        yield


def draw_lines(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    x: str,
    y: str = "median",
    steps: bool = False,
    every_point: bool = False,
) -> None:
    """Draw a line for each arm, and a band where the table has `low` and `high`.

    Args:
        table: Columns `arm`, `x` and `y`; `line` where an arm has several. Rows without
            a finite `y` are left out.
        axes: To draw on.
        looks: Of the arms that are shown by name.
        x: Column along the axis.
        y: Column of the line.
        steps: Whether a value holds until the next; else points are joined.
        every_point: Whether every point has a marker.
    """
    table = table[table[y].astype(float).abs() < float("inf")]
    table = table if "line" in table else table.assign(line=0)
    named = table["arm"].isin(looks)
    _draw_others(table[~named], axes, x, y, steps)
    table = table[named]
    if table.empty:
        return
    arms = [arm for arm in looks if arm in set(table["arm"])]
    axes.set(xlabel=" ", ylabel=" ")  # seaborn takes its time to look for labels
    if "low" in table:
        _draw_bands(table, axes, looks, x, steps)
    extra: dict[str, Any] = {"drawstyle": "steps-post"} if steps else {}
    if not every_point:
        extra["markevery"] = (0.08, 0.2)
    sns.lineplot(
        table,
        x=x,
        y=y,
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


def draw_points(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    x: str,
    y: str,
    size: float = 58,
    **changes: Any,
) -> None:
    """Draw a marker for each row, in the look of its arm.

    Args:
        table: Columns `arm`, `x` and `y`, all finite; every arm has a look.
        axes: To draw on.
        looks: Of every arm.
        x: Column along the axis.
        y: Column of the other axis.
        size: Area of a marker in square points.
        changes: To how a marker is drawn.
    """
    if table.empty:
        return
    axes.set(xlabel=" ", ylabel=" ")
    given: dict[str, Any] = {"edgecolor": PAPER, "linewidth": 0.8, "zorder": 3}
    sns.scatterplot(
        table,
        x=x,
        y=y,
        hue="arm",
        style="arm",
        palette={arm: look.colour for arm, look in looks.items()},
        markers={arm: look.marker for arm, look in looks.items()},
        s=size,
        legend=False,
        ax=axes,
        **(given | changes),
    )
    axes.set(xlabel="", ylabel="")


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


def mark_place(axes: Axes, place: float, text: str) -> None:
    """Draw a place on the horizontal axis as a line upwards, its text at the top."""
    axes.axvline(place, color=INK, lw=1, ls=(0, (2, 2)), zorder=1.5)
    shown = axes.get_xaxis_transform().transform((place, 0))
    right = axes.transAxes.inverted().transform(shown)[0] < 0.5
    axes.annotate(
        text,
        (place, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(3 if right else -3, -2),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
        color=INK,
        fontsize=8.5,
    )


def _draw_bands(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look], x: str, steps: bool
) -> None:
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


def _draw_others(table: pd.DataFrame, axes: Axes, x: str, y: str, steps: bool) -> None:
    """Draw the lines of arms without a look, as one collection: they may be many."""
    lines = []
    for _, rows in table.groupby(["arm", "line"]):
        points = rows[[x, y]].to_numpy(float)
        if steps and len(points) > 1:
            corners = points.repeat(2, axis=0)
            points = corners[1:]
            points[:, 1] = corners[:-1, 1]
        lines.append(points)
    if lines:
        grey = LineCollection(lines, colors=MUTED, linewidths=0.8, alpha=0.3, zorder=1)
        axes.add_collection(grey)
        axes.autoscale_view()
