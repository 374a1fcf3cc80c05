"""How far a running study is, for whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["ArmProgress", "Progress", "Snapshot", "WorkloadProgress"]


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """How far one arm is on one workload.

    `done` and `planned` count all trials; what follows them is about the policy's
    trials alone, as in bills: retrains and sweeps are in no count.

    Args:
        workload: Label of the workload.
        arm: Name of the arm.
        done: Trials that have ended, those found on disk included.
        planned: Trials in all.
        hits: Trials that met the target.
        best: Best validation metric so far, or None.
        failed: Trials that diverged or crashed.
        spent: What the trials that have ended cost, in sample gradients.
        bill: Expected cost until the target is met, as far as it is known, in sample
            gradients; None without a hit.
        path: Where the best metric rose: what had been spent, and the metric. Trials
            follow one another in the order in which they ended.
        training: Trials in training now, whatever they are for. One that several arms
            have asked for is in training for each of them.
        latest: The best among their latest validation metrics, or None before the
            first.
    """

    workload: str
    arm: str
    done: int
    planned: int
    hits: int
    best: float | None = None
    failed: int = 0
    spent: float = 0.0
    bill: float | None = None
    path: tuple[tuple[float, float], ...] = ()
    training: int = 0
    latest: float | None = None


@dataclass(frozen=True, slots=True)
class WorkloadProgress:
    """What the arms of one workload compete for.

    Args:
        name: Label of the workload.
        metric: Name of its validation metric.
        mode: ``max`` if a higher value is better, else ``min``.
        target: Value to reach.
        training: Trials that are training now.
    """

    name: str
    metric: str
    mode: str
    target: float
    training: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a study is at one moment.

    Args:
        packs: Packs that are training.
        lanes: Trials that are training in them.
        done: Trials that have ended, those found on disk included.
        planned: Trials in all.
        found: Trials that were on disk already.
        arms: One entry per workload and arm.
        elapsed: Seconds since the start.
        remaining: Estimated seconds to go, or None if nobody can say yet.
        workloads: One entry per workload.
        diverged: Trials that diverged, whatever they were for.
        crashed: Trials that crashed, whatever they were for.
        unmeasured: Workloads that have trials to go and whose speed is not known yet;
            they are not in `remaining`.
    """

    packs: int
    lanes: int
    done: int
    planned: int
    found: int
    arms: tuple[ArmProgress, ...]
    elapsed: float
    remaining: float | None = None
    workloads: tuple[WorkloadProgress, ...] = ()
    diverged: int = 0
    crashed: int = 0
    unmeasured: tuple[str, ...] = ()

    @property
    def hits(self) -> int:
        """Trials of the policies that met their target."""
        return sum(arm.hits for arm in self.arms)


class Progress(Protocol):
    """Somebody who wants to know how far a study is."""

    def update(self, snapshot: Snapshot) -> None:
        """Take note of where the study is now."""

    def close(self) -> None:
        """Show the last snapshot for good; nothing follows."""
