"""Sentences on what a study lacks: trials that failed, trials that are not done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from hpo_vs_adapt.wording import counted, series

__all__ = ["failures", "unfinished"]

_MOST_FAILING = 3
"""Arms whose failures are told one by one."""

_MOST_BEHIND = 6
"""Arms without all of their trials that are named."""


def failures(arms: list[Any], headline: Any) -> Iterator[str]:
    """Say whose trials diverged or crashed, those that did so most often first.

    Args:
        arms: Rows of the table of bills, of one workload.
        headline: Its row of the table of headlines.
    """
    failed = sorted(
        (arm for arm in arms if arm.failures),
        key=lambda arm: -arm.failures / arm.trials,
    )
    if len(failed) > _MOST_FAILING:
        most = [f"{a.arm} ({a.failures} of {a.trials})" for a in failed[:_MOST_FAILING]]
        yield (
            f"Diverged or crashed: {headline.failures} of"
            f" {counted(headline.trials, 'trial')}, of {headline.failing} arms, most"
            f" often {series(most)}."
        )
    elif failed:
        each = (
            f"{a.failures} of {counted(a.trials, 'trial')} of {a.arm}" for a in failed
        )
        yield f"Diverged or crashed: {series(each)}."


def unfinished(bills: pd.DataFrame, headline: Any) -> Iterator[str]:
    """Say how many trials are not done, and whose results can still change.

    Args:
        bills: Columns `bills.BILL_COLUMNS`, of one workload.
        headline: Its row of the table of headlines.
    """
    if not headline.unfinished:
        return
    behind = bills.loc[bills["trials"] < bills["planned"], "arm"]
    few = headline.unfinished <= _MOST_BEHIND
    whose = series(behind) if few else f"{headline.unfinished} arms"
    yield (
        f"Unfinished: {headline.trials} of {counted(headline.planned, 'trial')} are"
        f" done; the results of {whose} can still change."
    )
