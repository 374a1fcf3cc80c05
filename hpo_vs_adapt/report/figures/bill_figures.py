"""Drawings of what arms cost until the target is met, and on the way there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hpo_vs_adapt.report.figures.looks import MUTED, Look
from hpo_vs_adapt.report.figures.marks import mark_row
from hpo_vs_adapt.report.figures.scales import limit_costs, say_nothing_yet, tick_costs
from hpo_vs_adapt.report.figures.style import draw_lines, draw_points
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["draw_band", "draw_bills", "draw_chances"]


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
    draw_points(
        met.assign(place=met.index), axes, looks, x="bill", y="place", clip_on=False
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
        table: Rows of one workload, columns `arm, cost, median`; of a range also `low`
            and `high`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
        steps: Whether a value holds until the next; else points are joined.
    """
    table = table[table["cost"] > 0]
    if table.empty:
        say_nothing_yet(axes)
        return
    draw_lines(table, axes, looks, x="cost", steps=steps)
    axes.set_xscale("log")
    axes.set_xlim(table["cost"].min() / 1.1, table["cost"].max() * 1.15)
    tick_costs(axes)


def draw_chances(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the probability to have met the target by each spending, on a log axis.

    Args:
        table: Rows of one workload, columns `chances.CHANCE_COLUMNS`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    # Bounds of a few passes reach from a tenth to 1 and would hide the lines.
    lines = table.rename(columns={"probability": "median"})[["arm", "cost", "median"]]
    start = lines.loc[lines["cost"] > 0, "cost"].min() / 2
    draw_band(lines.assign(cost=lines["cost"].clip(lower=start)), axes, looks)
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
