"""How far a running study is, for whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["ArmProgress", "Progress", "Snapshot"]


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """How far one arm is on one workload.

    Args:
        workload: Label of the workload.
        arm: Name of the arm.
        done: Trials that have ended, those found on disk included.
        planned: Trials in all.
        hits: Trials that met the target.
        best: Best validation metric so far, or None.
    """

    workload: str
    arm: str
    done: int
    planned: int
    hits: int
    best: float | None = None


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
    """

    packs: int
    lanes: int
    done: int
    planned: int
    found: int
    arms: tuple[ArmProgress, ...]
    elapsed: float
    remaining: float | None = None

    @property
    def hits(self) -> int:
        """Trials that met their target."""
        return sum(arm.hits for arm in self.arms)


class Progress(Protocol):
    """Somebody who wants to know how far a study is."""

    def update(self, snapshot: Snapshot) -> None:
        """Take note of where the study is now."""

    def close(self) -> None:
        """Show the last snapshot for good; nothing follows."""
