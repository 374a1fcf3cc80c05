"""The figures of what mattered among tuned hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.report.gallery.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.tuned_figures import draw_dependence, draw_importances
from hpo_vs_adapt.report.wording import metric_value, probability, shorten

__all__ = ["draw_tuned"]

_COLUMNS = 2  # panels side by side
_PANELS = 6


def draw_tuned(scene: Scene) -> Iterator[Drawing]:
    """Draw importances, where there is more than one to compare, and dependences."""
    importances = scene.of(scene.analyses.importances).dropna(subset=["fanova"])
    several = importances.groupby("arm")["hyperparameter"].transform("size") > 1
    if several.any():
        yield _importances(scene, importances[several])
    if len(scene.of(scene.analyses.partial_dependence)):
        yield _dependence(scene)


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


def _dependence(scene: Scene) -> Drawing:
    table = scene.of(scene.analyses.partial_dependence)
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
    add_names(figure, looks, table)
    worth = table.drop_duplicates("arm").set_index("arm")["cv_score"]
    known = worth[np.isfinite(worth.to_numpy(float))].sort_values(ascending=False)
    said = [f"{arm} {metric_value(score)}" for arm, score in known.items()]
    words = (
        "Which way the tuned settings pull",
        "The validation result that a surrogate (a random forest on the arm's trials)"
        " expects at a value, the other settings as they were tried. It is worth what"
        " the surrogate is: see its R² on configurations it has not seen.",
        f"R² of the surrogates: {some(said)}." if said else "No surrogate was checked.",
    )
    return scene.drawing(
        figure, "dependence", "sensitivity", "partial_dependence", words
    )
