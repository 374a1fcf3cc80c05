"""The answer over all workloads of a study: who does best, and a line for each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.headlines import tied
from hpo_vs_adapt.tables.rows import of_workload, rows_of
from hpo_vs_adapt.wording import (
    UNKNOWN,
    amount,
    counted,
    interval,
    named,
    ratio,
    series,
)

__all__ = ["Overview", "OverviewRow", "make_overview"]

_SHARING = 2
"""Arms that share a least bill that are named."""

_NEXT = 3
"""Arms behind the best one that are named with their scores."""


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """A workload in the overview: every cell as it is shown, empty where unknown."""

    workload: str
    leader: str
    bill: str
    bill_interval: str
    candidates: str
    tuned: str
    ratio: str
    ratio_interval: str
    pays: str


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page says first of several workloads.

    Args:
        finding: Who does best over all of them; one sentence.
        details: Sentences on who is next, on tuning, and on what this is worth.
        rows: One a workload.
    """

    finding: str
    details: tuple[str, ...]
    rows: tuple[OverviewRow, ...]


def make_overview(study: Study, tables: Mapping[str, pd.DataFrame]) -> Overview | None:
    """Return the overview; None for one workload, or if no target was ever met.

    The best arm is the one with the highest score of `metrics.across_workloads`.

    Args:
        study: That was run.
        tables: Of the same study, see `tables.catalogue`.
    """
    ranked = list(rows_of(tables["across_workloads"]))
    if len(study.workloads) < 2 or not any(arm.solved for arm in ranked):
        return None
    best, *equals = _best(ranked)
    so_far = " so far" if tables["headlines"]["unfinished"].any() else ""
    finding = (
        f"Over {counted(best.workloads, 'workload')} {best.arm} does best{so_far}:"
        f" score {best.score:.2f} of 1, {_solved(best)}"
        f"{_mean_ratio(best, study.reference)}{_as_well(equals)}."
    )
    rows = (_row(headline, tables) for headline in rows_of(tables["headlines"]))
    return Overview(finding, tuple(_details(study, ranked)), tuple(rows))


def _details(study: Study, ranked: list[Any]) -> Iterator[str]:
    first = _best(ranked)
    behind = [arm for arm in ranked[len(first) :] if arm.solved]
    told = behind[:_NEXT]
    if told:
        said = series(f"{arm.arm} {arm.score:.2f} ({_solved(arm)})" for arm in told)
        yield f"Next by score: {said}."
    kinds = {arm.name: arm.by for arm in study.arms}
    sorts = {"tuned arm": ("grid", "random", "optuna"), "arm without tuning": "single"}
    for words, by in sorts.items():
        own = [arm for arm in ranked if kinds[arm.arm] in by and arm.solved]
        if own and own[0] not in (*first, *told):
            yield (
                f"The best {words} is {own[0].arm} with {own[0].score:.2f}"
                f" ({_solved(own[0])}){_mean_ratio(own[0], study.reference)}."
            )
    never = [arm.arm for arm in ranked if arm.tried and not arm.solved]
    if never:
        yield f"Without a hit on any workload: {named(never)}."
    yield (
        "The score says how near the least bill an arm is, tuning counted, on these"
        " workloads and among these arms; on others it may be another that does best."
    )


def _best(ranked: list[Any]) -> list[Any]:
    """Return the arms that share the highest score: trainings may cost the same."""
    return [arm for arm in ranked if math.isclose(arm.score, ranked[0].score)]


def _as_well(equals: list[Any]) -> str:
    do = "does" if len(equals) == 1 else "do"
    return f"; {named(arm.arm for arm in equals)} {do} as well" if equals else ""


def _solved(arm: Any) -> str:
    return f"{arm.solved} of {arm.workloads} targets met"


def _mean_ratio(arm: Any, reference: str | None) -> str:
    if not arm.in_how_many or arm.arm == reference:
        return ""
    return (
        f", bills {ratio(arm.mean_ratio)} times those of {reference} in the"
        f" geometric mean of {arm.in_how_many}"
    )


def _row(headline: Any, tables: Mapping[str, pd.DataFrame]) -> OverviewRow:
    bills = tables["bills"]
    own = of_workload(bills, headline.workload)
    leader = next(rows_of(own[own["arm"] == headline.leader]), None)
    if leader is None:
        never = "never met" if headline.trials else "no trial yet"
        return OverviewRow(headline.workload, never, *[""] * 7)
    behind = headline.tuned not in ("", headline.leader)
    least = own[own["bill"].notna()].sort_values("bill", kind="stable")
    return OverviewRow(
        workload=headline.workload,
        leader=named((arm.arm for arm in tied(list(rows_of(least)))), _SHARING),
        bill=amount(leader.bill),
        bill_interval=interval(leader.bill_low, leader.bill_high),
        candidates=f"{headline.candidates} of {headline.arms}",
        tuned=headline.tuned,
        ratio=f"{ratio(headline.tuned_ratio)}\N{MULTIPLICATION SIGN}" if behind else "",
        ratio_interval=(
            f"[{ratio(headline.tuned_low)}, {ratio(headline.tuned_high)}]"
            if behind and headline.tuned_low < headline.tuned_high
            else ""
        ),
        pays=_pays(headline, tables["break_even"]),
    )


def _pays(headline: Any, pairs: pd.DataFrame) -> str:
    """Return after how many further trainings the cheapest tuned arm has paid."""
    pair = pairs[
        (pairs["workload"] == headline.workload)
        & (pairs["tuned"] == headline.tuned)
        & (pairs["other"] == headline.untuned)
    ]
    runs = float(pair["runs"].iloc[0]) if len(pair) else math.nan
    if math.isnan(runs):
        return UNKNOWN
    if math.isinf(runs):
        return "never"
    return f"{math.ceil(runs)}" if runs else "at once"
