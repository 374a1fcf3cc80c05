"""Drawings of learning rate and batch size together."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_hex

from hpo_vs_adapt.report.figures.looks import MUTED, Look, ink_on
from hpo_vs_adapt.report.figures.scales import scale_rates
from hpo_vs_adapt.report.figures.style import draw_lines
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import UNKNOWN, amount, rate

__all__ = ["draw_heatmap", "draw_spread"]


def draw_heatmap(
    table: pd.DataFrame,
    axes: Axes,
    column: str,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw a column over learning rates and batch sizes; brighter is better.

    A point that never met the target has a dash in place of its bill, and no colour; a
    cross says that a run failed there.

    Args:
        table: Rows of one workload and arm, see `metrics.sweep_table`.
        axes: To draw on.
        column: ``hit_share``, or ``ert`` on a log scale.
        limits: Of the colours, of bills; those of the table if there are none.
    """
    rates = sorted(table["lr"].unique())
    sizes = sorted(table["batch_size"].unique())
    cells = table.groupby(["batch_size", "lr"], as_index=False).agg(
        value=(column, "mean"), failures=("failures", "sum")
    )
    shown = cells.pivot(index="batch_size", columns="lr", values="value")
    values = shown.loc[sizes, rates].to_numpy(float)
    norm = _norm(values, column, limits)
    colours = colormaps["cividis" if column == "hit_share" else "cividis_r"]
    axes.pcolormesh(
        np.ma.masked_invalid(values),
        norm=norm,
        cmap=colours,
        edgecolors="face",
        linewidth=0.3,
    )
    for row in rows_of(cells):
        known = math.isfinite(row.value)
        ink = ink_on(to_hex(colours(norm(row.value)))) if known else MUTED
        axes.text(
            rates.index(row.lr) + 0.5,
            sizes.index(row.batch_size) + 0.5,
            _cell(row.value, column)
            + ("\N{MULTIPLICATION SIGN}" if row.failures else ""),
            ha="center",
            va="center",
            fontsize=7.5,
            color=ink,
        )
    axes.set_xticks(np.arange(len(rates)) + 0.5, [rate(value) for value in rates])
    axes.set_yticks(np.arange(len(sizes)) + 0.5, [f"{size:g}" for size in sizes])
    axes.tick_params(axis="x", rotation=45 if len(rates) > 5 else 0)
    axes.grid(visible=False)


def draw_spread(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the metric over initial rates, mean and deviation over batch sizes.

    Args:
        table: Rows of one workload, see `metrics.batch_size_spread`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    mean, deviation = table["metric_mean"], table["metric_sd"]
    bands = table.assign(median=mean, low=mean - deviation, high=mean + deviation)
    draw_lines(bands, axes, looks, x="lr", every_point=True)
    scale_rates(axes, table)


def _norm(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    column: str,
    limits: tuple[float, float] | None,
) -> Normalize:
    if column == "hit_share":
        return Normalize(0, 1)
    known = values[np.isfinite(values) & (values > 0)]
    low, high = limits or ((known.min(), known.max()) if known.size else (1.0, 2.0))
    return LogNorm(low, high if high > low else 2 * low)


def _cell(value: float, column: str) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:.2g}" if column == "hit_share" else amount(value).replace(" ", "")
