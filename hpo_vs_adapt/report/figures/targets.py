"""The figure of what another target would change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.style import mark_place
from hpo_vs_adapt.report.figures.target_figures import (
    draw_target_bills,
    draw_target_ranks,
)
from hpo_vs_adapt.wording import metric_value

__all__ = ["draw_targets"]


def draw_targets(scene: Scene) -> Iterator[Drawing]:
    """Draw bills and ranks over targets."""
    table = scene.of(scene.analyses.target_sweep)
    if not np.isfinite(table["bill"].to_numpy(float)).any():
        return
    yield _sweep(scene, table)


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
