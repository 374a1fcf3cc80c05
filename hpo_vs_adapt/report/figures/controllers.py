"""The figures of what the adaptive rules did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from hpo_vs_adapt.report.figures.controller_figures import (
    draw_choices,
    draw_rates,
    draw_scalar,
)
from hpo_vs_adapt.report.figures.looks import Look
from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import counted, metric_value, rate, series

__all__ = ["draw_controllers"]

_SCALARS = {
    "alignment": "alignment",  # GALA
    "curvature": "curvature",  # GALA
    "r": "CLARA's r",
}
"""The rules' own numbers that are drawn, and what their axes are called."""

_TUNED = 2  # winners that adaptive arms are held against
_STRIPS = 24


def draw_controllers(scene: Scene) -> Iterator[Drawing]:
    """Draw rates and momenta, the rules' own numbers, and chosen momenta."""
    rates = scene.of(scene.tables.rates)
    if (rates["kind"] == "adaptive").any():
        yield _rates(scene, rates)
    own = scene.of(scene.controllers)
    chosen = own[own["quantity"] == "momentum"]
    if len(chosen):
        yield _choices(scene, chosen)
    scalars = own[own["quantity"].isin(_SCALARS)]
    if len(scalars):
        yield _scalars(scene, scalars)


def _rates(scene: Scene, table: pd.DataFrame) -> Drawing:
    adaptive, winners, looks = _shown(scene, table)
    momenta = adaptive[adaptive["quantity"] == "momentum"]
    moves = momenta.groupby("arm")["median"].nunique().gt(1).any()
    quantities = ["lr", "momentum"] if moves else ["lr"]
    figure = make_figure(0.6 + 2.0 * len(quantities))
    grid: Any = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)
    for quantity, axes in zip(quantities, grid[:, 0], strict=True):
        rows = pd.concat([adaptive, winners])
        draw_rates(rows[rows["quantity"] == quantity], axes, looks)
        axes.set_ylabel("learning rate" if quantity == "lr" else quantity)
    grid[-1, 0].set_xlabel("optimizer steps")
    grey = add_names(figure, looks, pd.concat([adaptive, winners]))
    named = series(["learning rate", "momentum"][: len(quantities)])
    against = list(dict.fromkeys(winners["arm"]))
    words = (
        f"What the adaptive arms did with the {named}",
        "Line: median over seeds; band: their range."
        + (
            f" Dashed: what tuning found, the winners of {some(against)}."
            * bool(against)
        )
        + ("" if moves else " No momentum changed over time, so it is not drawn.")
        + grey,
        _movements(adaptive[adaptive["quantity"] == "lr"])
        + _found(winners[winners["quantity"] == "lr"]),
    )
    return scene.drawing(figure, "rates", "controllers", "rates", words)


def _shown(
    scene: Scene, table: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Look]]:
    """Return the rows of adaptive arms, of the cheapest tuned ones, and their looks."""
    adaptive = table[table["kind"] == "adaptive"]
    tuned = table[table["kind"] == "tuned"]
    best = [arm for arm in scene.order if arm in set(tuned["arm"])][:_TUNED]
    winners = tuned[tuned["arm"].isin(best)]
    named = scene.named(adaptive, most=8 - len(best)).keys() | set(best)
    looks = {arm: look for arm, look in scene.looks.items() if arm in named}
    return adaptive, winners, looks


def _movements(rates: pd.DataFrame) -> str:
    parts = [
        f"{arm} from {rate(rows['median'].iloc[0])} to {rate(rows['median'].iloc[-1])}"
        for arm, rows in rates.groupby("arm", sort=False)
    ]
    return f"Learning rates went: {some(parts)}." if parts else "No rate is recorded."


def _found(winners: pd.DataFrame) -> str:
    if winners.empty:
        return ""
    start = winners.groupby("arm", sort=False)["median"].first()
    return f" Tuning found: {some(f'{arm} {rate(lr)}' for arm, lr in start.items())}."


def _choices(scene: Scene, table: pd.DataFrame) -> Drawing:
    runs = table.drop_duplicates(["arm", "seed"])[["arm", "seed"]]
    shown = table.merge(runs.head(_STRIPS), on=["arm", "seed"])
    figure = make_figure(0.9 + 0.22 * min(len(runs), _STRIPS))
    axes = figure.subplots()
    draw_choices(shown, axes, scene.looks)
    axes.set_xlabel("optimizer steps")
    most = table.groupby("arm", sort=False)["value"].agg(lambda own: own.mode().iloc[0])
    left = max(len(runs) - _STRIPS, 0)
    words = (
        "Which momentum was chosen when",
        "One strip a run, by arm and seed: the momentum in use at each evaluation."
        + (f" {counted(left, 'further run')} in the table." if left else ""),
        "Chosen most often: "
        + some(f"{arm} {value:.3g}" for arm, value in most.items())
        + ".",
    )
    return scene.drawing(figure, "choices", "controllers", "controllers", words)


def _scalars(scene: Scene, table: pd.DataFrame) -> Drawing:
    names = [name for name in _SCALARS if name in set(table["quantity"])]
    figure = make_figure(0.6 + 1.8 * len(names))
    grid: Any = figure.subplots(len(names), 1, sharex=True, squeeze=False)
    looks = scene.named(table)
    for name, axes in zip(names, grid[:, 0], strict=True):
        draw_scalar(table[table["quantity"] == name], axes, looks)
        axes.set_ylabel(_SCALARS[name])
    grid[-1, 0].set_xlabel("optimizer steps")
    grey = add_names(figure, looks, table)
    groups = table.groupby(["arm", "quantity"], sort=False)["value"]
    middle = groups.median().reset_index()
    said = (
        f"{_SCALARS[row.quantity]} of {row.arm} {metric_value(row.value)}"
        for row in rows_of(middle)
    )
    words = (
        "What steered the rules",
        "The numbers from which the rules set their rates: GALA from how well gradients"
        " of successive steps align and how curved the loss is between them, CLARA from"
        " r, how far the path of its steps is from a random walk's. Line: median over"
        f" seeds; band: their range.{grey}",
        f"Medians over all steps: {some(said)}.",
    )
    return scene.drawing(figure, "scalars", "controllers", "controllers", words)
