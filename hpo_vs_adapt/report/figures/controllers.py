"""The figures of what the adaptive rules did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from hpo_vs_adapt.report.figures.looks import Look
from hpo_vs_adapt.report.figures.scales import (
    say_nothing_yet,
    scale_signed,
    tick_powers,
    tick_steps,
)
from hpo_vs_adapt.report.figures.scene import (
    Drawing,
    Scene,
    add_names,
    make_figure,
    some,
)
from hpo_vs_adapt.report.figures.style import draw_lines
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import counted, metric_value, rate, series

__all__ = ["draw_controllers"]


def draw_rates(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw one quantity of arms over their steps; what tuning found is dashed.

    Args:
        table: Rows of one workload and quantity, columns `kind`, `arm, step, median,
            low, high` (`controllers.make_rates`).
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    rates = (table["quantity"] == "lr").all()
    if rates:
        table = table[table["median"] > 0]
    if table.empty:
        say_nothing_yet(axes)
        return
    tuned = table["kind"] == "tuned"
    draw_lines(table[~tuned], axes, looks, x="step")
    for arm, rows in table[tuned & table["arm"].isin(looks)].groupby("arm"):
        axes.plot(
            rows["step"].to_numpy(float),
            rows["median"].to_numpy(float),
            color=looks[str(arm)].colour,
            ls=(0, (5, 2)),
            lw=1.3,
            marker=looks[str(arm)].marker,
            markevery=[-1],
            clip_on=False,
        )
    if rates:
        axes.set_yscale("log")
        tick_powers(axes, table["low"].clip(lower=table["median"].min()), table["high"])
    tick_steps(axes)


def draw_scalar(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw one of the rules' own scalars over their steps, median and range over seeds.

    An axis of values of one sign that span two decades is logarithmic, of either sign
    linear near 0 and logarithmic beyond.

    Args:
        table: Rows of one workload and quantity, see `curves.make_controllers`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    table = table[np.isfinite(table["value"].to_numpy(float))]
    if table.empty:
        say_nothing_yet(axes)
        return
    groups = table.groupby(["arm", "step"], sort=False)["value"]
    bands = groups.agg(median="median", low="min", high="max").reset_index()
    draw_lines(bands, axes, looks, x="step")
    size = bands["median"].abs()
    size = size[size > 0]
    if len(size) and size.max() / size.min() > 100:
        if (bands["low"] > 0).all():
            axes.set_yscale("log")
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
        else:
            low, high = float(bands["low"].min()), float(bands["high"].max())
            scale_signed(axes, low, high, float(size.quantile(0.1)))
    tick_steps(axes)


def draw_choices(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the momentum that was chosen at each evaluation, one strip a run.

    Args:
        table: Rows of one workload, see `curves.make_controllers`, of the quantity
            `momentum` of runs that choose among momenta.
        axes: To draw on; it gets a legend of the momenta.
        looks: Of every arm.
    """
    table = table[np.isfinite(table["value"].to_numpy(float))]
    if table.empty:
        say_nothing_yet(axes)
        return
    levels = sorted(table["value"].unique())
    shades = colormaps["cividis"](np.linspace(0, 1, max(len(levels), 2)))
    labels = []
    for place, ((arm, seed), rows) in enumerate(
        table.groupby(["arm", "seed"], sort=False)
    ):
        starts = rows["step"].to_numpy(float)
        pace = np.diff(starts).max() if len(starts) > 1 else 1.0
        widths = np.append(np.diff(starts), pace)
        colours = [shades[levels.index(value)] for value in rows["value"]]
        axes.barh(place, widths, left=starts, height=0.8, color=colours, linewidth=0)
        labels.append(f"{looks[str(arm)].label}, {seed}")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False)
    tick_steps(axes)
    axes.margins(x=0)
    axes.legend(
        [Patch(color=shade) for shade in shades[: len(levels)]],
        [f"{level:.3g}" for level in levels],
        title="momentum",
        loc="upper left",
        bbox_to_anchor=(1, 1),
        alignment="left",
    )


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
    rates = scene.of("rates")
    if (rates["kind"] == "adaptive").any():
        yield _rates(scene, rates)
    own = scene.of("controllers")
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
