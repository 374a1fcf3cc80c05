"""Sentences on what an answer leaves out, and on what is unsure of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.rows import of_workload
from hpo_vs_adapt.wording import amount, counted, named, series

__all__ = ["make_doubts"]

_MANY = 3
"""Arms that may be cheapest from which on the least bill is told to be partly luck."""


def make_doubts(
    study: Study, headline: Any, tables: Mapping[str, pd.DataFrame]
) -> Iterator[str]:
    """Return what is missing or unsure of the answer for a workload.

    Notes on intervals and on tuning before the study are those of the arms that the
    answer rests on: the cheapest of all, of those tuned, and of those without tuning.

    Args:
        study: That was run.
        headline: Row of the workload in the table of headlines.
        tables: Of the study, see `tables.catalogue`.
    """
    if not headline.trials:
        return
    bills = of_workload(tables["bills"], headline.workload)
    ranking = of_workload(tables["ranking"], headline.workload)
    yield from _never(headline, bills)
    if not headline.met:
        return
    names = {headline.leader, headline.tuned, headline.untuned}
    own = bills[bills["arm"].isin(names)]
    yield from _intervals(own)
    yield from _hidden(ranking[ranking["arm"].isin(names)])
    yield from _calibrated(study, headline.workload, names)
    if headline.candidates >= _MANY:
        yield (
            f"The least of {headline.met} bills is least in part by luck: expect"
            f" {headline.leader} to cost rather more the next time."
        )
    if math.isfinite(headline.challenger_seeds):
        yield (
            f"To tell {headline.leader} from {headline.challenger}, if their bills"
            f" differ as they seem to, would take about"
            f" {amount(headline.challenger_seeds)} seeds of each."
        )


def _never(headline: Any, bills: pd.DataFrame) -> Iterator[str]:
    never = bills.loc[(bills["trials"] > 0) & bills["bill"].isna(), "arm"]
    if headline.met and headline.missed:
        so_far = " so far" if headline.unfinished else ""
        yield (
            f"{headline.missed} of {counted(headline.arms, 'arm')} never met the target"
            f"{so_far} and so {'has' if headline.missed == 1 else 'have'} no bill:"
            f" {named(never)}."
        )


def _intervals(bills: pd.DataFrame) -> Iterator[str]:
    noted = bills[(bills["interval_note"] != "") & bills["bill"].notna()]
    for note, arms in noted.groupby("interval_note", sort=False)["arm"]:
        yield f"Interval of {series(arms)}. {note}"


def _hidden(ranking: pd.DataFrame) -> Iterator[str]:
    """Say which tuning was done before the study, as far as anybody has said."""
    unsaid, paid = [], []
    for what, column in (("defaults", "defaults"), ("search space", "space")):
        trials = ranking[f"{column}_trials"]
        if trials.isna().any():
            unsaid.append(f"the {what} of {series(ranking.loc[trials.isna(), 'arm'])}")
        paid += [
            f"{number:.0f} for the {what} of {arm}"
            for arm, number in zip(ranking["arm"], trials, strict=True)
            if number > 0
        ]
    if unsaid:
        yield (
            f"How many trials {', and '.join(unsaid)}{',' if unsaid[1:] else ''} had"
            " taken before is not known; no bill has them."
        )
    if paid:
        yield f"Trials before this study, in no bill: {series(paid)}."


def _calibrated(study: Study, workload: str, names: set[str]) -> Iterator[str]:
    for arm in study.arms:
        if arm.calibration is None or arm.name not in names:
            continue
        here = ""
        if workload in arm.calibration.workloads:
            here = "; this workload is one of those they were chosen on"
        yield (
            f"Choosing the settings of {arm.name} had cost"
            f" {amount(arm.calibration.cost)} sample gradients, in no bill{here}."
        )
