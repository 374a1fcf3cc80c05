"""The figures of who is best at which budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.report.figures.bills import draw_band
from hpo_vs_adapt.report.figures.looks import MUTED, PAPER, Look
from hpo_vs_adapt.report.figures.naming import say_others
from hpo_vs_adapt.report.figures.scales import add_legend, say_nothing_yet, tick_costs
from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.style import draw_target
from hpo_vs_adapt.wording import amount, metric_value, probability

__all__ = ["draw_budgets"]


def draw_best_probability(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]
) -> None:
    """Draw as stacked areas who has the best value for so much spending.

    The arms without a look are one area, on top; above it stays blank what goes to
    nobody, as no arm has an evaluation yet.

    Args:
        table: Rows of one workload, see `metrics.best_probability`.
        axes: To draw on.
        looks: Of the arms that are shown by name, the first at the bottom.
    """
    if table.empty:
        say_nothing_yet(axes)
        return
    wide = table.pivot(index="cost", columns="arm", values="probability")
    shown = [arm for arm in looks if arm in wide]
    rest = wide.drop(columns=shown).sum(axis=1)
    areas = axes.stackplot(
        wide.index.to_numpy(float),
        *(wide[arm].to_numpy(float) for arm in shown),
        rest.to_numpy(float),
        colors=[*(looks[arm].colour for arm in shown), MUTED],
    )
    for arm, area in zip(shown, areas, strict=False):
        edge: dict[str, Any] = {"edgecolor": PAPER, "linewidth": 0.8}
        area.set(hatch=looks[arm].hatch, alpha=0.85, **edge)
    areas[-1].set(alpha=0.3)
    axes.set_xscale("log")
    axes.set_xlim(wide.index.min(), wide.index.max())
    tick_costs(axes)
    axes.set_ylim(0, 1)
    axes.grid(visible=False)


_NOTABLE = 0.05  # probability, of arms that have an area of their own


def draw_budgets(scene: Scene) -> Iterator[Drawing]:
    """Draw the best value, and the probability to have it, for so much spending."""
    if len(scene.of("best_probability")):
        yield _best(scene)
    if len(scene.of("tuning_curves")):
        yield _tuning(scene)


def _best(scene: Scene) -> Drawing:
    table = scene.of("best_probability")
    figure = make_figure(2.6)
    axes = figure.subplots()
    shares = table.groupby("arm", sort=False)["probability"].max()
    shares = shares.sort_values(ascending=False, kind="stable")
    notable = shares.index[shares >= min(_NOTABLE, shares.max())]
    looks = scene.named(table, list(notable))
    draw_best_probability(table, axes, looks)
    axes.set_xlabel("sample gradients spent, tuning counted")
    axes.set_ylabel("P(best result)")
    add_legend(figure, looks, list(dict.fromkeys(table["arm"])), filled=True)
    ends = []
    costs = sorted(table["cost"].unique())
    for cost in (costs[len(costs) // 4], costs[len(costs) // 2], costs[-1]):
        rows = table[table["cost"] == cost]
        best = rows.loc[rows["probability"].idxmax()]
        chance = probability(best["probability"])
        ends.append(f"{best['arm']} at {amount(cost)} ({chance})")
    words = (
        "Who is best at which budget",
        "How high an arm's area is at a budget: the probability that it has the best"
        " validation result of all arms by then, its tuning paid from the same budget."
        " Blank: no arm has a result yet."
        + say_others(looks, table["arm"], f"arms that reach {_NOTABLE:g} somewhere"),
        f"Most probably the best: {some(ends)}.",
    )
    return scene.drawing(figure, "best", "budgets", "best_probability", words)


def _tuning(scene: Scene) -> Drawing:
    table = scene.of("tuning_curves")
    figure = make_figure(3.0)
    axes = figure.subplots()
    looks = scene.named(table)
    draw_band(table, axes, looks)
    draw_target(axes, scene.entry.target, f"target {scene.entry.target:g}")
    axes.set_xlabel("sample gradients spent, tuning counted")
    axes.set_ylabel(f"best validation {scene.entry.metric.name}")
    grey = add_names(figure, looks, table)
    up = Direction(scene.entry.metric.mode).up
    last = table.groupby("arm", sort=False)["median"].last()
    last = last.sort_values(ascending=not up, kind="stable")
    said = (f"{arm} {metric_value(value)}" for arm, value in last.items())
    words = (
        "What an arm has found by then, were its trials drawn anew",
        "Executions of each policy are simulated from its trials: a search in a new"
        " random order, another seed. Line: the median of them; band: where 95 % of"
        " single executions lie, which is how lucky one may be. A line ends where the"
        f" dearest execution does.{grey}",
        f"Median best {scene.entry.metric.name} in the end: {some(said)}.",
    )
    return scene.drawing(figure, "tuning", "budgets", "tuning_curves", words)
