"""The figures of what another target would change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hpo_vs_adapt.report.bill_figures import draw_bills
from hpo_vs_adapt.report.figures import mark_place
from hpo_vs_adapt.report.gallery.bills import bills_height, say_bills
from hpo_vs_adapt.report.gallery.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.target_figures import draw_target_bills, draw_target_ranks
from hpo_vs_adapt.report.wording import metric_value

__all__ = ["draw_targets"]


def draw_targets(scene: Scene) -> Iterator[Drawing]:
    """Draw bills and ranks over targets, and the bills at three of them."""
    table = scene.of(scene.analyses.target_sweep)
    if not np.isfinite(table["bill"].to_numpy(float)).any():
        return
    yield _sweep(scene, table)
    for number, target in enumerate(_three(scene, table), 1):
        yield _bills_at(scene, table[table["target"] == target], target, number)


def _sweep(scene: Scene, table: pd.DataFrame) -> Drawing:
    figure = make_figure(4.6)
    bills, ranks = figure.subplots(2, 1, sharex=True)
    looks = scene.named(table)
    draw_target_bills(table, bills, looks)
    draw_target_ranks(table, ranks, looks)
    if scene.entry.metric.mode == "min":
        ranks.invert_xaxis()  # harder targets to the right
    for axes in (bills, ranks):
        mark_place(axes, scene.entry.target, "")
    mark_place(bills, scene.entry.target, f"target {scene.entry.target:g}")
    bills.set_ylabel("bill, sample gradients")
    ranks.set_ylabel("rank by bill")
    ranks.set_xlabel(
        f"target for the validation {scene.entry.metric.name}, harder to the right"
    )
    add_names(figure, looks, table)
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
        " got lucky once.",
        f"The least bill has: {some(said)}." if len(changes) else "No bill is known.",
    )
    return scene.drawing(figure, "targets", "targets", "target_sweep", words)


def _three(scene: Scene, table: pd.DataFrame) -> list[float]:
    """Return an easy target, the study's and a hard one that two arms have met."""
    up = scene.entry.metric.mode == "max"
    levels = sorted(table["target"].unique(), reverse=not up)
    met = table[table["pass_hits"] > 0].groupby("target").size()
    hard = [level for level in levels if met.get(level, 0) >= 2] or levels
    own = min(levels, key=lambda level: abs(level - scene.entry.target))
    return list(dict.fromkeys((levels[0], own, hard[-1])))


def _bills_at(scene: Scene, table: pd.DataFrame, target: float, number: int) -> Drawing:
    arms = scene.of(scene.tables.bills)[["arm", "kind", "trials", "planned"]]
    names = {"low": "bill_low", "high": "bill_high"}
    bills = arms.merge(table.rename(columns=names), on="arm", how="left")
    bills[["passes", "pass_hits"]] = (
        bills[["passes", "pass_hits"]].fillna(0).astype(int)
    )
    bills = bills.assign(cost_per_run=np.nan, full_plan=np.nan)
    figure = make_figure(bills_height(len(bills)))
    draw_bills(bills, figure.subplots(), scene.looks)
    own = target == scene.entry.target
    words = (
        f"What reaching {metric_value(target)} costs"
        + (", the study's target" if own else ""),
        "Marker and bar: the expected bill and its 95 % interval at this target, tuning"
        " counted; further left is cheaper. Numbers at the right: passes that met it,"
        " of all passes. The axis is logarithmic.",
        say_bills(bills, "sample gradients"),
    )
    return scene.drawing(
        figure, "bills", "targets", "target_sweep", words, suffix=f"-target-{number}"
    )
