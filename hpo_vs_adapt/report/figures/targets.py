"""The figure of what another target would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.report.figures.looks import Look
from hpo_vs_adapt.report.figures.scales import on_log_axis, say_nothing_yet, scale_costs
from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.style import draw_lines, mark_place
from hpo_vs_adapt.wording import metric_value

__all__ = ["draw_targets"]


def draw_target_bills(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw each arm's bill over the target; a line ends where the arm never met it.

    Args:
        table: Rows of one workload, see `metrics.target_sweep`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    met = table[on_log_axis(table["bill"])]
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


def draw_targets(scene: Scene) -> Iterator[Drawing]:
    """Draw bills and ranks over targets."""
    table = scene.of("target_sweep")
    if not on_log_axis(table["bill"]).any():
        return
    yield _sweep(scene, table)


def _sweep(scene: Scene, table: pd.DataFrame) -> Drawing:
    figure = make_figure(4.6)
    bills, ranks = figure.subplots(2, 1, sharex=True)
    looks = scene.named(table)
    draw_target_bills(table, bills, looks)
    draw_target_ranks(table, ranks, looks)
    if not Direction(scene.entry.metric.mode).up:
        ranks.invert_xaxis()  # harder targets to the right
    for axes in (bills, ranks):
        mark_place(axes, scene.entry.target, "")
    mark_place(bills, scene.entry.target, f"target {scene.entry.target:g}")
    bills.set_ylabel("bill, sample gradients")
    ranks.set_ylabel("rank by bill")
    ranks.set_xlabel(
        f"target for the validation {scene.entry.metric.name}, harder to the right"
    )
    grey = add_names(figure, looks, table)
    cheapest = table[table["rank"] == 1].drop_duplicates("target")
    changes = cheapest[cheapest["arm"] != cheapest["arm"].shift()]
    said = (
        f"{arm} from {metric_value(target)}"
        for arm, target in zip(changes["arm"], changes["target"], strict=True)
    )
    words = (
        "Would another target change the order?",
        "Top: the expected bill if the target were another one, from easy to the"
        " hardest that any trial met; a line ends where no trial of the arm met it."
        " Bottom: the arms by their bills. Targets near the right end favour whoever"
        f" got lucky once.{grey}",
        f"The least bill has: {some(said)}." if len(changes) else "No bill is known.",
    )
    return scene.drawing(figure, "targets", "targets", "target_sweep", words)
