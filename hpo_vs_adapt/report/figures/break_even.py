"""The figure of when tuning pays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hpo_vs_adapt.report.figures.looks import Look
from hpo_vs_adapt.report.figures.scales import on_log_axis, say_nothing_yet, scale_costs
from hpo_vs_adapt.report.figures.scene import Drawing, Scene, add_names, make_figure
from hpo_vs_adapt.report.figures.style import draw_lines, mark_place
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import counted, ratio

__all__ = ["draw_break_even"]


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
    table = table[on_log_axis(table[y])]
    if table.empty:
        say_nothing_yet(axes)
        return False
    scale_costs(axes, table[y])
    draw_lines(table, axes, looks, x=x, y=y, every_point=every_point)
    return True


def draw_break_even(scene: Scene) -> Iterator[Drawing]:
    """Draw totals over further trainings, the price of failures, and workers."""
    totals = scene.of("retrainings")
    prices = scene.of("failure_prices")
    workers = scene.of("by_workers")
    met = prices[on_log_axis(prices["bill"])]
    if met.empty:
        return
    figure = make_figure(6.9)
    panels = figure.subplots(3, 1)
    looks = scene.named(met)
    draw_retrainings(totals, panels[0], looks)
    draw_failure_prices(prices, panels[1], looks)
    draw_workers(workers, panels[2], looks)
    for axes, label in zip(
        panels,
        ("spent in all", "bill", "latency"),
        strict=True,
    ):
        axes.set_ylabel(f"{label}, sample gradients")
    crossed = _mark_crossings(scene, panels)
    grey = add_names(figure, looks, met)
    caption = (
        "Top: the bill plus further trainings with what was found; a flatter line is a"
        " cheaper training. Middle: the bill if a run that misses could be stopped"
        " after that share of its cost. Bottom: how long it takes until the target is"
        " met with so many workers, which a search shares out. Axes of costs are"
        " logarithmic. An arm that never met the target has no line." + crossed + grey
    )
    words = ("When tuning pays", caption, _say(scene))
    yield scene.drawing(figure, "break-even", "break_even", "break_even", words)


def _rivals(scene: Scene) -> Any:
    """Return the pair of the answer: the cheapest tuned arm and the cheapest untuned.

    It is None where one of them is missing.
    """
    headline = next(rows_of(scene.of("headlines")))
    table = scene.of("break_even")
    pair = table["tuned"].eq(headline.tuned) & table["other"].eq(headline.untuned)
    return next(rows_of(table[pair]), None)


def _mark_crossings(scene: Scene, panels: Sequence[Axes]) -> str:
    """Mark where the cheapest tuned arm and the cheapest other cross; say so."""
    rival = _rivals(scene)
    if rival is None:
        return ""
    marked = [
        _mark(panels[0], rival.runs, "pays after {}"),
        _mark(panels[1], rival.crossing_price, "bills cross at {}"),
        _mark(panels[2], rival.workers, "quicker from {}"),
    ]
    pair = (
        f"{rival.tuned}, the tuned arm with the least bill, and {rival.other}, the one"
        " without tuning,"
    )
    if any(marked):
        return f" Dotted: where {pair} change places."
    return f" The lines of {pair} cross in none of them."


def _mark(axes: Axes, place: float, text: str) -> bool:
    low, high = sorted(axes.get_xlim())
    inside = low < place < high
    if inside:
        mark_place(axes, place, text.format(ratio(place)))
    return inside


def _say(scene: Scene) -> str:
    rival = _rivals(scene)
    if rival is None:
        return "No tuned arm and no untuned one have both met the target."
    pair = f"{rival.tuned} against {rival.other}: tuning "
    if math.isnan(rival.runs):
        after = "has no known cost of a further training"
    elif math.isinf(rival.runs):
        after = "never pays, as its trainings are not the cheaper ones"
    elif rival.runs <= 0:
        after = "pays from the start"
    else:
        after = f"pays after {counted(math.ceil(rival.runs), 'further training')}"
    quicker = (
        f" It is the quicker one from {counted(int(rival.workers), 'worker')} on."
        if math.isfinite(rival.workers)
        else " It is the slower one with any number of workers up to 32."
    )
    return f"{pair}{after}.{quicker}"
