"""The figures of races: results and chances against spending."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.report.figures.bills import draw_band, draw_chances
from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    Unit,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.style import draw_target
from hpo_vs_adapt.wording import amount, probability

__all__ = ["draw_races"]


def draw_races(scene: Scene) -> Iterator[Drawing]:
    """Draw the race, in each unit, the chance to meet the target, and one training."""
    race = scene.of("race")
    chances = scene.of("chances")
    training = scene.of("training")
    for unit in scene.units:
        if len(race):
            yield _race(scene, unit.scale(race, ["cost"]), unit)
    if len(chances):
        yield _chances(scene, chances)
    if len(training):
        yield _training(scene, training)


def _race(scene: Scene, table: pd.DataFrame, unit: Unit) -> Drawing:
    figure = make_figure(3.3)
    axes = figure.subplots()
    looks = scene.named(table)
    draw_band(table, axes, looks)
    draw_target(axes, scene.entry.target, f"target {scene.entry.target:g}")
    axes.set_ylabel(f"best validation {scene.entry.metric.name} so far")
    axes.set_xlabel(f"{unit.label} spent")
    grey = add_names(figure, looks, table)
    caption = (
        "A tuned arm's line runs through its whole search, every trial charged; an"
        " arm without tuning is one training. Line: median over seeds or tuner"
        " seeds; band: from the worst to the best of them. The arm that crosses the"
        f" dotted target line further left gets there for less.{grey}"
    )
    title = "The race: best result against everything spent"
    words = (title, caption, _crossings(scene, table))
    return scene.drawing(figure, "race", "race", "race", words, unit)


def _chances(scene: Scene, table: pd.DataFrame) -> Drawing:
    figure = make_figure(2.8)
    axes = figure.subplots()
    looks = scene.named(table)
    draw_chances(table, axes, looks)
    axes.set_ylabel("P(target met)")
    axes.set_xlabel("sample gradients spent")
    grey = add_names(figure, looks, table)
    last = table.groupby("arm", sort=False)["probability"].last()
    last = last.sort_values(ascending=False, kind="stable")
    said = (f"{arm} {probability(share)}" for arm, share in last.items())
    words = (
        "How likely the target is met for so much",
        "The share of an arm's passes that have met the target for that much or less"
        " (Kaplan-Meier); a line that stays below 1 has passes that never met it. A"
        " pass is one training, or one search of a tuned arm. Few passes say little:"
        f" the table has 95 % bounds.{grey}",
        f"Share of passes that met the target in the end: {some(said)}.",
    )
    return scene.drawing(figure, "chances", "race", "chances", words)


def _training(scene: Scene, table: pd.DataFrame) -> Drawing:
    figure = make_figure(3.0)
    axes = figure.subplots()
    looks = scene.named(table)
    draw_band(table, axes, looks, steps=False)
    draw_target(axes, scene.entry.target, f"target {scene.entry.target:g}")
    axes.set_ylabel(f"validation {scene.entry.metric.name}")
    axes.set_xlabel("sample gradients spent")
    grey = add_names(figure, looks, table)
    words = (
        "One training each, the search left out",
        "Learning curves of the arms without tuning, and of each tuned arm's winner"
        " trained again. Line: median; band: range over runs. A run that diverged"
        f" counts from there on with the worst value.{grey}",
        _crossings(scene, table),
    )
    return scene.drawing(figure, "training", "race", "training", words)


def _crossings(scene: Scene, table: pd.DataFrame) -> str:
    median = table["median"].to_numpy(dtype=float)
    direction = Direction(scene.entry.metric.mode)
    met = table[direction.meets(median, scene.entry.target)]
    first = met.groupby("arm")["cost"].min().sort_values(kind="stable")
    sentences = [f"{arm} after {amount(cost)}" for arm, cost in first.items()]
    never = [arm for arm in dict.fromkeys(table["arm"]) if arm not in first]
    said = f"The median meets the target: {some(sentences)}." if sentences else ""
    if never:
        said += f" The median never meets it: {some(never)}."
    return said.strip()
