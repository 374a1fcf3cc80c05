"""What of a race is shown where not all of it has room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.observers.terminal.progress import (
    ArmProgress,
    Snapshot,
    WorkloadProgress,
)

__all__ = ["Section", "fit_race"]

LEAST_LINES = 3
"""Lines of a workload whose arms have no room: its name, who leads, how many more."""

NOT_BEGUN = 3
"""Urgency of a workload of which there is no trial; nothing has less."""


@dataclass(frozen=True, slots=True)
class Section:
    """One workload and its arms, in the order of the race.

    Args:
        workload: What they compete for.
        rows: Arms that are shown.
        rest: Arms that are counted only.
    """

    workload: WorkloadProgress
    rows: tuple[ArmProgress, ...]
    rest: tuple[ArmProgress, ...] = ()


def fit_race(
    snapshot: Snapshot, room: int | None
) -> tuple[list[Section], list[ArmProgress]]:
    """Return the workloads that have room, and the arms of the others.

    Where not all fit, those at work come first and have the most lines, and those not
    begun have none. Of a workload's arms the one that leads is shown, then those that
    have trials in training, then who follows.

    Args:
        snapshot: What there is to show.
        room: Lines there are; None: as many as it takes.
    """
    fields = [
        (goal, _raced(goal, [a for a in snapshot.arms if a.workload == goal.name]))
        for goal in snapshot.workloads
    ]
    needs = [1 + len(arms) for _, arms in fields]
    if room is None or sum(needs) <= room:
        return [Section(goal, tuple(arms)) for goal, arms in fields], []
    order = sorted(range(len(fields)), key=lambda place: _urgency(*fields[place]))
    begun = sum(_urgency(*field) < NOT_BEGUN for field in fields) or len(fields)
    number = max(1, min(begun, room // LEAST_LINES))
    if number < len(fields):
        number = max(1, min(number, (room - 1) // LEAST_LINES))
        room -= 1  # for those that are counted only
    chosen = sorted(order[:number])
    active = [bool(fields[place][0].training) for place in chosen]
    shares = _shares([needs[place] for place in chosen], active, room)
    sections = [
        _section(*fields[place], lines)
        for place, lines in zip(chosen, shares, strict=True)
    ]
    return sections, [arm for place in order[number:] for arm in fields[place][1]]


def _section(
    goal: WorkloadProgress, arms: Sequence[ArmProgress], lines: int
) -> Section:
    """Return as many of a workload's arms as fit into so many lines."""
    if lines > len(arms):
        return Section(goal, tuple(arms))
    wanted = sorted(
        range(len(arms)), key=lambda place: (place > 0, not arms[place].training)
    )
    shown = set(wanted[: max(0, lines - 2)])  # its name, and how many more
    return Section(
        goal,
        tuple(arm for place, arm in enumerate(arms) if place in shown),
        tuple(arm for place, arm in enumerate(arms) if place not in shown),
    )


def _urgency(goal: WorkloadProgress, arms: Sequence[ArmProgress]) -> int:
    if goal.training:
        return 0
    if not any(arm.done for arm in arms):
        return NOT_BEGUN
    return 2 if all(arm.done >= arm.planned for arm in arms) else 1


def _shares(needs: Sequence[int], active: Sequence[bool], room: int) -> list[int]:
    """Return lines for each workload, none more than it needs.

    Each has what the least takes, then those at work have what they need, then all.
    """
    shares = [0] * len(needs)
    for caps in (
        [min(need, LEAST_LINES) for need in needs],
        [need if at_work else 0 for need, at_work in zip(needs, active, strict=True)],
        needs,
    ):
        _spread(shares, caps, room - sum(shares))
    return shares


def _spread(shares: list[int], caps: Sequence[int], room: int) -> None:
    """Add lines to shares, as evenly as their caps allow."""
    wants = [max(0, cap - share) for cap, share in zip(caps, shares, strict=True)]
    left = len(wants)
    for place in sorted(range(len(wants)), key=wants.__getitem__):
        more = min(wants[place], room // left)
        shares[place] += more
        room, left = room - more, left - 1


def _raced(goal: WorkloadProgress, arms: Sequence[ArmProgress]) -> list[ArmProgress]:
    """Return arms by their bills, then by how near to the target they have come."""
    sign = -Direction(goal.mode).sign

    def rank(arm: ArmProgress) -> tuple[float, float]:
        bill = math.inf if arm.bill is None else arm.bill
        return bill, math.inf if arm.best is None else sign * arm.best

    return sorted(arms, key=rank)
