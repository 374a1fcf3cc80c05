"""Drawings of who has the best result for so much spending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from hpo_vs_adapt.report.figures.looks import MUTED, PAPER, Look
from hpo_vs_adapt.report.figures.scales import say_nothing_yet, tick_costs

__all__ = ["draw_best_probability"]


def draw_best_probability(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw as stacked areas who has the best value for so much spending.

    The arms without a look are one area, on top; above it stays blank what goes to
    nobody, as no arm has an evaluation yet.

    Args:
        table: Rows of one workload, see `metrics.best_probability`.
        axes: To draw on.
        looks: Of the arms that are shown by name, the first at the bottom.
    """
    if table.empty:
        say_nothing_yet(axes)
        return
    wide = table.pivot(index="cost", columns="arm", values="probability")
    shown = [arm for arm in looks if arm in wide]
    rest = wide.drop(columns=shown).sum(axis=1)
    areas = axes.stackplot(
        wide.index.to_numpy(float),
        *(wide[arm].to_numpy(float) for arm in shown),
        rest.to_numpy(float),
        colors=[*(looks[arm].colour for arm in shown), MUTED],
    )
    for arm, area in zip(shown, areas, strict=False):
        edge: dict[str, Any] = {"edgecolor": PAPER, "linewidth": 0.8}
        area.set(hatch=looks[arm].hatch, alpha=0.85, **edge)
    areas[-1].set(alpha=0.3)
    axes.set_xscale("log")
    axes.set_xlim(wide.index.min(), wide.index.max())
    tick_costs(axes)
    axes.set_ylim(0, 1)
    axes.grid(visible=False)
