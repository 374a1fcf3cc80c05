"""Drawings of what another target would change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hpo_vs_adapt.report.figures.looks import Look
from hpo_vs_adapt.report.figures.scales import say_nothing_yet, scale_costs
from hpo_vs_adapt.report.figures.style import draw_lines

__all__ = ["draw_target_bills", "draw_target_ranks"]


def draw_target_bills(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw each arm's bill over the target; a line ends where the arm never met it.

    Args:
        table: Rows of one workload, see `metrics.target_sweep`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    met = table[np.isfinite(table["bill"].to_numpy(float))]
    if met.empty:
        say_nothing_yet(axes)
        return
    scale_costs(axes, met["bill"])
    # With few passes the intervals are decades wide and would hide the lines.
    lines = met.drop(columns=["low", "high"])
    draw_lines(lines, axes, looks, x="target", y="bill")


def draw_target_ranks(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw the arms' ranks over the target, the cheapest on top.

    Args:
        table: Rows of one workload, see `metrics.target_sweep`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    ranked = table[(table["pass_hits"] > 0) & table["rank"].notna()]
    if ranked.empty:
        say_nothing_yet(axes)
        return
    lines = ranked.drop(columns=["low", "high"])
    draw_lines(lines, axes, looks, x="target", y="rank")
    axes.set_ylim(ranked["rank"].max() + 0.5, 0.5)
    further = MaxNLocator(6, integer=True).tick_values(1, ranked["rank"].max())
    axes.set_yticks(
        [1, *(rank for rank in further if 1.5 < rank <= ranked["rank"].max())]
    )
