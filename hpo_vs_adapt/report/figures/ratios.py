"""The drawing of all arms on all workloads: bills as multiples of the reference's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, to_hex

from hpo_vs_adapt.report.figures.looks import INK, MUTED, PAPER, Look, ink_on
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import UNKNOWN, amount, ratio, shorten

__all__ = ["draw_ratios", "rank_by_ratios"]

_FACTORS = (1.25, 2, 5, 20)
_BOUNDS = (*(1 / factor for factor in reversed(_FACTORS)), *_FACTORS)
_BOUND_LABELS = ("1/20", "1/5", "1/2", "0.8", "1.25", "2", "5", "20")
_MET, _NEVER = "#dcefe0", "#c9ccd2"  # cells without a ratio; these, too, in the dark
_BESIDE = 1.15  # columns of the axes for the kind of arm, as for each of two sums
_SMALL = 7.5


def rank_by_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return the arms in the order of `draw_ratios`, with what they are ordered by.

    Who met the target on more workloads comes first; among equals who has the lesser
    geometric mean of the ratios, over the workloads where the reference met it too.

    Args:
        table: Columns `arm, kind, bill, ratio`, as from `Results.costs`.

    Returns:
        Columns `arm, kind, solved, mean_ratio`; the mean of nothing is NaN.
    """
    known = table.assign(
        solved=np.isfinite(table["bill"].to_numpy(float)),
        mean_ratio=np.log(table["ratio"].astype(float).where(table["ratio"] > 0)),
    )
    sums = known.groupby("arm", sort=False).agg(
        kind=("kind", "first"),
        solved=("solved", "sum"),
        mean_ratio=("mean_ratio", "mean"),
    )
    sums["mean_ratio"] = np.exp(sums["mean_ratio"])
    return sums.reset_index().sort_values(
        ["solved", "mean_ratio"],
        ascending=[False, True],
        kind="stable",
        na_position="last",
        ignore_index=True,
    )


def draw_ratios(
    table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look], reference: str = ""
) -> None:
    """Draw the ratio of each arm's bill to the reference's, workload by workload.

    Blue is cheaper than the reference and red dearer; bold, where the 95 % interval of
    the ratio leaves out 1. Arms are rows, in the order of `rank_by_ratios`.

    Args:
        table: Columns `bills.BILL_COLUMNS`, as from `Results.costs`.
        axes: To draw on; its figure gets a scale of the colours.
        looks: Of every arm.
        reference: Arm whose row is marked.
    """
    arms = rank_by_ratios(table)
    workloads = list(dict.fromkeys(table["workload"]))
    places = {arm: place for place, arm in enumerate(arms["arm"])}
    shades = colormaps["RdBu_r"](np.linspace(0.04, 0.96, len(_BOUNDS) + 1))
    colours = ListedColormap(shades).with_extremes(under=shades[0], over=shades[-1])
    norm = BoundaryNorm(_BOUNDS, colours.N, extend="both")
    for row in rows_of(table):
        shade = to_hex(colours(norm(row.ratio))) if row.ratio > 0 else ""
        _draw_cell(axes, workloads.index(row.workload), places[row.arm], row, shade)
    for row in rows_of(arms):
        solved = f"{row.solved}/{len(workloads)}"
        mean = _multiple(row.mean_ratio)
        for at, text, ink in (
            (-_BESIDE / 2, row.kind, MUTED),
            (len(workloads) + 0.5 * _BESIDE, solved, INK),
            (len(workloads) + 1.5 * _BESIDE, mean, INK),
        ):
            _write(axes, at, places[row.arm], text, color=ink)
    _label(axes, workloads, [_name(looks[arm], arm == reference) for arm in places])
    scale = axes.figure.colorbar(
        ScalarMappable(norm, colours),
        ax=axes,
        orientation="horizontal",
        ticks=_BOUNDS,
        aspect=45,
        shrink=0.8,
        pad=0.01,
    )
    scale.ax.set_xticklabels(_BOUND_LABELS, fontsize=8)
    scale.set_label(
        f"bill, in multiples of {reference or 'the reference'}'s", fontsize=8
    )


def _draw_cell(axes: Axes, column: int, row: int, bill: Any, shade: str) -> None:
    """Draw the cell of an arm on a workload; without a ratio it says why."""
    if not bill.trials:
        _write(axes, column + 0.5, row, UNKNOWN, color=MUTED)
        return
    fill, text = shade, _multiple(bill.ratio)
    if not shade:
        met = math.isfinite(bill.bill)
        fill = _MET if met else _NEVER
        text = "met" if met else "never" if bill.trials >= bill.planned else "not yet"
    axes.barh(row, 1, left=column, height=1, color=fill, ec=PAPER, lw=0.4)
    sure = bill.ratio_low > 1 or bill.ratio_high < 1
    weight = "bold" if sure else "normal"
    _write(axes, column + 0.5, row, text, color=ink_on(fill), fontweight=weight)


def _write(axes: Axes, x: float, y: float, text: str, **looks: Any) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=_SMALL, **looks)


def _multiple(value: float) -> str:
    return amount(value).replace(" ", "") if value >= 1e4 else ratio(value)


def _name(look: Look, is_reference: bool) -> str:
    return f"{look.label} (reference)" if is_reference else look.label


def _label(axes: Axes, workloads: list[str], arms: list[str]) -> None:
    beside = [(len(workloads) + (place + 0.5) * _BESIDE) for place in range(2)]
    ticks = [*(place + 0.5 for place in range(len(workloads))), *beside]
    labels = [*(shorten(name, 24) for name in workloads), "target met", "mean ratio"]
    axes.xaxis.tick_top()
    axes.set_xticks(ticks, labels, rotation=35, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(arms)), arms)
    axes.tick_params(length=0, pad=2, labelsize=8.5)
    axes.set_xlim(-_BESIDE, len(workloads) + 2 * _BESIDE)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
