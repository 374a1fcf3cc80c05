"""The packs that are out, and what is known of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from hpo_vs_adapt.plan.events import Training
from hpo_vs_adapt.plan.packs import PackJob
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.plan.tracks import Request
from hpo_vs_adapt.records.ledger import Spending
from hpo_vs_adapt.schedule.worker import Cause, Failure, PackReport, crash_record

__all__ = ["Board", "ScheduleSummary", "Slots"]

_LOST = (
    "Its worker was lost again and again ({}). Its machine may have stopped or run out "
    "of memory, or what is trained ends its process: fewer `packs` at a time, or "
    "packs of fewer `lanes`, take less memory (`resources`)."
)
_IMPORT = (
    "The worker cannot import what it needs ({}). Workers need all packages that this "
    "machine has installed; of one's own files they get those that a workload's or "
    "rule's file imports from beside it."
)


@dataclass(slots=True)
class ScheduleSummary:
    """What a schedule did.

    Args:
        packs: Number of packs trained.
        trials: Number of trials trained.
        processes: Ids of the processes that trained them.
    """

    packs: int = 0
    trials: int = 0
    processes: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Slots:
    """How packs share the machines.

    Args:
        cpu: CPUs of a pack.
        gpu: GPUs of a pack, possibly a fraction.
        packs: Packs that train at a time.
        memory: Bytes of main memory that a pack may use.
    """

    cpu: float
    gpu: float
    packs: int
    memory: float

    @property
    def threads(self) -> int:
        """Threads that a pack computes with."""
        return max(1, math.floor(self.cpu))


class Board:
    """The packs that are out: hands them out, takes their reports, splits what fails.

    Args:
        plan: Gives packs and takes records.
        slots: How packs share the machines.
        lanes: The largest pack for trials like the one given.
    """

    def __init__(
        self,
        plan: Plan,
        slots: Slots,
        lanes: Callable[[Request], int],
    ) -> None:
        self.plan = plan
        self.summary = ScheduleSummary()
        self.error: BaseException | None = None
        self.jobs: dict[str, PackJob] = {}
        self._slots = slots
        self._lanes = lanes
        self._last: dict[str, PackReport] = {}
        self._limits: dict[Hashable, int] = {}

    @property
    def training(self) -> dict[str, Training]:
        """What is training now, by workload."""
        now: dict[str, Training] = {}
        for trial_id, job in self.jobs.items():
            before = now.get(job.arrays, Training())
            report = self._last.get(trial_id)
            left = self.plan.unfinished(job)
            spent = report.spent if report is not None else {}
            amounts = (spent[key] for key in left if key in spent)
            now[job.arrays] = Training(
                before.packs + 1,
                before.trials + len(left),
                sum(amounts, before.spent),
            )
        return now

    @property
    def latest(self) -> dict[str, float | None]:
        """The latest validation metric of every trial in training, by key.

        None until the trial's pack has reported it.
        """
        now: dict[str, float | None] = {}
        for trial_id, job in self.jobs.items():
            report = self._last.get(trial_id)
            known = report.latest if report is not None else {}
            for key in self.plan.unfinished(job):
                now[key] = known[key][1] if key in known else None
        return now

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing: Ray pickles its searcher to resume it, which we never do.

        A study is replayed from its records; a terminal cannot be pickled.
        """
        return {}

    @contextlib.contextmanager
    def keeping_errors(self) -> Iterator[None]:
        """Keep in `error` what is raised: Ray passes only its text on."""
        try:
            yield
        except BaseException as error:
            self.error = error
            raise

    def next_job(self, trial_id: str) -> PackJob | None:
        """Return the next pack, or None while streams wait for results."""
        idle = self._slots.packs - len(self.jobs)
        job = self.plan.next_pack(idle, self._most_lanes)
        if job is None:
            assert self.jobs or self.plan.finished or self.plan.given_up, (
                "streams wait for results of no trial"
            )
            return None
        self.jobs[trial_id] = job
        self.plan.listeners.changed(self)
        return job

    def take(self, trial_id: str, report: PackReport) -> None:
        """Take a report: finished trials, and how far the others are."""
        job = self.jobs[trial_id]
        self._charge_lost(trial_id, job, report)
        self._last[trial_id] = report
        self.summary.processes.add(report.process)
        for record in report.finished:
            if self.plan.is_training(
                record.key
            ):  # else told before its worker was lost
                self.plan.finish(record)
                self.summary.trials += 1
        for key, (step, value) in report.latest.items():
            self.plan.evaluated(key, step, value)
        if report.failure is not None:
            self._failed(job, report.failure, report.spent)
        self.plan.advance()
        self.plan.listeners.changed(self)

    def lost(self, trial_id: str, error: str) -> None:
        """Take note that Ray has given a pack up: its worker was lost too often.

        Its trials are tried apart, since one of them may be what ends workers.

        Args:
            trial_id: Of the pack.
            error: What Ray says, in one line.
        """
        job = self.jobs[trial_id]
        report = self._last.get(trial_id)
        spent = report.spent if report is not None else {}
        if not self._split(job, spent):
            text = self.plan.study.secrets.hide(error)
            self.plan.give_up(self.plan.unfinished(job), _LOST.format(text))
        self.plan.advance()
        self.ended(trial_id)

    def ended(self, trial_id: str) -> None:
        """Take note that a pack is over."""
        self.jobs.pop(trial_id, None)
        self._last.pop(trial_id, None)
        self.summary.packs += 1
        self.plan.listeners.changed(self)

    def _most_lanes(self, request: Request) -> int:
        group = self.plan.group(request)
        if not self.plan.rules[request.spec.rule].resumable:
            return 1  # a lane that ends early can't be taken out
        return min(self._lanes(request), self._limits.get(group, self._lanes(request)))

    def _charge_lost(self, trial_id: str, job: PackJob, report: PackReport) -> None:
        """Charge what an earlier attempt spent after the checkpoint it left."""
        last = self._last.get(trial_id)
        if last is not None and last.attempt != report.attempt:
            self.plan.charge(
                {
                    key: last.spent[key] - report.resumed.get(key, Spending())
                    for key in self.plan.unfinished(job)
                    if key in last.spent
                }
            )

    def _failed(
        self, job: PackJob, failure: Failure, spent: Mapping[str, Spending]
    ) -> None:
        """Try the trials of a failed pack apart; one that fails alone has crashed."""
        left = self.plan.unfinished(job)
        text = self.plan.study.secrets.hide(failure.text)  # records are for everybody
        if failure.cause is Cause.IMPORT:  # as it would for each of them
            self.plan.give_up(left, _IMPORT.format(text))
            return
        if failure.cause is Cause.MEMORY:
            self._limits[job.group] = max(1, len(left) // 2)
        if self._split(job, spent):
            return
        for key in left:
            spec = job.specs[job.keys.index(key)]
            share = job.flops.forward_share
            self.plan.finish(crash_record(key, spec, text, share))

    def _split(self, job: PackJob, spent: Mapping[str, Spending]) -> bool:
        """Charge what is lost, and queue halves; return whether there are any."""
        left = self.plan.unfinished(job)
        self.plan.charge({key: spent[key] for key in left if key in spent})
        if len(left) < 2:
            return False
        self.plan.split(job)
        return True
