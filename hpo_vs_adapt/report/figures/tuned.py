"""The figures of what mattered among tuned hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.tuned_figures import draw_dependence, draw_importances
from hpo_vs_adapt.wording import metric_value, probability, shorten

__all__ = ["draw_tuned"]

_COLUMNS = 2  # panels side by side
_PANELS = 6


def draw_tuned(scene: Scene) -> Iterator[Drawing]:
    """Draw importances, where there is more than one to compare, and dependences."""
    importances = scene.of(scene.analyses.importances).dropna(subset=["fanova"])
    several = importances.groupby("arm")["hyperparameter"].transform("size") > 1
    if several.any():
        yield _importances(scene, importances[several])
    dependence = scene.of(scene.analyses.partial_dependence)
    # Where a surrogate is no better than the mean, its curves mean nothing.
    dependence = dependence[dependence["cv_score"] > 0]
    if len(dependence):
        yield _dependence(scene, dependence)


def _importances(scene: Scene, table: pd.DataFrame) -> Drawing:
    looks = scene.named(table)
    shown = table[table["arm"].isin(looks)]
    figure = make_figure(0.7 + 0.27 * len(shown))
    draw_importances(shown, figure.subplots(), scene.looks)
    first = table.loc[table.groupby("arm", sort=False)["fanova"].idxmax()]
    said = (
        f"{arm} on {name} ({probability(share)})"
        for arm, name, share in zip(
            first["arm"], first["hyperparameter"], first["fanova"], strict=True
        )
    )
    words = (
        "Which tuned settings mattered",
        "Bar: the share of the metric's variance over the searched box that a setting"
        " explains by itself (fANOVA); tick: how much it sets the best tenth of the"
        " trials apart (PED-ANOVA). Where they disagree, a setting matters elsewhere"
        " than among the good trials.",
        f"Most depends: {some(said)}.",
    )
    return scene.drawing(figure, "importances", "sensitivity", "importances", words)


def _dependence(scene: Scene, table: pd.DataFrame) -> Drawing:
    # The settings that most arms have come first.
    names = list(table.drop_duplicates(["arm", "hyperparameter"])["hyperparameter"])
    names = sorted(dict.fromkeys(names), key=lambda name: -names.count(name))[:_PANELS]
    table = table[table["hyperparameter"].isin(names)]
    columns = min(_COLUMNS, len(names))
    lines = -(-len(names) // columns)
    figure = make_figure(0.4 + 2.1 * lines)
    grid: Any = figure.subplots(lines, columns, squeeze=False, sharey=True)
    looks = scene.named(table)
    for name, axes in zip(names, grid.flat, strict=False):
        draw_dependence(table[table["hyperparameter"] == name], axes, looks)
        axes.set_xlabel(shorten(name))
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"expected {scene.entry.metric.name}")
    grey = add_names(figure, looks, table)
    worth = table.drop_duplicates("arm").set_index("arm")["cv_score"]
    worth = worth.sort_values(ascending=False, kind="stable")
    said = (f"{arm} {metric_value(score)}" for arm, score in worth.items())
    words = (
        "Which way the tuned settings pull",
        "The validation result that a surrogate (a random forest on the arm's trials)"
        " expects at a value, the other settings as they were tried. Arms whose"
        " surrogate foretells nothing of settings it has not seen (R² of 0 or less) are"
        f" left out.{grey}",
        f"R² of the surrogates: {some(said)}.",
    )
    return scene.drawing(
        figure, "dependence", "sensitivity", "partial_dependence", words
    )
