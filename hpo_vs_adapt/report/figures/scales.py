"""Axes, ticks and legends that the figures share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from hpo_vs_adapt.report.figures.looks import MUTED, PAPER, Look
from hpo_vs_adapt.wording import amount, counted, rate

__all__ = [
    "add_legend",
    "limit_costs",
    "on_log_axis",
    "say_nothing_yet",
    "scale_costs",
    "scale_rates",
    "scale_signed",
    "tick_costs",
    "tick_powers",
    "tick_steps",
]


def limit_costs(table: pd.DataFrame, axes: Axes) -> None:
    """Set a log axis that holds all costs of a table of bills, those of 0 apart."""
    points = table[["bill", "cost_per_run", "full_plan"]].to_numpy(float)
    points = points[np.isfinite(points) & (points > 0)]
    ends = table[["bill_low", "bill_high"]].to_numpy(float)
    ends = ends[np.isfinite(ends) & (ends > 0)]
    if not len(points):
        points = np.array([1e3, 1e6])
    # Few passes can give an interval of many decades: it is cut one beyond the points.
    low, high = points.min(), points.max()
    if len(ends):
        low = min(low, max(ends.min(), low / 10))
        high = max(high, min(ends.max(), high * 10))
    axes.set_xscale("log")
    axes.set_xlim(low / 1.35, high * 1.35)
    tick_costs(axes)


def on_log_axis(costs: pd.Series[float]) -> pd.Series[bool]:
    """Return which costs a log axis can show: bills may be 0, or not known."""
    known = costs.astype(float)
    return (known > 0) & (known < math.inf)


def scale_costs(axes: Axes, costs: pd.Series[float]) -> None:
    """Set a vertical log axis that holds these costs, of the points of lines."""
    known = costs[on_log_axis(costs)]
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    if len(known):
        axes.set_ylim(known.min() / 1.35, known.max() * 1.35)
        tick_costs(axes, "y")


def tick_costs(axes: Axes, which: Literal["x", "y"] = "x") -> None:
    """Put ticks of the form 20 k on a log axis of costs, as many as are readable."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    axis = axes.xaxis if which == "x" else axes.yaxis
    decades = np.log10(high / low)
    subs = (1.0,) if decades > 3.2 else (1.0, 3.0) if decades > 1.3 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axis.set_minor_locator(NullLocator())


def scale_rates(axes: Axes, table: pd.DataFrame) -> None:
    """Set a log axis of learning rates that holds those of a table."""
    axes.set_xscale("log")
    rates = table["lr"].to_numpy(float)
    axes.set_xlim(rates.min() / 1.6, rates.max() * 1.6)
    axes.xaxis.set_major_locator(LogLocator(numticks=7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("initial learning rate")


def tick_powers(axes: Axes, low: pd.Series[float], high: pd.Series[float]) -> None:
    """Put few ticks on a log axis of rates, which spans a decade at least."""
    decades = np.log10(high.max() / low.min())
    if decades < 1:
        axes.set_ylim(low.min() / 3, high.max() * 3)
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1.0, 3.0)) if decades < 2 else LogLocator(numticks=6)
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def scale_signed(
    axes: Axes, low: float, high: float, threshold: float, most: int = 6
) -> None:
    """Set a vertical axis that is linear near 0 and logarithmic beyond, both ways.

    Args:
        axes: Whose axis it is.
        low: The least value, below 0.
        high: The greatest value.
        threshold: Size of the values up to which the axis is linear.
        most: Powers of ten that get a tick, besides 0.
    """
    axes.set_yscale("symlog", linthresh=threshold)
    first = math.ceil(math.log10(threshold))
    decades = {
        sign: math.floor(math.log10(end)) - first + 1 if end > threshold else 0
        for sign, end in ((-1, -low), (1, high))
    }
    stride = max(1, math.ceil(sum(decades.values()) / most))
    # The first of a stride, or 0 and its neighbours would touch.
    ticks = [
        sign * 10.0 ** (first + place)
        for sign, count in decades.items()
        for place in range(stride - 1, count, stride)
    ]
    axes.yaxis.set_major_locator(FixedLocator(sorted([0.0, *ticks])))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def tick_steps(axes: Axes) -> None:
    """Put ticks of the form 2 k on an axis of optimizer steps."""
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axes.margins(x=0.02)


def say_nothing_yet(axes: Axes, words: str = "nothing recorded yet") -> None:
    """Say on an empty drawing that there is nothing to draw, or why."""
    axes.text(
        0.5,
        0.5,
        words,
        transform=axes.transAxes,
        ha="center",
        color=MUTED,
    )
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="")


def add_legend(
    figure: Figure,
    looks: Mapping[str, Look],
    arms: list[str],
    filled: bool = False,
) -> None:
    """Put the arms' names above the drawing, in as many columns as they fit into.

    Args:
        figure: It grows by what the names need.
        looks: Of the arms that are shown by name.
        arms: Those of the drawing; the ones without a look are counted.
        filled: Whether they are areas; else lines.
    """
    shown = [looks[arm] for arm in looks if arm in arms]
    others = len(set(arms) - set(looks))
    if not shown:
        return
    handles: list[Any] = [_handle(look, filled) for look in shown]
    labels = [look.label for look in shown]
    if others:
        grey: dict[str, Any] = {"color": MUTED, "alpha": 0.4}
        handles.append(Patch(**grey) if filled else Line2D([], [], lw=0.8, **grey))
        labels.append(counted(others, "other arm"))
    longest = max(map(len, labels))
    columns = max(1, min(len(labels), 80 // (longest + 7)))
    rows = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + 0.19 * rows)
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=columns,
        handlelength=2.4,
        columnspacing=1.4,
        labelspacing=0.25,
        borderaxespad=0,
    )


def _handle(look: Look, filled: bool) -> Patch | Line2D:
    if filled:
        return Patch(facecolor=look.colour, edgecolor=PAPER, hatch=look.hatch)
    dashes: Any = look.dash or (1, 0)
    return Line2D([], [], color=look.colour, marker=look.marker, dashes=dashes)
