"""Sentences that say which arm is cheapest, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.report.sentences.shortfalls import failures, unfinished
from hpo_vs_adapt.study import Study, WorkloadEntry
from hpo_vs_adapt.tables.headlines import SURE, candidates, tied
from hpo_vs_adapt.tables.rows import of_workload, rows_of
from hpo_vs_adapt.wording import (
    amount,
    counted,
    interval,
    metric_value,
    named,
    probability,
    ratio,
    times_as_much,
)

__all__ = ["SURE", "Verdict", "goal", "make_verdicts"]

_MOST_TOLD = 5
"""Candidates beside the leader that a verdict has numbers of."""

_FEW_HITS = 3
"""Fewer hits say little of a cost, and nothing of that of arms which have none."""

_SORTS = {"tuned": "tuned arm", "untuned": "arm without tuning"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a study says about one workload.

    Args:
        workload: Label in the study.
        finding: Which arm to use, and whether that is decided; one sentence.
        details: Sentences on the other arms, the doubt, and what is missing.
    """

    workload: str
    finding: str
    details: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """All of it in one line, as ``summary.json`` has it."""
        return " ".join((self.finding, *self.details))


def make_verdicts(study: Study, tables: Mapping[str, pd.DataFrame]) -> list[Verdict]:
    """Return one verdict for each workload of a study, in its order.

    Args:
        study: That was run.
        tables: Its bills and headlines are read, see `tables.catalogue`.
    """
    bills, headlines = tables["bills"], tables["headlines"]
    return [
        _verdict(entry, of_workload(bills, entry.name), row)
        for entry, row in zip(study.workloads, rows_of(headlines), strict=True)
    ]


def goal(entry: WorkloadEntry) -> str:
    """Return the target in words: ``accuracy ≥ 0.95``."""
    relation = Direction(entry.metric.mode).relation
    return f"{entry.metric.name} {relation} {entry.target:g}"


def _verdict(entry: WorkloadEntry, bills: pd.DataFrame, headline: Any) -> Verdict:
    arms: list[Any] = list(rows_of(bills.sort_values("bill", kind="stable")))
    met = [arm for arm in arms if math.isfinite(arm.bill)]
    details: list[str] = []
    if not headline.trials:
        finding = f"{entry.name}: no trial has finished yet."
    elif not met:
        finding = _nobody(entry, arms, headline)
    elif not met[0].bill:
        finding, details = _untrained(entry, met)
    elif len(arms) == 1:
        finding = (
            f"{entry.name}: {met[0].arm}, the only arm of this study, reaches"
            f" {goal(entry)} for {_bill(met[0])}."
        )
        details.append(f"{_passes(met[0])} met it.")
    else:
        finding, details = _ranking(entry, met, headline)
    details += [*failures(arms, headline), *unfinished(bills, headline)]
    return Verdict(entry.name, finding, tuple(details))


def _untrained(entry: WorkloadEntry, met: list[Any]) -> tuple[str, list[str]]:
    """Say that a bill of 0 is no merit of an arm, and what to do."""
    free = tied(met)
    finding = (
        f"{entry.name}: the untrained model meets {goal(entry)} already, so"
        f" {named((arm.arm for arm in free), _MOST_TOLD)}"
        f" {'has' if len(free) == 1 else 'have'} a bill of 0 and no arm is told from"
        " another: set a target that initial weights do not meet."
    )
    others = [f"{arm.arm}, {_bill(arm)}, {_passes(arm)}" for arm in met[len(free) :]]
    return finding, [f"Other bills: {'; '.join(others)}."] if others else []


def _ranking(
    entry: WorkloadEntry, met: list[Any], headline: Any
) -> tuple[str, list[str]]:
    leader, chosen = met[0], candidates(met)
    others = [arm for arm in chosen if arm is not leader]
    # A race in which arms have not finished has a leader and no winner.
    so_far = _so_far(headline)
    price = f"{_bill(leader)} until {goal(entry)}"
    beginning = f"{entry.name}: {leader.arm}"
    sharing = tied(met)
    if len(sharing) > 1:
        finding = (
            f"{entry.name}: {headline.tied} arms have the least bill{so_far},"
            f" {_shared(sharing)} until {goal(entry)}:"
            f" {named((arm.arm for arm in sharing), _MOST_TOLD)}."
        )
        others = [arm for arm in others if arm not in sharing]
    elif len(met) == 1 and leader.pass_hits < _FEW_HITS:
        finding = f"{beginning} alone met the target{so_far}, for {price}."
    elif others:
        doubt = (
            f"{others[0].arm} may be cheaper"
            if len(others) == 1
            else f"which of {len(chosen)} arms is cheapest is open"
        )
        finding = f"{beginning} has the least bill{so_far}, {price}, but {doubt}."
    else:
        claim = "is ahead so far" if so_far else "is cheapest"
        only = "; no other arm met the target" if len(met) == 1 else ""
        finding = f"{beginning} {claim}: {price}{only}."
    told = [leader, *others[:_MOST_TOLD]]
    whose = f" of {leader.arm}" if len(sharing) > 1 else ""
    chance = _chance(leader) if len(met) > 1 else ""
    details = [f"{_passes(leader)}{whose} met it{chance}."]
    if others:
        said = [f"{arm.arm}, {_bill(arm)}, {_odds(arm)}" for arm in told[1:]]
        more = ["others, which the table has"] if len(others) > _MOST_TOLD else []
        details.append(f"May be cheaper: {'; '.join([*said, *more])}.")
    return finding, [*details, *_rivals(met, told, headline)]


def _nobody(entry: WorkloadEntry, arms: list[Any], headline: Any) -> str:
    so_far = _so_far(headline)
    text = (
        f"{entry.name}: no arm met {goal(entry)}{so_far} in"
        f" {counted(headline.trials, 'trial')}"
    )
    best = [arm for arm in arms if math.isfinite(arm.best_metric)]
    if not best:
        return f"{text}."
    sign = Direction(entry.metric.mode).sign
    leader = max(best, key=lambda arm: sign * arm.best_metric)
    return (
        f"{text}; {leader.arm} came closest, with {metric_value(leader.best_metric)}"
        " on average."
    )


def _rivals(met: list[Any], told: list[Any], headline: Any) -> Iterator[str]:
    """Say how many times the least bill the cheapest of the other sort costs."""
    leader = headline.leader
    known = {arm.arm: arm for arm in met}
    said = {leader, *(arm.arm for arm in told)}
    held = {leader}
    for sort, words in _SORTS.items():
        arm = known.get(getattr(headline, sort))
        if arm is None and getattr(headline, f"{sort}_arms"):
            yield f"No {words} met the target{_so_far(headline)}."
        if arm is None or arm.arm == leader:
            continue
        name = f"the reference {arm.arm}" if arm.arm == headline.reference else arm.arm
        bill = "" if arm.arm in said else f": {_bill(arm)}; {_passes(arm)} met it"
        yield (
            f"The cheapest {words}, {name}, costs {_multiple(headline, sort)}"
            f"{', its tuning counted' if sort == 'tuned' else ''}"
            f"{', but may turn out cheaper' if _open(headline, sort) else ''}{bill}."
        )
        held.add(arm.arm)
    if headline.reference and headline.reference not in held:
        held.add(headline.reference)
        yield (
            f"The reference {headline.reference} costs"
            f" {_multiple(headline, 'reference')}."
        )
    if len(told) == 1 and headline.tied == 1 and headline.next not in {"", *held}:
        yield f"Next is {headline.next}, which costs {_multiple(headline, 'next')}."


def _so_far(headline: Any) -> str:
    return " so far" if headline.unfinished else ""


def _multiple(headline: Any, rival: str) -> str:
    factor, low, high = (
        getattr(headline, f"{rival}{end}") for end in ("_ratio", "_low", "_high")
    )
    bounds = f" [{ratio(low)}, {ratio(high)}]" if low < high else ""
    return f"{times_as_much(factor)}{bounds}"


def _open(headline: Any, rival: str) -> bool:
    """Return whether a rival may cost less than the arm with the least bill."""
    return bool(getattr(headline, f"{rival}_low") < 1)


def _bill(arm: Any) -> str:
    """Return the bill with its interval: ``61 k sample gradients [45 k, 83 k]``."""
    doubt = interval(arm.bill_low, arm.bill_high)
    if arm.bill_low == arm.bill_high:
        doubt = "in every pass"
    return f"{amount(arm.bill)} sample gradients{doubt and f' {doubt}'}"


def _shared(arms: list[Any]) -> str:
    """Return the bill of arms that have the same one; its interval if that is too."""
    alike = len({(arm.bill_low, arm.bill_high) for arm in arms}) == 1
    return _bill(arms[0]) if alike else f"{amount(arms[0].bill)} sample gradients"


def _passes(arm: Any) -> str:
    return f"{arm.pass_hits} of {counted(arm.passes, 'pass')}"


def _chance(arm: Any) -> str:
    if math.isnan(arm.first_probability):
        return ", too few to say how probably it is first"
    return f", P(first) {probability(arm.first_probability)}"


def _odds(arm: Any) -> str:
    chance = "" if math.isnan(arm.first_probability) else _chance(arm)
    return f"{_passes(arm)}{chance}"
