"""Drawings of what mattered among the hyperparameters of tuned arms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from hpo_vs_adapt.report.figures.looks import INK, Look
from hpo_vs_adapt.report.figures.style import draw_lines
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import rate, shorten

__all__ = ["draw_dependence", "draw_importances"]


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
