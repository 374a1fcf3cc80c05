"""The figures of bills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hpo_vs_adapt.report.figures.looks import MUTED, Look
from hpo_vs_adapt.report.figures.marks import mark_row
from hpo_vs_adapt.report.figures.scales import limit_costs, say_nothing_yet, tick_costs
from hpo_vs_adapt.report.figures.scene import Drawing, Scene, Unit, make_figure, some
from hpo_vs_adapt.report.figures.style import draw_lines, draw_points
from hpo_vs_adapt.report.sentences.verdict import goal
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import amount

__all__ = ["bills_height", "draw_all_bills", "draw_band", "draw_chances", "say_bills"]


def draw_bills(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw what each arm costs until the target is met, the cheapest on top.

    A filled marker with its interval is the bill, a hollow one the full plan, a tick
    the cost of one run. An arm that never met the target stands at the right edge, one
    whose bill is 0 at the left.

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
    bills = table["bill"].to_numpy(float)
    met = table[np.isfinite(bills) & (bills > 0)]
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
    if not start > 0:
        say_nothing_yet(axes, "met before any training, or never")
        return
    draw_band(lines.assign(cost=lines["cost"].clip(lower=start)), axes, looks)
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])


_COSTS = [
    f"{name}{end}"
    for name in ("bill", "full_plan", "cost_per_run")
    for end in ("", "_low", "_high")
]


def draw_all_bills(scene: Scene) -> Iterator[Drawing]:
    """Draw what reaching the target costs with every arm, in each unit."""
    table = scene.of("bills")
    for unit in scene.units:
        yield _bills(scene, unit.scale(table, _COSTS), unit)


def bills_height(arms: int) -> float:
    """Return how high a figure with a row for each arm is, in inches."""
    return 0.85 + (0.29 if arms <= 20 else 0.22) * arms


def say_bills(table: pd.DataFrame, unit: str) -> str:
    """Return the bills in words, the cheapest first."""
    met = table[np.isfinite(table["bill"].to_numpy(float))].sort_values("bill")
    said = [f"{row.arm} {amount(row.bill)}" for row in rows_of(met)]
    never = table.loc[~table["arm"].isin(met["arm"]), "arm"]
    finding = f"Bills in {unit}: {some(said)}." if said else ""
    if len(never):
        finding += f" Never met the target: {some(never)}."
    return finding.strip()


def _bills(scene: Scene, table: pd.DataFrame, unit: Unit) -> Drawing:
    figure = make_figure(bills_height(len(table)))
    axes = figure.subplots()
    draw_bills(table, axes, scene.looks)
    axes.set_xlabel(f"{unit.label} until the target is met")
    caption = (
        "Filled marker and bar: the expected bill and its 95 % interval, tuning"
        " counted; further left is cheaper. Hollow marker: the bill of a tuned arm"
        " whose whole plan is run, one retraining included. Tick: one training with"
        " the settings found, as if the search were free. Numbers at the right:"
        " passes that met the target, of all passes. The axis is logarithmic."
    )
    words = (
        f"What reaching {goal(scene.entry)} costs",
        caption,
        say_bills(table, unit.label),
    )
    return scene.drawing(figure, "bills", "bills", "bills", words, unit)
