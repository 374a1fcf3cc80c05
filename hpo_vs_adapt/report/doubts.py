"""Sentences on what an answer leaves out, and on what is unsure of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.report.analyses import Analyses
from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.wording import amount, counted, named, series
from hpo_vs_adapt.study import Study

__all__ = ["make_doubts"]

_MANY = 3
"""Arms that may be cheapest from which on the least bill is told to be partly luck."""


def make_doubts(
    study: Study, headline: Any, bills: pd.DataFrame, analyses: Analyses
) -> Iterator[str]:
    """Return what is missing or unsure of the answer for a workload.

    Notes on intervals and on tuning before the study are those of the arms that the
    answer rests on: the cheapest of all, of those tuned, and of those without tuning.

    Args:
        study: That was run.
        headline: Row of the workload in the table of headlines.
        bills: Columns `bills.BILL_COLUMNS`, of the workload.
        analyses: Of the study.
    """
    if not headline.trials:
        return
    yield from _never(headline, bills)
    if not headline.met:
        return
    names = {headline.leader, headline.tuned, headline.untuned}
    own = bills[bills["arm"].isin(names)]
    yield from _intervals(own)
    ranking = analyses.ranking[analyses.ranking["workload"] == headline.workload]
    yield from _hidden(ranking[ranking["arm"].isin(names)])
    yield from _calibrated(study, headline.workload, names)
    if headline.candidates >= _MANY:
        yield (
            f"The least of {headline.met} bills is least in part by luck: expect"
            f" {headline.leader} to cost rather more the next time."
        )
    if headline.candidates > 1:
        needed = analyses.seeds_needed
        place = (needed["workload"] == headline.workload) & (
            needed["arm"] == headline.leader
        )
        yield from _seeds(needed[place], study.reference)


def _never(headline: Any, bills: pd.DataFrame) -> Iterator[str]:
    never = bills.loc[(bills["trials"] > 0) & bills["bill"].isna(), "arm"]
    if headline.met and headline.missed:
        yield (
            f"{headline.missed} of {counted(headline.arms, 'arm')} never met the"
            f" target, and so {'has' if headline.missed == 1 else 'have'} no bill:"
            f" {named(never)}."
        )


def _intervals(bills: pd.DataFrame) -> Iterator[str]:
    noted = bills[(bills["interval_note"] != "") & bills["bill"].notna()]
    for note, arms in noted.groupby("interval_note", sort=False)["arm"]:
        yield f"Interval of {series(arms)}. {note}"


def _hidden(ranking: pd.DataFrame) -> Iterator[str]:
    """Say which tuning was done before the study, as far as anybody has said."""
    for what, column in (("defaults", "defaults"), ("search space", "space")):
        trials = ranking[f"{column}_trials"]
        unsaid = ranking.loc[trials.isna(), "arm"]
        if len(unsaid):
            yield (
                f"How many trials the {what} of {series(unsaid)} had taken before is"
                " not known; no bill has them."
            )
        paid = [f"{row.arm} {n:.0f}" for row, n in _each(ranking, trials) if n > 0]
        if paid:
            yield (
                f"Trials that the {what} had taken before, in no bill: {series(paid)}."
            )


def _each(table: pd.DataFrame, values: pd.Series) -> Iterator[tuple[Any, float]]:
    return zip(rows_of(table), values, strict=True)


def _calibrated(study: Study, workload: str, names: set[str]) -> Iterator[str]:
    for arm in study.arms:
        if arm.calibration is None or arm.name not in names:
            continue
        here = ""
        if workload in arm.calibration.workloads:
            here = "; this workload is one of those they were chosen on"
        yield (
            f"Choosing the settings of {arm.name} once had cost"
            f" {amount(arm.calibration.cost)} sample gradients, in no bill{here}."
        )


def _seeds(row: pd.DataFrame, reference: str | None) -> Iterator[str]:
    """Say how many seeds would tell the least bill from another near it."""
    # Passes that all cost the same say nothing of how far others may be apart.
    if not (np.isfinite(row["seeds"]) & (row["spread"] > 0)).any():
        return
    arm, seeds = row["arm"].iloc[0], float(row["seeds"].iloc[0])
    other = "another as variable as its own"
    if reference is not None and reference != arm:
        other = f"that of {reference}"
    yield (
        f"To tell the bill of {arm} from {other}, were they 10 % apart, would take"
        f" about {_rounded(seeds)} seeds of each, going by the spread of their passes."
    )


def _rounded(number: float) -> str:
    """Return a number that is rough with two digits: 75, 2800."""
    return f"{round(number, 1 - math.floor(math.log10(number))):.0f}"
