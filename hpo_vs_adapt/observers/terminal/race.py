"""The race of a study's arms, kept up trial by trial while it runs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpo_vs_adapt.metrics.basics.cost import (
    expected_finite_list,
    expected_running_time,
)
from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.metrics.basics.hits import finite_part, first_hit
from hpo_vs_adapt.observers.terminal.progress import ArmProgress
from hpo_vs_adapt.plan.events import Answer
from hpo_vs_adapt.plan.tracks import Request, Track
from hpo_vs_adapt.records.ledger import Purpose, Spending
from hpo_vs_adapt.records.trials import CURVE_COLUMNS, EndReason, TrialRecord
from hpo_vs_adapt.study import Arm

__all__ = ["Race", "Work"]

_COST = CURVE_COLUMNS.index("cost")
_METRIC = CURVE_COLUMNS.index("validation_metric")


@dataclass(frozen=True, slots=True)
class Work:
    """What an arm has still to train on one workload.

    Args:
        workload: Label of the workload.
        arm: Name of the arm.
        trials: Trials to go.
        rounds: How many of them must follow one another, at least 1.
        samples: Training samples of one trial.
    """

    workload: str
    arm: str
    trials: int
    rounds: int
    samples: int


class Race:
    """Where every arm is on every workload.

    A trial is looked at once, when it has ended, and an arm counted again only if one
    of its trials has: with thousands of records this costs no more than with a few.
    """

    def __init__(self) -> None:
        self.ends: Counter[EndReason] = Counter()
        self._runners: dict[tuple[str, str], _Runner] = {}

    def add(self, track: Track) -> None:
        """Take note of a stream."""
        place = _place(track)
        if place not in self._runners:
            self._runners[place] = _Runner(*place, track.arm)
        self._runners[place].tracks.append(track)

    def take(self, answer: Answer) -> None:
        """Take note of how a trial ended."""
        self.ends[answer.record.end] += 1
        track = answer.request.track
        runner = self._runners[_place(track)]
        runner.done += 1
        runner.known = None
        if track.role == "policy":
            runner.take(answer.request, answer.record)

    def arms(
        self, training: Iterable[tuple[Request, float | None]] = ()
    ) -> tuple[ArmProgress, ...]:
        """Return how far the arms are, workload by workload.

        Args:
            training: Trials in training, once for each stream that has asked for them,
                and their latest validation metrics.
        """
        latest: dict[tuple[str, str], list[float]] = defaultdict(list)
        for request, value in training:
            latest[_place(request.track)].append(math.nan if value is None else value)
        return tuple(
            runner.progress_with(latest[place])
            if place in latest
            else runner.progress()
            for place, runner in self._runners.items()
        )

    def work(self) -> list[Work]:
        """Return what the arms have still to train."""
        return [
            r.work() for r in self._runners.values() if r.progress().planned > r.done
        ]


class _Runner:
    """One arm on one workload."""

    def __init__(self, workload: str, name: str, arm: Arm) -> None:
        self.workload = workload
        self.name = name
        self.arm = arm
        self.tracks: list[Track] = []
        self.done = 0
        self.known: ArmProgress | None = None
        self._hits = 0
        self._failed = 0
        self._spent = 0.0
        self._path: list[tuple[float, float]] = []
        self._trials: dict[int, list[tuple[int, float, bool]]] = {}
        self._totals: dict[int, tuple[float, int]] = {}

    def take(self, request: Request, record: TrialRecord) -> None:
        """Take note of a trial of the policy."""
        self._failed += record.end in (EndReason.DIVERGED, EndReason.CRASHED)
        cost = record.ledger.cost
        crossing = self._follow(request, record)
        contribution = cost if crossing is None else crossing
        self._spent += cost
        self._hits += crossing is not None
        trials = self._trials.setdefault(request.track.seed, [])
        trials.append((request.proposal.number, contribution, crossing is not None))
        self._totals.pop(request.track.seed, None)

    def progress(self) -> ArmProgress:
        """Return how far it is."""
        if self.known is None:
            self.known = ArmProgress(
                self.workload,
                self.name,
                self.done,
                sum(track.planned_with_retrains for track in self.tracks),
                self._hits,
                self._path[-1][1] if self._path else None,
                self._failed,
                self._spent,
                self._bill() if self._hits else None,
                tuple(self._path),
            )
        return self.known

    def progress_with(self, latest: Sequence[float]) -> ArmProgress:
        """Return how far it is, with what is in training.

        Args:
            latest: Metrics of the trials in training; NaN where none is known.
        """
        known = [value for value in latest if math.isfinite(value)]
        direction = Direction(self.tracks[0].prepared.workload.metric.mode)
        best = direction.best(known) if known else None
        return replace(self.progress(), training=len(latest), latest=best)

    def work(self) -> Work:
        """Return what it has still to train."""
        prepared = self.tracks[0].prepared
        return Work(
            self.workload,
            self.name,
            self.progress().planned - self.done,
            max(1, *(_rounds(track) for track in self.tracks)),
            prepared.budget(prepared.entry.batch_size),
        )

    def _follow(self, request: Request, record: TrialRecord) -> float | None:
        """Note where a trial was better than all before.

        Returns:
            What it had cost when it met the target, as in `Results.records`; or None.
        """
        prepared = request.track.prepared
        target, mode = prepared.entry.target, prepared.workload.metric.mode
        sign = Direction(mode).sign
        # The whole table: pandas takes longer to find one column of it.
        curve = record.curve.to_numpy(dtype=float)
        costs, values = curve[:, _COST], curve[:, _METRIC]
        hit = first_hit(values, target, mode)
        heights = sign * finite_part(values)
        best = sign * self._path[-1][1] if self._path else -math.inf
        if hit is None and heights.max(initial=-math.inf) <= best:
            return None
        tops = np.maximum.accumulate(np.append(best, heights))
        for at in np.flatnonzero(tops[1:] > tops[:-1]):
            self._path.append((self._spent + float(costs[at]), float(values[at])))
        if hit is None:
            return None
        # What was lost with a worker came before the crossing.
        lost = record.ledger.spent.get(Purpose.LOST, Spending())
        share = record.ledger.forward_share
        return float(costs[hit]) + lost.sample_gradients + share * lost.forward_samples

    def _bill(self) -> float:
        """Return spending over hits, both counted in passes; see `arm_passes`."""
        for stream, trials in self._trials.items():
            if stream not in self._totals:
                self._totals[stream] = _total(self.arm.by, trials)
        costs, hits = zip(*self._totals.values(), strict=True)
        return expected_running_time(costs, hits)


def _place(track: Track) -> tuple[str, str]:
    return track.prepared.entry.name, track.arm.name


def _total(by: str, trials: Iterable[tuple[int, float, bool]]) -> tuple[float, int]:
    """Return what the passes of one stream cost together, and how many of them hit.

    Args:
        by: How the arm's trials are chosen.
        trials: Number, cost (until the target, where it was met) and hit of each.
    """
    _, costs, hits = zip(*sorted(trials), strict=True)
    if by in ("single", "random"):
        return math.fsum(costs), sum(hits)
    if True not in hits:
        return math.fsum(costs), 0
    if by == "grid":
        return expected_finite_list(costs, hits), 1
    return math.fsum(costs[: hits.index(True) + 1]), 1


def _rounds(track: Track) -> int:
    """Return how many trials of a stream must still follow one another."""
    left = track.stream.planned - track.done
    if not left or track.role != "policy" or track.arm.tune is None:
        return min(left, 1)
    tune = track.arm.tune
    sequential = tune.by in ("optuna", "portfolio")
    rounds = math.ceil(left / tune.batch) if sequential else 1
    return rounds + (tune.retrain > 0)
