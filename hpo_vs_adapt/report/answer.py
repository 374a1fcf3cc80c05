"""The answer of the page: the verdict, what would change it, and what is unsure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.report.analyses import Analyses
from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.verdict import Verdict
from hpo_vs_adapt.report.wording import counted, listed

__all__ = ["Answer", "make_answers"]

_UNTUNED = ("adaptive", "fixed")
_MOST_TURNS = 6
"""Changes of the cheapest arm over targets that are told one by one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page says first of a workload.

    Args:
        workload: Label in the study.
        verdict: Who is cheapest, or who may be.
        changes: What would change it: a heading and a sentence each.
        doubts: What is missing or unsure, in sentences.
    """

    workload: str
    verdict: Verdict
    changes: tuple[tuple[str, str], ...]
    doubts: tuple[str, ...]


def make_answers(
    bills: pd.DataFrame, analyses: Analyses, verdicts: list[Verdict]
) -> list[Answer]:
    """Return one answer for each verdict.

    Every number in one is in a table: `bills`, or `break_even`, `ranking` and
    `seeds_needed` of the analyses; break-even trainings are rounded up.

    Args:
        bills: Columns `bills.BILL_COLUMNS`.
        analyses: Of the same study.
        verdicts: From `make_verdicts`.
    """
    return [
        Answer(
            verdict.workload,
            verdict,
            tuple(_changes(_at(bills, verdict.workload), analyses)),
            tuple(_doubts(_at(bills, verdict.workload), analyses)),
        )
        for verdict in verdicts
    ]


def _at(table: pd.DataFrame, workload: str) -> pd.DataFrame:
    return table[table["workload"] == workload]


def _changes(bills: pd.DataFrame, analyses: Analyses) -> Iterator[tuple[str, str]]:
    met = bills[np.isfinite(bills["bill"].to_numpy(float))].sort_values(
        "bill", kind="stable"
    )
    if met.empty:
        return
    workload = str(met["workload"].iloc[0])
    tuned = met.loc[met["kind"] == "tuned", "arm"]
    others = met.loc[met["kind"].isin(_UNTUNED), "arm"]
    if len(tuned) and len(others):
        pairs = _at(analyses.break_even, workload)
        pair = pairs[
            (pairs["tuned"] == tuned.iloc[0]) & (pairs["other"] == others.iloc[0])
        ]
        for row in rows_of(pair):
            yield "More trainings", _retraining(row)
            yield from _cheaper_failures(row)
            yield from _workers(row, _at(analyses.by_workers, workload))
    yield from _targets(_at(analyses.target_sweep, workload))


def _retraining(pair: Any) -> str:
    if pair.runs == 0:
        return (
            f"{pair.tuned} costs no more than {pair.other} from the first training on,"
            " its tuning counted."
        )
    if math.isnan(pair.runs):
        return (
            f"After how many trainings tuning {pair.tuned} pays against {pair.other} is"
            " not known: what a training with its winner costs is not."
        )
    if math.isinf(pair.runs):
        return (
            f"However often the training is repeated, tuning {pair.tuned} never pays"
            f" against {pair.other}: a training with what it found is not the cheaper."
        )
    sentence = (
        f"Tuning {pair.tuned} pays against {pair.other} after"
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
            f"Even if trials that miss cost nothing, tuning {pair.tuned} would cost"
            f" more than {pair.other}.",
        )
    elif pair.fraction < 1:
        yield (
            heading,
            f"If trials that miss were stopped after {_percent(pair.fraction)} of what"
            f" they cost, tuning {pair.tuned} would cost as much as {pair.other}.",
        )


def _workers(pair: Any, by_workers: pd.DataFrame) -> Iterator[tuple[str, str]]:
    heading = "More workers"
    if math.isnan(pair.workers) and len(by_workers):
        most = int(by_workers["workers"].max())
        yield (
            heading,
            f"With up to {most} trials at once, {pair.tuned} meets the target no sooner"
            f" than {pair.other}.",
        )
    elif pair.workers > 1:
        yield (
            heading,
            f"With {pair.workers:.0f} trials at once {pair.tuned} meets the target"
            f" sooner than {pair.other}; the bill is no smaller for it.",
        )


def _targets(sweep: pd.DataFrame) -> Iterator[tuple[str, str]]:
    first = sweep[(sweep["rank"] == 1) & (sweep["pass_hits"] > 0)]
    leaders = first.drop_duplicates("target")["arm"]
    turns = [arm for arm, _ in itertools.groupby(leaders)]
    if len(leaders) < 2:
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
        names = listed(dict.fromkeys(turns))
        yield heading, f"Which bill is least changes often with it: {names} have it."


def _doubts(bills: pd.DataFrame, analyses: Analyses) -> Iterator[str]:
    begun = bills[bills["trials"] > 0]
    if begun.empty:
        return
    never = begun.loc[begun["bill"].isna(), "arm"]
    if 0 < len(never) < len(begun):
        yield f"Without a hit, and so without a bill: {listed(never)}."
    noted = begun[(begun["interval_note"] != "") & begun["bill"].notna()]
    for note, arms in noted.groupby("interval_note", sort=False)["arm"]:
        yield f"Interval of {listed(arms, most=4)}. {note}"
    workload = str(begun["workload"].iloc[0])
    yield from _hidden(_at(analyses.ranking, workload))
    yield from _seeds(begun, _at(analyses.seeds_needed, workload))


def _hidden(ranking: pd.DataFrame) -> Iterator[str]:
    """Say which tuning was done before the study, as far as anybody has said."""
    for what, column in (("defaults", "defaults"), ("search space", "space")):
        trials = ranking[f"{column}_trials"]
        unsaid = ranking.loc[trials.isna(), "arm"]
        if len(unsaid):
            yield (
                f"How many trials the {what} of {listed(unsaid)} had taken before is"
                " not known; no bill has them."
            )
        paid = [f"{row.arm} {n:.0f}" for row, n in _each(ranking, trials) if n > 0]
        if paid:
            yield (
                f"Trials that the {what} had taken before, in no bill: {listed(paid)}."
            )


def _each(table: pd.DataFrame, values: pd.Series) -> Iterator[tuple[Any, float]]:
    return zip(rows_of(table), values, strict=True)


def _seeds(bills: pd.DataFrame, needed: pd.DataFrame) -> Iterator[str]:
    """Say how many seeds would do for the arm with the least bill."""
    met = bills.sort_values("bill", kind="stable", na_position="last")
    row = needed[needed["arm"] == met["arm"].iloc[0]]
    # Passes that all cost the same say nothing of how far others may be apart.
    if not (np.isfinite(row["seeds"]) & (row["spread"] > 0)).any():
        return
    yield (
        f"To resolve a difference of 10 % in the bill of {row['arm'].iloc[0]} would"
        f" take about {counted(int(row['seeds'].iloc[0]), 'seed')} an arm, going by the"
        f" spread of its {counted(int(row['passes'].iloc[0]), 'pass')}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
