"""Telling people how far a run is, without slowing it down."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from typing_extensions import override

from hpo_vs_adapt.observers.terminal.progress import (
    Progress,
    Snapshot,
    WorkloadProgress,
)
from hpo_vs_adapt.observers.terminal.race import Race
from hpo_vs_adapt.observers.terminal.time_left import TimeLeft
from hpo_vs_adapt.plan.events import Answer, AtWork, Listener, Training
from hpo_vs_adapt.records.trials import EndReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hpo_vs_adapt.plan.prepared import PreparedWorkload
    from hpo_vs_adapt.plan.tracks import Request, Track

__all__ = ["Monitor"]

SHOW_SECONDS = 0.25
"""Progress is shown at most this often."""

SHOW_SHARE = 0.005
"""Showing progress takes at most this share of the time."""

HIDDEN_SECONDS = 5.0
"""Progress is shown at least this often all the same, if anything happens."""


class Monitor(Listener):
    """Tells somebody how far a study is, not too often.

    Args:
        progress: Somebody who wants to know.
    """

    does = "Showing progress"

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._race = Race()
        self._time_left = TimeLeft()
        self._workloads: dict[str, PreparedWorkload] = {}
        # Who waits for the trials that are trained here, by their keys.
        self._training: dict[str, dict[Request, None]] = defaultdict(dict)
        self._trains = False
        self._found = 0
        self._started = time.monotonic()
        self._due = 0.0

    @override
    def opened(self, track: Track) -> None:
        self._race.add(track)
        self._workloads[track.prepared.entry.name] = track.prepared

    @override
    def started(self, request: Request) -> None:
        self._trains = True
        self._training[request.key][request] = None

    @override
    def told(self, answer: Answer) -> None:
        self._race.take(answer)
        self._found += not self._trains
        request = answer.request
        # Measured once, though several may have asked for it.
        if self._training.pop(request.key, None) is not None:
            workload = request.track.prepared.entry.name
            self._time_left.take(workload, request.track.arm.name, answer.record)

    @override
    def changed(self, now: AtWork | None) -> None:
        if time.monotonic() >= self._due:
            self._show(now)

    @override
    def closed(self) -> None:
        if self._due:  # else it ended before there was anything to show
            self._show(None)
        self._progress.close()

    def _show(self, now: AtWork | None) -> None:
        begun = time.monotonic()
        try:
            self._progress.update(self._snapshot(begun, now))
        except Exception:
            self._progress.close()  # it may hold the terminal, and hears no more of us
            raise
        # A slow terminal gets fewer pictures; training does not wait for it.
        pause = (time.monotonic() - begun) / SHOW_SHARE
        self._due = begun + min(max(SHOW_SECONDS, pause), HIDDEN_SECONDS)

    def _snapshot(self, time_now: float, now: AtWork | None) -> Snapshot:
        training = now.training if now else {}
        arms = self._race.arms(self._asked(now.latest) if now else ())
        remaining, unmeasured = self._time_left.estimate(
            time_now, self._race.work(), training
        )
        return Snapshot(
            packs=sum(part.packs for part in training.values()),
            lanes=sum(part.trials for part in training.values()),
            done=sum(arm.done for arm in arms),
            planned=sum(arm.planned for arm in arms),
            found=self._found,
            arms=arms,
            elapsed=time_now - self._started,
            remaining=remaining,
            workloads=tuple(
                _workload(prepared, training) for prepared in self._workloads.values()
            ),
            diverged=self._race.ends[EndReason.DIVERGED],
            crashed=self._race.ends[EndReason.CRASHED],
            unmeasured=unmeasured,
        )

    def _asked(
        self, latest: Mapping[str, float | None]
    ) -> Iterator[tuple[Request, float | None]]:
        """Yield trials in training once for each stream that has asked for them."""
        for key, value in latest.items():
            for request in self._training.get(key, ()):
                yield request, value


def _workload(
    prepared: PreparedWorkload, training: Mapping[str, Training]
) -> WorkloadProgress:
    metric, entry = prepared.workload.metric, prepared.entry
    now = training.get(entry.name, Training()).trials
    return WorkloadProgress(entry.name, metric.name, metric.mode, entry.target, now)
