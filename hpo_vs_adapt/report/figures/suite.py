"""The figures over all workloads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hpo_vs_adapt.report.figures.bills import bills_height
from hpo_vs_adapt.report.figures.looks import GRID, Look, looks_of
from hpo_vs_adapt.report.figures.naming import name_arms, say_others
from hpo_vs_adapt.report.figures.ratios import draw_ratios, rank_by_ratios
from hpo_vs_adapt.report.figures.scales import say_nothing_yet
from hpo_vs_adapt.report.figures.scene import Drawing, add_names, make_figure, some
from hpo_vs_adapt.report.figures.style import draw_lines, draw_points
from hpo_vs_adapt.report.figures.svg import svg_text
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.wording import counted, probability, ratio

__all__ = ["draw_suite"]


def draw_profiles(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw the share of workloads each arm solves within so many trainings.

    Args:
        table: See `metrics.budget_profiles`.
        axes: To draw on.
        looks: Of the arms that are shown by name.
    """
    if table.empty:
        say_nothing_yet(axes)
        return
    draw_lines(table, axes, looks, x="alpha", y="share", steps=True, every_point=True)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(table["alpha"].unique())))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.04, 1.04)
    axes.set(xlabel="bill, in ordinary trainings (log)", ylabel="share of workloads")


def draw_scores(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw each arm's score, the best on top; a bar is what leaving one other out does.

    Args:
        table: See `metrics.across_workloads`.
        axes: To draw on.
        looks: Of every arm.
    """
    table = table.reset_index(drop=True)
    for place, row in enumerate(rows_of(table)):
        axes.axhline(place, color=GRID, lw=0.7, zorder=0)
        axes.plot(
            [row.score_low, row.score_high],
            [place, place],
            color=looks[row.arm].colour,
            lw=3.2,
            alpha=0.4,
            solid_capstyle="round",
        )
    points = table.assign(place=table.index)
    draw_points(points, axes, looks, x="score", y="place", clip_on=False)
    axes.set_yticks(range(len(table)), [looks[arm].label for arm in table["arm"]])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(-0.03, 1.03)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="performance-profile score", ylabel="")


def draw_plane(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    """Draw how good each swept arm is when tuned against how much that takes.

    Args:
        table: See `metrics.adkins_plane`; arms without a sensitivity are left out.
        axes: To draw on.
        looks: Of every arm.
    """
    known = table[np.isfinite(table[["phi", "tuned"]].to_numpy(float)).all(axis=1)]
    if known.empty:
        say_nothing_yet(axes)
        return
    draw_points(known, axes, looks, x="phi", y="tuned", size=80, clip_on=False)
    middle = (known["phi"].min() + known["phi"].max()) / 2
    # Rules that are the same in all but their tuning share a point: one label each.
    for (phi, tuned), arms in known.groupby(["phi", "tuned"])["arm"]:
        label = looks[arms.iloc[0]].label
        axes.annotate(
            label if len(arms) == 1 else f"{label} and {len(arms) - 1} more",
            (phi, tuned),
            xytext=(-7 if phi > middle else 7, 4),
            ha="right" if phi > middle else "left",
            textcoords="offset points",
            fontsize=8.5,
        )
    axes.margins(x=0.15, y=0.18)
    axes.set(
        xlabel="sensitivity: score lost without tuning per workload",
        ylabel="score when tuned per workload",
    )


_WIDE = 7.4  # inches


def draw_suite(study: Study, tables: Mapping[str, pd.DataFrame]) -> Iterator[Drawing]:
    """Draw ratios, profiles, scores and the plane of sensitivity of all workloads."""
    looks = looks_of([arm.name for arm in study.arms])
    ratios = tables["bills"]["ratio"].to_numpy(float)
    if study.reference and len(study.workloads) > 1 and np.isfinite(ratios).any():
        yield _ratios(tables["bills"], looks, study.reference)
    across = tables["across_workloads"]
    if len(study.workloads) > 1 and across["solved"].any():
        yield _profiles(tables["budget_profiles"], across, looks)
        yield _scores(across, looks)
    plane = tables["sensitivity_plane"]
    if np.isfinite(plane["phi"].to_numpy(float)).any():
        yield _plane(plane, looks)


def _ratios(bills: pd.DataFrame, looks: Mapping[str, Look], reference: str) -> Drawing:
    arms = rank_by_ratios(bills)
    workloads = bills["workload"].nunique()
    figure = make_figure(1.5 + 0.2 * len(arms), width=_WIDE)
    draw_ratios(bills, figure.subplots(), looks, reference)
    said = (
        f"{row.arm} {row.solved} ({ratio(row.mean_ratio)})" for row in rows_of(arms)
    )
    alone = bills["ratio"].isna() & np.isfinite(bills["bill"].to_numpy(float))
    words = (
        "Every contender on every workload",
        f"An arm's bill in multiples of that of {reference}, tuning counted on both"
        " sides: blue is cheaper, red is dearer. Bold: the 95 % interval of the ratio"
        " leaves out 1. Never: no pass met the target."
        + (f" Met: {reference} never did, so there is no ratio." * bool(alone.any()))
        + " On top is who met the target on most workloads; among equals, who has the"
        " lesser mean ratio: the geometric mean over the workloads where both met it."
        " Means over different workloads don't compare.",
        f"Of {counted(workloads, 'workload')}, the target was met on so many, with that"
        f" mean ratio to {reference}: {some(said)}.",
    )
    return dataclasses.replace(_drawing(figure, "ratios", "bills", words), wide=True)


def _profiles(
    table: pd.DataFrame, scores: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing:
    named = name_arms(looks, scores["arm"])
    figure = make_figure(2.9)
    axes = figure.subplots()
    draw_profiles(table, axes, named)
    add_names(figure, named, table)
    last = table.groupby("arm")["share"].last()
    last = last.sort_values(ascending=False, kind="stable")
    said = (f"{arm} {probability(share)}" for arm, share in last.items())
    words = (
        "How many workloads are solved for so much",
        "A workload is solved for so much if the arm's bill there, tuning counted, is"
        " at most that many ordinary trainings. A line does not depend on who else"
        " competes."
        + say_others(named, table["arm"], "the best scores, as colours go"),
        f"Share of workloads solved for {table['alpha'].max():g} trainings or less:"
        f" {some(said)}.",
    )
    return _drawing(figure, "profiles", "budget_profiles", words)


def _scores(table: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing:
    figure = make_figure(bills_height(len(table)))
    draw_scores(table, figure.subplots(), looks)
    said = (
        f"{arm} {probability(score)}"
        for arm, score in zip(table["arm"], table["score"], strict=True)
    )
    words = (
        "How close arms come to the cheapest, over workloads",
        "1: the least bill on every workload; 0: nowhere within a factor of four of it,"
        " or never met the target. Bar: least and greatest score if one of the other"
        " arms had not competed. It describes these workloads, and ranks no arm on"
        " others.",
        f"Scores: {some(said)}.",
    )
    return _drawing(figure, "scores", "across_workloads", words)


def _plane(table: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing:
    figure = make_figure(3.2)
    draw_plane(table, figure.subplots(), looks)
    known = table.dropna(subset=["phi"]).sort_values("phi", kind="stable")
    said = (
        f"{arm} {phi:.2g}" for arm, phi in zip(known["arm"], known["phi"], strict=True)
    )
    words = (
        "How good when tuned, and how much that takes",
        "Up: the mean score, 0 bad and 1 good, of each workload's best settings of the"
        " sweep. To the right: what is lost of it with the one setting that is best for"
        " all workloads together. Upper left is good without care.",
        f"Score lost without tuning per workload: {some(said)}.",
    )
    return _drawing(figure, "plane", "sensitivity_plane", words)


def _drawing(
    figure: Figure, name: str, table: str, words: tuple[str, str, str]
) -> Drawing:
    title, caption, finding = words
    return Drawing(
        name=name,
        workload="",
        table=table,
        title=title,
        caption=caption,
        finding=finding,
        svg=svg_text(figure, name),
        topic="suite",
    )
