"""The figures of bills."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hpo_vs_adapt.report.figures.bill_figures import draw_bills
from hpo_vs_adapt.report.figures.scene import Drawing, Scene, Unit, make_figure, some
from hpo_vs_adapt.report.sentences.verdict import goal
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import amount

__all__ = ["bills_height", "draw_all_bills", "say_bills"]

_COSTS = [
    f"{name}{end}"
    for name in ("bill", "full_plan", "cost_per_run")
    for end in ("", "_low", "_high")
]


def draw_all_bills(scene: Scene) -> Iterator[Drawing]:
    """Draw what reaching the target costs with every arm, in each unit."""
    table = scene.of(scene.tables.bills)
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
