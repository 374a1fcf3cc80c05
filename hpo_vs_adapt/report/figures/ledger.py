"""The figure of what was spent on what."""

from __future__ import annotations

from collections.abc import Iterator

from hpo_vs_adapt.report.figures.bills import bills_height
from hpo_vs_adapt.report.figures.ledger_figures import (
    PURPOSES,
    draw_ledger,
    ledger_shares,
)
from hpo_vs_adapt.report.figures.scene import Drawing, Scene, make_figure, some
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import amount, shorten

__all__ = ["draw_spending"]


def draw_spending(scene: Scene) -> Iterator[Drawing]:
    """Draw what each arm's policy spent on what."""
    table = scene.of(scene.tables.ledger)
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
