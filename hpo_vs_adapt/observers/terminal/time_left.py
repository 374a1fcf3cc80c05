"""How long a study still takes, from what it has measured of itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hpo_vs_adapt.observers.terminal.race import Work
from hpo_vs_adapt.plan.events import Training
from hpo_vs_adapt.records.trials import TrialRecord

__all__ = ["TimeLeft"]

LEAST_SECONDS = 3.0
"""Training that must be behind before anything is said of what is ahead."""


@dataclass(slots=True)
class _Pace:
    """What training took so far: seconds shared by lanes, and whole ones."""

    samples: float = 0.0
    seconds: float = 0.0
    wall: float = 0.0

    def add(self, samples: float, seconds: float, lanes: int = 1) -> None:
        """Add a trial that trained in a pack with so many lanes."""
        self.samples += samples
        self.seconds += seconds
        self.wall += seconds * lanes


class TimeLeft:
    """Estimates the time until the last trial ends.

    The samples that are left, each at the seconds that one of the same arm took so far
    (extra gradients in them), or else of the same workload, by the packs that were at
    work together on average. No less than the longest stream of trials that must follow
    one another. Every trial counts with its whole budget, so where many end early the
    estimate is rather too long. Only what this run trained is measured.
    """

    def __init__(self) -> None:
        self._begun: tuple[float, float] | None = None
        self._arms: dict[tuple[str, str], _Pace] = defaultdict(_Pace)
        self._workloads: dict[str, _Pace] = defaultdict(_Pace)
        self._seconds = 0.0

    def take(self, workload: str, arm: str, record: TrialRecord) -> None:
        """Take note of a trial that was trained in this run."""
        if not len(record.curve):
            return
        seconds = record.ledger.charged().seconds
        samples = float(record.curve["samples"].iloc[-1])
        self._seconds += seconds
        self._arms[workload, arm].add(samples, seconds, record.lanes)
        self._workloads[workload].add(samples, seconds, record.lanes)

    def estimate(
        self, now: float, work: Iterable[Work], training: Mapping[str, Training]
    ) -> tuple[float | None, tuple[str, ...]]:
        """Return the seconds that are left, and the workloads that are not in them.

        Args:
            now: Seconds on a clock that never goes back.
            work: What is to be trained, trials that are training included.
            training: What is training now, by workload.

        Returns:
            None while too little is known to say anything.
        """
        running = sum(part.spent.seconds for part in training.values())
        together = self._together(now, self._seconds + running)
        if together is None:
            return None, ()
        left, longest, unmeasured = -running, 0.0, dict[str, None]()
        for part in work:
            pace = self._pace(part, training)
            if pace is None:
                unmeasured[part.workload] = None
                continue
            left += part.trials * part.samples * pace.seconds / pace.samples
            whole = part.samples * pace.wall / pace.samples
            first = max(0.0, whole - _age(training.get(part.workload)))
            longest = max(longest, (part.rounds - 1) * whole + first)
        return max(left / together, longest, 0.0), tuple(unmeasured)

    def _together(self, now: float, busy: float) -> float | None:
        """Return how many packs were at work on average, or None if that is too early.

        Counted from the first report on: until then workers were starting.
        """
        if self._begun is None and busy > 0:
            self._begun = now, busy
        if self._begun is None:
            return None
        begun, busy_then = self._begun
        if now - begun < LEAST_SECONDS or busy <= busy_then:
            return None
        return (busy - busy_then) / (now - begun)

    def _pace(self, work: Work, training: Mapping[str, Training]) -> _Pace | None:
        """Return what the arm's training took so far, or the workload's."""
        for pace in (
            self._arms.get((work.workload, work.arm)),
            self._workloads.get(work.workload),
            _pace_of(training.get(work.workload)),
        ):
            if pace is not None and pace.samples > 0 and pace.seconds > 0:
                return pace
        return None


def _age(training: Training | None) -> float:
    """Return how long the packs of a workload have been training, on average."""
    return training.spent.seconds / training.packs if training is not None else 0.0


def _pace_of(training: Training | None) -> _Pace | None:
    """Return what trials took that are still training; gradients stand for samples."""
    if training is None:
        return None
    pace, lanes = _Pace(), max(1, training.trials // training.packs)
    pace.add(training.spent.sample_gradients, training.spent.seconds, lanes)
    return pace
