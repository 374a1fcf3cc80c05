"""Sentences that say which arm is cheapest, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.tables import make_bills
from hpo_vs_adapt.report.wording import (
    amount,
    counted,
    interval,
    metric_value,
    probability,
    ratio,
    series,
)
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.study import WorkloadEntry

__all__ = ["SURE", "Verdict", "make_verdicts", "verdicts"]

SURE = 0.95
"""P(first) from which an arm is called the cheapest."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a study says about one workload.

    Args:
        workload: Label in the study.
        finding: Who is cheapest, or who the candidates are; one sentence.
        details: Sentences on the other arms, the doubt, and what is missing.
    """

    workload: str
    finding: str
    details: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """All of it in one line, as ``summary.json`` has it."""
        return " ".join((self.finding, *self.details))


def verdicts(results: Results) -> list[Verdict]:
    """Return one verdict for each workload of a study, in its order."""
    return make_verdicts(results, make_bills(results))


def make_verdicts(results: Results, bills: pd.DataFrame) -> list[Verdict]:
    """Return one verdict for each workload.

    Args:
        results: Of the study.
        bills: Columns `tables.BILL_COLUMNS`.
    """
    return [
        _verdict(results, entry, bills[bills["workload"] == entry.name])
        for entry in results.study.workloads
    ]


def goal(entry: WorkloadEntry) -> str:
    """Return the target in words: ``accuracy ≥ 0.95``."""
    sign = "≥" if entry.metric.mode == "max" else "≤"
    return f"{entry.metric.name} {sign} {entry.target:g}"


def _verdict(results: Results, entry: WorkloadEntry, bills: pd.DataFrame) -> Verdict:
    arms: list[Any] = list(rows_of(bills.sort_values("bill", kind="stable")))
    met = [arm for arm in arms if math.isfinite(arm.bill)]
    unfinished = _unfinished(bills)
    if not any(arm.trials for arm in arms):
        finding = f"{entry.name}: no trial has finished yet."
    elif not met:
        finding = _nobody(entry, arms)
    elif len(arms) == 1:
        finding = (
            f"{entry.name}: {met[0].arm}, the only arm of this study, reaches"
            f" {goal(entry)} for {_price(met[0])}."
        )
    else:
        finding = _winner(entry, met, bool(unfinished))
    reference = _against_reference(results.study.reference, met, arms)
    failures = _failures(arms)
    details = [text for text in (reference, failures, unfinished) if text]
    return Verdict(entry.name, finding, tuple(details))


def _winner(entry: WorkloadEntry, met: list[Any], unfinished: bool) -> str:
    by_chance = sorted(met, key=lambda arm: -arm.first_probability)
    leader = by_chance[0]
    if math.isnan(leader.first_probability) or (
        leader.first_probability < SURE and len(met) > 1
    ):
        return _candidates(entry, met, by_chance)
    # A race in which arms have not finished has a leader and no winner.
    claim = "is ahead so far" if unfinished else "is cheapest"
    only = ", the only arm that met the target" if len(met) == 1 else ""
    return (
        f"{entry.name}: {leader.arm} {claim}{only}. It reaches {goal(entry)} for"
        f" {_price(leader)}; P(first) {probability(leader.first_probability)}."
    )


def _candidates(entry: WorkloadEntry, met: list[Any], by_chance: list[Any]) -> str:
    if math.isnan(by_chance[0].first_probability):
        chosen, why = met, "too few passes to tell them apart"
    else:
        chosen, sum_, why = [], 0.0, "no arm comes first with probability 0.95"
        for arm in by_chance:
            chosen.append(arm)
            sum_ += arm.first_probability
            if sum_ >= SURE:
                break
    named = [
        f"{arm.arm} ({_price(arm)}"
        + (
            ""
            if math.isnan(arm.first_probability)
            else f"; P(first) {probability(arm.first_probability)}"
        )
        + ")"
        for arm in chosen
    ]
    return (
        f"{entry.name}: open which arm reaches {goal(entry)} at the least cost"
        f" ({why}). Candidates: {series(named)}."
    )


def _nobody(entry: WorkloadEntry, arms: list[Any]) -> str:
    trials = sum(arm.trials for arm in arms)
    best = [arm for arm in arms if math.isfinite(arm.best_metric)]
    text = f"{entry.name}: no arm met {goal(entry)} in {counted(trials, 'trial')}"
    if not best:
        return f"{text}."
    sign = 1 if entry.metric.mode == "max" else -1
    leader = max(best, key=lambda arm: sign * arm.best_metric)
    return f"{text}; {leader.arm} came closest with {metric_value(leader.best_metric)}."


def _price(arm: Any) -> str:
    """Return the bill with its interval, and how many passes met the target."""
    doubt = interval(arm.bill_low, arm.bill_high) or "(no interval)"
    tuning = ", tuning counted" if arm.kind == "tuned" else ""
    return (
        f"{amount(arm.bill)} sample gradients {doubt}{tuning},"
        f" {arm.pass_hits} of {counted(arm.passes, 'pass')} met it"
    )


def _against_reference(name: str | None, met: list[Any], arms: list[Any]) -> str:
    reference = next((arm for arm in arms if arm.arm == name), None)
    if reference is None or not met:
        return ""
    if not math.isfinite(reference.bill):
        if not reference.trials:
            return f"The reference {name} has no finished trial."
        return (
            f"The reference {name} never met the target in"
            f" {counted(reference.trials, 'trial')}."
        )
    cheapest = met[0]
    counts = " with its tuning counted" if reference.kind == "tuned" else ""
    if cheapest.arm != name:
        doubt = _range(1 / cheapest.ratio_high, 1 / cheapest.ratio_low)
        return (
            f"The reference {name} costs {ratio(1 / cheapest.ratio)} times as much as"
            f" {cheapest.arm}{doubt}{counts}: {_price(reference)}."
        )
    if len(met) == 1:
        return ""
    second = met[1]
    doubt = _range(second.ratio_low, second.ratio_high)
    return (
        f"Next is {second.arm} at {ratio(second.ratio)} times the bill of the"
        f" reference {name}{doubt}."
    )


def _range(low: float, high: float) -> str:
    known = not (math.isnan(low) or math.isnan(high))
    return f" [{ratio(low)}, {ratio(high)}]" if known else ""


def _failures(arms: list[Any]) -> str:
    failed = [
        f"{arm.failures} of {counted(arm.trials, 'trial')} of {arm.arm}"
        for arm in arms
        if arm.failures
    ]
    return f"Diverged or crashed: {series(failed)}." if failed else ""


def _unfinished(bills: pd.DataFrame) -> str:
    behind = bills[bills["trials"] < bills["planned"]]
    if behind.empty:
        return ""
    done, planned = int(bills["trials"].sum()), int(bills["planned"].sum())
    return (
        f"Unfinished: {done} of {counted(planned, 'trial')} are done,"
        f" {series(behind['arm'])} can still change."
    )
