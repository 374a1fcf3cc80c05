"""Sentences that say which arm is cheapest, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hpo_vs_adapt.report.bills import make_bills
from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.wording import (
    amount,
    counted,
    interval,
    listed,
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


_MOST_TOLD = 6
"""Candidates that a verdict names at most; the rest are counted."""

_FEW_HITS = 3
"""Fewer hits say little of a cost, and nothing of that of arms which have none."""


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
        bills: Columns `bills.BILL_COLUMNS`.
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
    prices: list[str]
    if not any(arm.trials for arm in arms):
        finding, prices = f"{entry.name}: no trial has finished yet.", []
    elif not met:
        finding, prices = _nobody(entry, arms, bool(unfinished)), []
    elif len(arms) == 1:
        finding = (
            f"{entry.name}: {met[0].arm}, the only arm of this study, reaches"
            f" {goal(entry)} for {_price(met[0])}."
        )
        prices = []
    else:
        finding, prices = _ranking(entry, met, bool(unfinished))
    reference = _against_reference(results.study.reference, met, arms)
    details = (*prices, reference, _failures(arms), unfinished)
    return Verdict(entry.name, finding, tuple(text for text in details if text))


def _ranking(
    entry: WorkloadEntry, met: list[Any], unfinished: bool
) -> tuple[str, list[str]]:
    chosen = _candidates(met)
    if len(chosen) > 1:
        told = chosen if len(chosen) <= _MOST_TOLD else chosen[: _MOST_TOLD - 1]
        others = len(chosen) - len(told)
        names = series([*(arm.arm for arm in told), *_others(others)])
        still = "still " if unfinished else ""
        finding = (
            f"{entry.name}: which arm reaches {goal(entry)} for the least cost is"
            f" {still}open. Candidates are {names}."
        )
        return finding, [_offer(arm) for arm in told]
    (arm,) = chosen
    # A race in which arms have not finished has a leader and no winner.
    claim = "is ahead so far" if unfinished else "is cheapest"
    only = "; no other arm met the target" if len(met) == 1 else ""
    if only and arm.pass_hits < _FEW_HITS:
        claim, only = "alone met the target", ""
    finding = (
        f"{entry.name}: {arm.arm} {claim}, with {_bill(arm)} until {goal(entry)}{only}."
    )
    return finding, [f"{_passes(arm)}{_chance(arm)}."]


def _others(number: int) -> list[str]:
    return [f"{number} others, which the table has"] if number else []


def _candidates(met: list[Any]) -> list[Any]:
    """Return the most probable winners that together reach `SURE`, the first first.

    Without probabilities, where passes are too few for them, it is all that met it.
    """
    ranked = sorted(met, key=lambda arm: -arm.first_probability)
    chances = [arm.first_probability for arm in ranked]
    if any(math.isnan(chance) for chance in chances):
        return met
    needed = next(
        (n for n in range(1, len(ranked)) if sum(chances[:n]) >= SURE), len(ranked)
    )
    return ranked[:needed]


def _nobody(entry: WorkloadEntry, arms: list[Any], unfinished: bool) -> str:
    trials = sum(arm.trials for arm in arms)
    so_far = " so far" if unfinished else ""
    text = (
        f"{entry.name}: no arm met {goal(entry)}{so_far} in {counted(trials, 'trial')}"
    )
    best = [arm for arm in arms if math.isfinite(arm.best_metric)]
    if not best:
        return f"{text}."
    sign = 1 if entry.metric.mode == "max" else -1
    leader = max(best, key=lambda arm: sign * arm.best_metric)
    return f"{text}; {leader.arm} came closest with {metric_value(leader.best_metric)}."


def _bill(arm: Any) -> str:
    """Return the bill with its interval: ``61 k sample gradients [45 k, 83 k]``."""
    doubt = interval(arm.bill_low, arm.bill_high)
    if arm.bill_low == arm.bill_high:
        doubt = "in every pass"
    return f"{amount(arm.bill)} sample gradients{doubt and f' {doubt}'}"


def _passes(arm: Any) -> str:
    return f"{arm.pass_hits} of {counted(arm.passes, 'pass')} met it"


def _chance(arm: Any) -> str:
    if math.isnan(arm.first_probability):
        return ", too few to say how probably it is first"
    return f", P(first) {probability(arm.first_probability)}"


def _offer(arm: Any) -> str:
    tuning = " with its tuning" if arm.kind == "tuned" else ""
    return f"{arm.arm}: {_bill(arm)}{tuning}, {_passes(arm)}{_chance(arm)}."


def _price(arm: Any) -> str:
    """Return the bill with its interval, and how many passes met the target."""
    tuning = ", tuning counted" if arm.kind == "tuned" else ""
    return f"{_bill(arm)}{tuning}; {_passes(arm)}"


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
            f" {cheapest.arm}{doubt}{counts}: {_bill(reference)};"
            f" {_passes(reference)}."
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
    return f" [{ratio(low)}, {ratio(high)}]" if low < high else ""


def _failures(arms: list[Any]) -> str:
    failed = [
        f"{arm.failures} of {counted(arm.trials, 'trial')} of {arm.arm}"
        for arm in arms
        if arm.failures
    ]
    return f"Diverged or crashed: {listed(failed)}." if failed else ""


def _unfinished(bills: pd.DataFrame) -> str:
    behind = bills[bills["trials"] < bills["planned"]]
    if behind.empty:
        return ""
    done, planned = int(bills["trials"].sum()), int(bills["planned"].sum())
    return (
        f"Unfinished: {done} of {counted(planned, 'trial')} are done;"
        f" the results of {listed(behind['arm'])} can still change."
    )
