"""The figure of what was spent on what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hpo_vs_adapt.report.figures.bills import bills_height
from hpo_vs_adapt.report.figures.looks import MUTED, PAPER, PURPOSE_COLOURS, Look
from hpo_vs_adapt.report.figures.scales import say_nothing_yet
from hpo_vs_adapt.report.figures.scene import Drawing, Scene, make_figure, some
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import amount, shorten

__all__ = ["draw_spending"]

PURPOSES = {
    "training": "training",
    "second_gradient": "second gradients",
    "held_out": "held-out samples",
    "line_search": "line searches",
    "refresh": "BatchNorm refreshes",
    "lost": "lost with a worker",
    "failed": "trials that failed",
}
"""What a bill counts, and how it is called."""


def ledger_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return what each arm's policy spent on what, as shares of all that it spent.

    Args:
        table: Rows of one workload, columns `spending.LEDGER_COLUMNS`; evaluation,
            retrainings and sweeps, which no bill counts, are left out.

    Returns:
        One row an arm, by falling total, a column for each of `PURPOSES`: shares of 1;
        what failed trials spent is under ``failed``, whatever it was for. And `total`,
        in sample gradients.
    """
    charged = table[(table["role"] == "policy") & (table["purpose"] != "evaluation")]
    purpose = charged["purpose"].mask(charged["failed"].astype(bool), "failed")
    wide = charged.assign(purpose=purpose).pivot_table(
        index="arm", columns="purpose", values="cost", aggfunc="sum", fill_value=0.0
    )
    wide = wide.reindex(columns=list(PURPOSES), fill_value=0.0).astype(float)
    total = wide.sum(axis=1)
    shares = wide.div(total.where(total > 0), axis=0).assign(total=total)
    return shares[total > 0].sort_values("total", ascending=False, kind="stable")


def draw_ledger(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw what each arm spent on what, as shares; what it spent stands at the right.

    Shares, as the lengths of stacked bars mean nothing on the log axis that totals of
    several decades would need.

    Args:
        table: Rows of one workload, columns `spending.LEDGER_COLUMNS`.
        axes: To draw on; it gets a legend above.
        looks: Of every arm.
    """
    shares = ledger_shares(table)
    if shares.empty:
        say_nothing_yet(axes)
        return
    places = np.arange(len(shares))
    left = np.zeros(len(shares))
    colours = (light for light, _ in PURPOSE_COLOURS)
    for (purpose, label), colour in zip(PURPOSES.items(), colours, strict=True):
        width = shares[purpose].to_numpy(float)
        if width.any():
            axes.barh(
                places,
                width,
                left=left,
                height=0.72,
                label=label,
                color=colour,
                hatch="///" if purpose == "failed" else "",
                edgecolor=PAPER,
                linewidth=0.5,
            )
        left += width
    for place, total in enumerate(shares["total"]):
        axes.text(1.02, place, amount(total), va="center", color=MUTED)
    axes.text(1.02, -0.75, "spent", va="bottom", color=MUTED)
    axes.set_yticks(places, [looks[str(arm)].label for arm in shares.index])
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="share of the sample gradients of all policy trials", ylabel="")


def draw_spending(scene: Scene) -> Iterator[Drawing]:
    """Draw what each arm's policy spent on what."""
    table = scene.of("ledger")
    shares = ledger_shares(table)
    if shares.empty:
        return
    figure = make_figure(bills_height(len(shares)) + 0.25)
    axes = figure.subplots()
    draw_ledger(table, axes, scene.looks)
    figure.legend(loc="outside upper left", ncols=3, borderaxespad=0)
    extra = shares.drop(columns=["training", "total"]).reset_index()
    extra = extra.melt("arm", var_name="purpose", value_name="share")
    extra = extra.sort_values("share", ascending=False, kind="stable")
    said = [
        f"{row.arm} {100 * row.share:.0f} % on {PURPOSES[row.purpose]}"
        for row in rows_of(extra[extra["share"] >= 0.005])
    ]
    first = shares.index[0]
    words = (
        f"What each arm spent on what, on {shorten(scene.entry.name, 40)}",
        "All trials of an arm's policy, as a bill charges them: retrainings, sweeps and"
        " evaluation are left out. What failed trials spent stands apart, whatever it"
        " was for. Numbers at the right: sample gradients in all.",
        f"Most was spent by {first}: {amount(shares['total'].iloc[0])}. "
        + (f"Beyond plain training: {some(said)}." if said else "All of it trained."),
    )
    yield scene.drawing(figure, "ledger", "ledger", "ledger", words)
