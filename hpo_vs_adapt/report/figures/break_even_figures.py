"""Drawings of when tuning pays: trainings, cheaper failures, workers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hpo_vs_adapt.report.figures.looks import Look
from hpo_vs_adapt.report.figures.scales import say_nothing_yet, scale_costs
from hpo_vs_adapt.report.figures.style import draw_lines

__all__ = ["draw_failure_prices", "draw_retrainings", "draw_workers"]


def draw_retrainings(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw what each arm has cost after so many further trainings, on log axes.

    Args:
        table: Rows of one workload, see `metrics.retraining_curves`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    # The bounds of two terms added up are too wide to say what crosses where.
    table = table.drop(columns=["low", "high"])
    if not _draw(table[table["runs"] > 0], axes, looks, x="runs", y="total"):
        return
    axes.set_xscale("log")
    axes.set_xlim(table["runs"].min(), table["runs"].max())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("further trainings that meet the target")


def draw_failure_prices(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw each arm's bill over the price of a trial that misses.

    Args:
        table: Rows of one workload, see `metrics.failure_price_curves`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    if not _draw(table, axes, looks, x="price", y="bill"):
        return
    axes.set_xlim(0, 1)
    axes.set_xlabel("price of a miss, as a share of what it spent")


def draw_workers(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw how long each arm takes with several workers at once, on log axes.

    Args:
        table: Rows of one workload, see `metrics.bills_by_workers`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    if not _draw(table, axes, looks, x="workers", y="latency", every_point=True):
        return
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(table["workers"].unique())))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("workers at once")


def _draw(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    x: str,
    y: str,
    every_point: bool = False,
) -> bool:
    """Draw lines over a log axis of costs; return whether there was any."""
    table = table[np.isfinite(table[y].to_numpy(float))]
    if table.empty:
        say_nothing_yet(axes)
        return False
    scale_costs(axes, table[y])
    draw_lines(table, axes, looks, x=x, y=y, every_point=every_point)
    return True
