"""Drawings of the arms over all workloads of a study."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hpo_vs_adapt.report.figures.looks import GRID, Look
from hpo_vs_adapt.report.figures.scales import say_nothing_yet
from hpo_vs_adapt.report.figures.style import draw_lines, draw_points
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["draw_plane", "draw_profiles", "draw_scores"]


def draw_profiles(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the share of workloads each arm solves within so many trainings.

    Args:
        table: See `metrics.budget_profiles`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    if table.empty:
        say_nothing_yet(axes)
        return
    draw_lines(table, axes, looks, x="alpha", y="share", steps=True, every_point=True)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(table["alpha"].unique())))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.04, 1.04)
    axes.set(xlabel="bill, in ordinary trainings (log)", ylabel="share of workloads")


def draw_scores(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw each arm's score, the best on top; a bar is what leaving one other out does.

    Args:
        table: See `metrics.across_workloads`.
        axes: To draw on.
        looks: Of every arm.
    """
    table = table.reset_index(drop=True)
    for place, row in enumerate(rows_of(table)):
        axes.axhline(place, color=GRID, lw=0.7, zorder=0)
        axes.plot(
            [row.score_low, row.score_high],
            [place, place],
            color=looks[row.arm].colour,
            lw=3.2,
            alpha=0.4,
            solid_capstyle="round",
        )
    points = table.assign(place=table.index)
    draw_points(points, axes, looks, x="score", y="place", clip_on=False)
    axes.set_yticks(range(len(table)), [looks[arm].label for arm in table["arm"]])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(-0.03, 1.03)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="performance-profile score", ylabel="")


def draw_plane(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw how good each swept arm is when tuned against how much that takes.

    Args:
        table: See `metrics.adkins_plane`; arms without a sensitivity are left out.
        axes: To draw on.
        looks: Of every arm.
    """
    known = table[np.isfinite(table[["phi", "tuned"]].to_numpy(float)).all(axis=1)]
    if known.empty:
        say_nothing_yet(axes)
        return
    draw_points(known, axes, looks, x="phi", y="tuned", size=80, clip_on=False)
    middle = (known["phi"].min() + known["phi"].max()) / 2
    # Rules that are the same in all but their tuning share a point: one label each.
    for (phi, tuned), arms in known.groupby(["phi", "tuned"])["arm"]:
        label = looks[arms.iloc[0]].label
        axes.annotate(
            label if len(arms) == 1 else f"{label} and {len(arms) - 1} more",
            (phi, tuned),
            xytext=(-7 if phi > middle else 7, 4),
            ha="right" if phi > middle else "left",
            textcoords="offset points",
            fontsize=8.5,
        )
    axes.margins(x=0.15, y=0.18)
    axes.set(
        xlabel="sensitivity: score lost without tuning per workload",
        ylabel="score when tuned per workload",
    )
