"""What stands beside the bill in an arm's row of the figure of bills."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hpo_vs_adapt.report.figures.looks import GRID, MUTED, PAPER, Look
from hpo_vs_adapt.wording import why_no_bill

__all__ = ["mark_row"]

_COUNTS_AT = 1.03  # of the width of the axes


def mark_row(axes: Axes, place: int, look: Look, row: Any) -> None:
    """Draw interval, full plan, cost of one run and hits of an arm.

    An arm that never met the target has an arrow at the right edge instead, one whose
    bill is 0 at the left edge, and one that was never tried words alone.

    Args:
        axes: With limits on the logarithmic axis of costs.
        place: Of the arm on the other axis.
        look: Of the arm.
        row: Of the table of bills.
    """
    axes.axhline(place, color=GRID, lw=0.7, zorder=0)
    axes.text(
        _COUNTS_AT,
        place,
        f"{row.pass_hits}/{row.passes}" if row.trials else "",
        transform=axes.get_yaxis_transform(),
        va="center",
        color=MUTED,
    )
    if not math.isfinite(row.bill):
        if row.trials:
            _mark_edge(axes, place, look, 1, 7)
        _write_at(axes, place, 1, why_no_bill(row))
        return
    if not row.bill:
        _mark_edge(axes, place, look, 0, 7)
        _write_at(axes, place, 0, "0: met before any training")
    _mark_interval(axes, place, look, row)
    mark: dict[str, Any] = {"color": look.colour, "ls": "", "clip_on": False}
    if row.cost_per_run > 0:
        axes.plot(row.cost_per_run, place, marker="|", ms=11, mew=1.6, **mark)
    if row.kind == "tuned" and row.full_plan > 0:
        axes.plot(row.full_plan, place, marker=look.marker, ms=6, mfc=PAPER, **mark)


def _mark_interval(axes: Axes, place: int, look: Look, row: Any) -> None:
    """Draw the interval of the bill; arrows say that it goes on beyond the axis."""
    if not row.bill_low <= row.bill_high:
        return
    low, high = axes.get_xlim()
    axes.plot(
        np.clip([row.bill_low, row.bill_high], low, high),
        [place, place],
        color=look.colour,
        lw=3.2,
        alpha=0.4,
        solid_capstyle="round",
    )
    if row.bill_low < low:
        _mark_edge(axes, place, look, 0, 4.5)
    if row.bill_high > high:
        _mark_edge(axes, place, look, 1, 4.5)


def _write_at(axes: Axes, place: int, edge: int, words: str) -> None:
    """Write within the axes, from the left edge (0) or up to the right one (1)."""
    axes.annotate(
        words,
        (edge, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-7 if edge else 7, 0),
        textcoords="offset points",
        ha="right" if edge else "left",
        va="center",
        color=MUTED,
    )


def _mark_edge(axes: Axes, place: int, look: Look, edge: int, size: float) -> None:
    """Draw an arrow that points out of the axes, left (0) or right (1)."""
    axes.plot(
        edge,
        place,
        transform=axes.get_yaxis_transform(),
        marker=">" if edge else "<",
        ms=size,
        color=look.colour,
        clip_on=False,
    )
