"""Telling people and logs how far a run is, without slowing it down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpo_vs_adapt.observers.terminal.progress import (
    Progress,
    Snapshot,
    WorkloadProgress,
)
from hpo_vs_adapt.observers.terminal.race import Race
from hpo_vs_adapt.observers.terminal.time_left import TimeLeft
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.schedule.board import Board, Training

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hpo_vs_adapt.observers.logs.logs import TrialLogs
    from hpo_vs_adapt.plan.tracks import Request

__all__ = ["Monitor"]

SHOW_SECONDS = 0.25
"""Progress is shown at most this often."""

SHOW_SHARE = 0.005
"""Showing progress takes at most this share of the time."""

HIDDEN_SECONDS = 5.0
"""Progress is shown at least this often all the same, if anything happens."""


class Monitor:
    """Tells somebody how far a study is, not too often, and logs what has ended.

    Args:
        plan: The study at work.
        progress: Somebody who wants to know.
        logs: Where trials are logged as they end.
    """

    def __init__(
        self, plan: Plan, progress: Progress | None, logs: TrialLogs | None = None
    ) -> None:
        self._plan = plan
        self._progress = progress
        self._logs = logs
        self._race = Race(plan.tracks)
        self._time_left = TimeLeft()
        self._started = time.monotonic()
        self._due = 0.0
        self._found = len(plan.answered)
        self._seen = 0
        self._sent: set[str] = set()
        self._packs = 0

    def changed(self, board: Board) -> None:
        """Show how far the study is, unless that was shown just now."""
        self._note(board)
        if time.monotonic() >= self._due:
            self.show(board)

    def show(self, board: Board | None = None) -> None:
        """Show how far the study is, and log what has ended."""
        self._take()
        begun = time.monotonic()
        if self._progress is not None:
            self._progress.update(self._snapshot(begun, board))
        # A slow terminal gets fewer pictures; training does not wait for it.
        pause = (time.monotonic() - begun) / SHOW_SHARE
        self._due = begun + min(max(SHOW_SECONDS, pause), HIDDEN_SECONDS)

    def _note(self, board: Board) -> None:
        """Note which trials are trained here, not found."""
        for job in board.jobs.values():
            if job.number > self._packs:
                self._packs = job.number
                self._sent.update(job.keys)

    def _take(self) -> None:
        """Take in the trials that have ended since the last time."""
        ended = self._plan.answered[self._seen :]
        self._seen += len(ended)
        if self._logs is not None:
            self._logs.add(self._plan.study, ended)
        if self._progress is None:
            return
        for request, record in ended:
            self._race.take(request, record)
            if request.key in self._sent:  # once, though several may have asked for it
                self._sent.remove(request.key)
                workload = request.track.prepared.entry.name
                self._time_left.take(workload, request.track.arm.name, record)

    def _snapshot(self, now: float, board: Board | None) -> Snapshot:
        training = board.training if board else {}
        arms = self._race.arms(self._asked(board.latest) if board else ())
        remaining, unmeasured = self._time_left.estimate(
            now, self._race.work(), training
        )
        return Snapshot(
            packs=sum(part.packs for part in training.values()),
            lanes=sum(part.trials for part in training.values()),
            done=sum(arm.done for arm in arms),
            planned=sum(arm.planned for arm in arms),
            found=self._found,
            arms=arms,
            elapsed=now - self._started,
            remaining=remaining,
            workloads=self._workloads(training),
            diverged=self._race.ends[EndReason.DIVERGED],
            crashed=self._race.ends[EndReason.CRASHED],
            unmeasured=unmeasured,
        )

    def _asked(
        self, latest: Mapping[str, float | None]
    ) -> Iterator[tuple[Request, float | None]]:
        """Yield trials in training once for each stream that has asked for them."""
        for key, value in latest.items():
            for request in self._plan.asked_by(key):
                yield request, value

    def _workloads(
        self, training: Mapping[str, Training]
    ) -> tuple[WorkloadProgress, ...]:
        shown = []
        for name, prepared in self._plan.prepared.items():
            metric = prepared.workload.metric
            now = training.get(name, Training()).trials
            target = prepared.entry.target
            shown.append(WorkloadProgress(name, metric.name, metric.mode, target, now))
        return tuple(shown)
