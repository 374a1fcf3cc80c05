"""Sentences on what would change an answer, and how careful to be with the rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from hpo_vs_adapt.tables.rows import of_workload, rows_of
from hpo_vs_adapt.wording import counted, named, percent, rate

__all__ = ["make_care", "make_changes"]

_MOST_TURNS = 6
"""Changes of the cheapest arm over targets that are told one by one."""

_MOST_SWEPT = 8
"""Arms whose learning rates are told."""


def make_changes(
    headline: Any, tables: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[str, str]]:
    """Return what would change the answer for a workload: headings and sentences.

    Held against each other are the cheapest arm that tunes hyperparameters and the
    cheapest one without tuning; nothing is said of tuning where one of them is missing.

    Args:
        headline: Its row of the table of headlines.
        tables: Of the study, see `tables.catalogue`.
    """
    pairs = of_workload(tables["break_even"], headline.workload)
    pair = pairs[
        (pairs["tuned"] == headline.tuned) & (pairs["other"] == headline.untuned)
    ]
    for row in rows_of(pair):
        yield "More trainings", _retraining(row)
        yield from _cheaper_failures(row)
        yield from _workers(row, of_workload(tables["by_workers"], headline.workload))
    yield from _targets(of_workload(tables["target_sweep"], headline.workload))


def make_care(numbers: pd.DataFrame, workload: str, batch_size: int) -> str:
    """Return how far the learning rate of each swept arm may be off; or nothing.

    Args:
        numbers: As from `metrics.sensitivity_numbers`.
        workload: Label in the study.
        batch_size: That the study trains it with.
    """
    own = of_workload(numbers, workload)
    own = own[(own["batch_size"] == batch_size) & own["hit_decades"].notna()]
    # Where other settings were swept too, no single stretch is the arm's.
    own = own.drop_duplicates("arm", keep=False)
    if own.empty:
        return ""
    order = own.sort_values("hit_decades", ascending=False, kind="stable")
    arms = list(rows_of(order))
    ranges = {(arm.tested_low, arm.tested_high) for arm in arms}
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    tried = f"of those tried, {rate(low)} to {rate(high)}" if len(ranges) == 1 else ""
    if not any(arm.hit_decades > 0 for arm in arms):
        return (
            "No learning rate meets the target for half of the seeds,"
            f"{tried and f' {tried},'} with {named(arm.arm for arm in arms)}."
        )
    said = (_stretch(arm) for arm in arms)
    return (
        "Half of the seeds or more meet the target over so many decades of learning"
        f" rates{tried and f', {tried}'}: {named(said, _MOST_SWEPT)}."
    )


def _stretch(arm: Any) -> str:
    if not arm.hit_decades > 0:
        return f"none with {arm.arm}"
    open_ = "at least " if arm.hit_open_low or arm.hit_open_high else ""
    return f"{open_}{float(f'{arm.hit_decades:.2g}'):g} with {arm.arm}"


def _retraining(pair: Any) -> str:
    if pair.runs == 0:
        return (
            f"{pair.tuned} costs no more than {pair.other} already with the first"
            " training, its tuning counted."
        )
    if math.isnan(pair.runs):
        return (
            f"After how many trainings tuning {pair.tuned} pays against {pair.other} is"
            " not known: no training with what it found has met the target yet."
        )
    if math.isinf(pair.runs):
        return (
            f"However often the training is repeated, tuning {pair.tuned} never pays"
            f" against {pair.other}: a training with what it found is not the cheaper."
        )
    sentence = (
        f"Tuning {pair.tuned} pays against {pair.other} after about"
        f" {counted(math.ceil(pair.runs), 'further training')} with what it found"
    )
    if math.isfinite(pair.runs_full_plan) and pair.runs_full_plan > pair.runs:
        sentence += f", after {math.ceil(pair.runs_full_plan)} if its whole plan is run"
    return f"{sentence}."


def _cheaper_failures(pair: Any) -> Iterator[tuple[str, str]]:
    heading = "Cheaper failures"
    if pair.fraction == 0:
        yield (
            heading,
            f"Even if trials that miss cost it nothing, tuning {pair.tuned} would cost"
            f" more than {pair.other}.",
        )
    elif pair.fraction < 1:
        yield (
            heading,
            f"If tuning {pair.tuned} stopped trials that miss after"
            f" {percent(pair.fraction)} of what they cost, it would cost as much as"
            f" {pair.other}.",
        )


def _workers(pair: Any, by_workers: pd.DataFrame) -> Iterator[tuple[str, str]]:
    heading = "More workers"
    if math.isnan(pair.workers) and len(by_workers):
        yield (
            heading,
            f"With no number of trials at once that was looked at, {pair.tuned} meets"
            f" the target sooner than {pair.other}.",
        )
    elif pair.workers > 1:
        yield (
            heading,
            f"With {pair.workers:.0f} trials at once {pair.tuned} meets the target"
            f" sooner than {pair.other}; that is time, not cost.",
        )


def _targets(sweep: pd.DataFrame) -> Iterator[tuple[str, str]]:
    first = sweep[(sweep["rank"] == 1) & (sweep["pass_hits"] > 0)]
    leaders = first.drop_duplicates("target")["arm"]
    turns = [arm for arm, _ in itertools.groupby(leaders)]
    if len(leaders) < 2 or sweep["arm"].nunique() < 2:
        return
    heading = "Another target"
    if len(turns) == 1:
        yield heading, f"{turns[0]} has the least bill at every target looked at."
    elif len(turns) <= _MOST_TURNS:
        yield (
            heading,
            "From easy targets to hard ones the least bill is that of"
            f" {', then '.join(turns)}.",
        )
    else:
        names = named(dict.fromkeys(turns))
        yield heading, f"Which bill is least changes often with it: {names} have it."
