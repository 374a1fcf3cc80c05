"""What an answer turns on: who leads a workload, by how much, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from hpo_vs_adapt.metrics import reference_ratios, seeds_needed
from hpo_vs_adapt.tables.rows import of_workload, rows_of
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["HEADLINE_COLUMNS", "RIVALS", "SURE", "candidates", "make_headlines", "tied"]

SURE = 0.95
"""P(first) from which an arm is called the cheapest."""

RIVALS = ("next", "challenger", "tuned", "untuned", "reference")
"""Whom the leader is held against: the next bill, the most probable other candidate,
the least bill of the arms that tune hyperparameters, the least of those without `tune`,
the study's reference."""

HEADLINE_COLUMNS = (
    "workload",
    "arms",
    "met",  # arms that met the target
    "missed",  # arms that have trials of which none met it
    "tied",  # arms that have the least bill
    "candidates",  # arms that may be the cheapest
    "trials",  # that are done, of all policies
    "planned",
    "unfinished",  # arms some of whose trials are not done
    "failures",  # trials that diverged or crashed
    "failing",  # arms that have such
    "leader",  # arm with the least bill; empty: nobody met the target
    *(
        f"{rival}{end}"  # name of the arm, and its bill in multiples of the least
        for rival in RIVALS
        for end in ("", "_ratio", "_low", "_high")
    ),
    "challenger_seeds",  # of each, that would tell the two apart if they differ so
    "tuned_arms",  # that have trials
    "untuned_arms",
)
"""Columns of `make_headlines`."""


def make_headlines(given: StudyTables, bills: pd.DataFrame) -> pd.DataFrame:
    """Return one row a workload: what its answer is made of beside the bills.

    Ratios are `reference_ratios` with the leader as the reference, so they say how many
    times the least bill a rival costs. A portfolio tunes nothing and is not without
    choice either: it may lead, but is no rival of the two sorts.

    Args:
        given: Of the study.
        bills: Columns `bills.BILL_COLUMNS`.

    Returns:
        Columns `HEADLINE_COLUMNS`. Names are empty where there is no such arm, or it
        never met the target, or (next) no other did; its numbers are NaN then, and
        where the least bill is 0; those of the leader itself are 1.
    """
    sorts = {arm.name: _sort(arm.by) for arm in given.study.arms}
    rows = [
        _headline(given, entry.name, of_workload(bills, entry.name), sorts)
        for entry in given.study.workloads
    ]
    return pd.DataFrame(rows, columns=list(HEADLINE_COLUMNS))


def candidates(met: list[Any]) -> list[Any]:
    """Return the most probable winners that together reach `SURE`, the first first.

    The arm with the least bill is one of them. Without probabilities, where passes are
    too few for them, it is all that met the target; but nothing is cheaper than 0.

    Args:
        met: Rows of the table of bills that met the target, by rising bill.
    """
    if not met[0].bill:
        return tied(met)
    ranked = sorted(met, key=lambda arm: -arm.first_probability)
    chances = [arm.first_probability for arm in ranked]
    if any(math.isnan(chance) for chance in chances):
        return met
    needed = next(
        (n for n in range(1, len(ranked)) if sum(chances[:n]) >= SURE), len(ranked)
    )
    chosen = ranked[:needed]
    return chosen if met[0] in chosen else [*chosen, met[0]]


def tied(met: list[Any]) -> list[Any]:
    """Return the arms that have the least bill: trainings may end at the same step.

    Args:
        met: As in `candidates`.
    """
    return [arm for arm in met if math.isclose(arm.bill, met[0].bill)]


def _sort(by: str) -> str:
    return {"single": "untuned", "portfolio": ""}.get(by, "tuned")


def _headline(
    given: StudyTables, workload: str, bills: pd.DataFrame, sorts: dict[str, str]
) -> dict[str, Any]:
    ranked = bills.sort_values("bill", kind="stable")
    met = [arm for arm in rows_of(ranked) if math.isfinite(arm.bill)]
    behind = bills["trials"] < bills["planned"]
    row: dict[str, Any] = {
        "workload": workload,
        "arms": len(bills),
        "met": len(met),
        "missed": int(((bills["trials"] > 0) & bills["bill"].isna()).sum()),
        "tied": len(tied(met)),
        "candidates": len(candidates(met)) if met else 0,
        "trials": int(bills["trials"].sum()),
        "planned": int(bills["planned"].sum()),
        "unfinished": int(behind.sum()),
        "failures": int(bills["failures"].sum()),
        "failing": int((bills["failures"] > 0).sum()),
        "leader": met[0].arm if met else "",
    }
    begun = [sorts[name] for name in bills.loc[bills["trials"] > 0, "arm"]]
    row |= {f"{sort}_arms": begun.count(sort) for sort in ("tuned", "untuned")}
    names = [arm.arm for arm in met]
    shared = [arm.arm for arm in tied(met)]
    others = (arm.arm for arm in (candidates(met) if met else ()))
    rivals = {
        "next": names[1] if len(names) > 1 else "",
        "challenger": next((name for name in others if name not in shared), ""),
        "tuned": next((name for name in names if sorts[name] == "tuned"), ""),
        "untuned": next((name for name in names if sorts[name] == "untuned"), ""),
        "reference": next((n for n in names if n == given.study.reference), ""),
    }
    named = {row["leader"], *rivals.values()}
    records = given.records
    own = records[(records["workload"] == workload) & records["arm"].isin(named)]
    row |= dict(_ratios(own, row["leader"], rivals))
    return row | {"challenger_seeds": _seeds(own, row)}


def _seeds(records: pd.DataFrame, row: dict[str, Any]) -> float:
    """Return how many seeds tell the challenger from the leader; NaN: not known."""
    if not row["challenger_ratio"] > 1:
        return math.nan
    two = records[records["arm"].isin([row["leader"], row["challenger"]])]
    needed = seeds_needed(two, row["challenger_ratio"], reference=row["leader"])
    return float(needed.set_index("arm").loc[row["challenger"], "seeds"])


def _ratios(
    records: pd.DataFrame, leader: str, rivals: dict[str, str]
) -> Iterator[tuple[str, Any]]:
    ratios = reference_ratios(records, leader).set_index("arm")
    for rival, arm in rivals.items():
        yield rival, arm
        for end, source in (("_ratio", "ratio"), ("_low", "low"), ("_high", "high")):
            known = arm in ratios.index
            yield f"{rival}{end}", ratios.loc[arm, source] if known else math.nan
