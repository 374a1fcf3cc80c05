"""The figures of what mattered among tuned hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from hpo_vs_adapt.report.figures.looks import INK, Look
from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.style import draw_lines
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import metric_value, probability, rate, shorten

__all__ = ["draw_tuned"]


def draw_importances(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw how much each tuned hyperparameter mattered: a bar by fANOVA, a tick by PED.

    Args:
        table: Rows of one workload, see `metrics.hyperparameter_importances`.
        axes: To draw on.
        looks: Of every arm.
    """
    table = table.reset_index(drop=True)
    for place, row in enumerate(rows_of(table)):
        look = looks[row.arm]
        axes.barh(place, row.fanova, height=0.6, color=look.colour, alpha=0.75)
        axes.plot(row.ped_anova, place, ls="", marker="|", ms=12, mew=2, color=INK)
    names = [
        f"{looks[row.arm].label}: {shorten(row.hyperparameter, 16)}"
        for row in rows_of(table)
    ]
    axes.set_yticks(range(len(table)), names)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="importance (an arm's add up to 1)", ylabel="")


def draw_dependence(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the metric that a surrogate expects over one hyperparameter's values.

    Numbers that span more than a decade and a half are drawn on a log axis, words and
    flags side by side.

    Args:
        table: Of one workload and hyperparameter, see `metrics.partial_dependence`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    flags = table["value"].map(lambda value: isinstance(value, bool | np.bool_))
    numbers = pd.to_numeric(table["value"], errors="coerce").astype(float)
    if flags.any() or numbers.isna().any():
        words = list(dict.fromkeys(map(str, table["value"])))
        places = [words.index(str(value)) for value in table["value"]]
        _draw(table.assign(value=places), axes, looks, every_point=True)
        axes.set_xticks(range(len(words)), [shorten(word, 12) for word in words])
        return
    _draw(table.assign(value=numbers), axes, looks)
    if numbers.min() > 0 and numbers.max() / numbers.min() > 30:
        axes.set_xscale("log")
        few = numbers.max() / numbers.min() < 1000
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1.0, 3.0)) if few else LogLocator(numticks=6)
        )
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))


def _draw(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    every_point: bool = False,
) -> None:
    draw_lines(table, axes, looks, x="value", y="metric", every_point=every_point)


_COLUMNS = 2  # panels side by side
_PANELS = 6


def draw_tuned(scene: Scene) -> Iterator[Drawing]:
    """Draw importances, where there is more than one to compare, and dependences."""
    importances = scene.of("importances").dropna(subset=["fanova"])
    several = importances.groupby("arm")["hyperparameter"].transform("size") > 1
    if several.any():
        yield _importances(scene, importances[several])
    dependence = scene.of("partial_dependence")
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
