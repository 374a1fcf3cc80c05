"""Running a study: replay what is known, train what is missing, return the results."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpo_vs_adapt.collect import make_results
from hpo_vs_adapt.optuna_studies import OptunaStudies
from hpo_vs_adapt.plan import Plan
from hpo_vs_adapt.progress import ArmProgress, Progress, Snapshot
from hpo_vs_adapt.provenance import read_provenance
from hpo_vs_adapt.records import RecordStore
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.study import Study

if TYPE_CHECKING:
    from hpo_vs_adapt.board import Board
    from hpo_vs_adapt.trial_logs import TrialLogs

__all__ = ["PlanRow", "PlanSummary", "load_results", "plan_study", "run_study"]

_SHOW_SECONDS = 0.25  # the display is renewed at most this often


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What one arm has planned on one workload.

    Args:
        workload: Label of the workload.
        arm: Name of the arm.
        role: ``policy``, ``retrain`` or ``sweep``.
        planned: Trials in all.
        found: Trials whose records exist.
    """

    workload: str
    arm: str
    role: str
    planned: int
    found: int


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a run would do.

    Args:
        rows: One per workload, arm and role.
        trials: Trials planned in all.
        found: Trials whose records exist.
        packs: Groups of trials that could begin at once, as lanes of one pack each.
        sample_gradients: Estimate of what the missing trials cost.
        seconds: Estimate of how long they take one pack after another, from records of
            the same workloads; None without any.
    """

    rows: list[PlanRow]
    trials: int
    found: int
    packs: int
    sample_gradients: float
    seconds: float | None


def run_study(
    study: Study,
    address: str | None = None,
    progress: Progress | None = None,
    verbose: bool = False,
    logs: TrialLogs | None = None,
) -> Results:
    """Train what is missing of a study, and return all its results.

    Args:
        study: What to compare.
        address: A running Ray cluster to join (``auto``, ``host:port``), or None for
            this machine.
        progress: Somebody who wants to know how far it is.
        verbose: Whether to show what Ray and the workers print.
        logs: Where trials are logged as they end, those found on disk included.

    Raises:
        DataProblem: If a workload's data cannot be had.
        StorageProblem: If records or Optuna studies cannot be opened.
        StreamChanged: If a stream suggests other trials than those recorded.
        ResourceProblem: If the machines have less than one pack is promised.
        AddressProblem: If there is no Ray cluster at `address`.
        WorkerProblem: If no worker can be started.
    """
    store = RecordStore(study.storage.records)
    with OptunaStudies(study.storage.optuna) as studies:
        plan = Plan(study, store, studies)
        try:
            plan.advance()
            watch = _Watch(plan, progress, logs)
            watch.show()
            try:
                if not plan.finished:
                    # Ray takes seconds to import; a study that is done does without.
                    from hpo_vs_adapt.schedule import run_packs

                    run_packs(plan, study.resources, address, verbose, watch.changed)
            finally:
                watch.show()  # also what was done before an interrupt
        finally:
            plan.close()
            if progress is not None:
                progress.close()
    return _results(plan)


def load_results(study: Study, logs: TrialLogs | None = None) -> Results:
    """Return the results of a study as far as its records reach; train nothing.

    Args:
        study: What was compared.
        logs: Where its trials are logged.
    """
    plan = _replayed(study)
    if logs is not None:
        logs.add(study, plan.answered)
    return _results(plan)


def plan_study(study: Study) -> PlanSummary:
    """Return what a run would do; train nothing, and write nothing."""
    plan = _replayed(study)
    results = _results(plan)
    rows = [
        PlanRow(*row) for row in results.progress.itertuples(index=False, name=None)
    ]
    return PlanSummary(
        rows,
        sum(row.planned for row in rows),
        sum(row.found for row in rows),
        plan.open_groups,
        *_estimate(plan, rows, results),
    )


def _replayed(study: Study) -> Plan:
    plan = Plan(study, RecordStore(study.storage.records, writable=False))
    plan.advance()
    return plan


def _results(plan: Plan) -> Results:
    return make_results(plan.study, plan.tracks, plan.answered, read_provenance())


def _estimate(
    plan: Plan, rows: list[PlanRow], results: Results
) -> tuple[float, float | None]:
    """Return sample gradients and seconds of the trials that are missing."""
    gradients, seconds, timed = 0.0, 0.0, True
    for row in rows:
        prepared = plan.prepared[row.workload]
        missing = (row.planned - row.found) * prepared.budget(prepared.entry.batch_size)
        gradients += missing
        known = results.records.query("workload == @row.workload and seconds > 0")
        spent = known["sample_gradients"].sum()
        if missing and not spent:
            timed = False
        elif missing:
            seconds += missing * known["seconds"].sum() / spent
    return gradients, seconds if timed else None


class _Watch:
    """Tells somebody how far a study is, not too often, and logs what has ended."""

    def __init__(
        self, plan: Plan, progress: Progress | None, logs: TrialLogs | None
    ) -> None:
        self._plan = plan
        self._progress = progress
        self._logs = logs
        self._logged = 0
        self._started = time.monotonic()
        self._shown = 0.0
        self._found = len(plan.answered)

    def changed(self, board: Board) -> None:
        """Show how far it is, unless it was shown just now."""
        if time.monotonic() - self._shown > _SHOW_SECONDS:
            self.show(board)

    def show(self, board: Board | None = None) -> None:
        """Show how far it is."""
        self._shown = time.monotonic()
        self._log()
        if self._progress is None:
            return
        arms = _arm_progress(self._plan)
        done = sum(arm.done for arm in arms)
        planned = sum(arm.planned for arm in arms)
        elapsed = self._shown - self._started
        trained = done - self._found
        self._progress.update(
            Snapshot(
                packs=len(board.jobs) if board else 0,
                lanes=self._plan.training if board else 0,
                done=done,
                planned=planned,
                found=self._found,
                arms=arms,
                elapsed=elapsed,
                remaining=elapsed * (planned - done) / trained if trained else None,
            )
        )

    def _log(self) -> None:
        if self._logs is not None:
            ended = self._plan.answered[self._logged :]
            self._logged += len(ended)
            self._logs.add(self._plan.study, ended)


def _arm_progress(plan: Plan) -> tuple[ArmProgress, ...]:
    arms: dict[tuple[str, str], ArmProgress] = {}
    for track in plan.tracks:
        place = (track.prepared.entry.name, track.arm.name)
        metric = track.prepared.workload.metric
        before = arms.get(place, ArmProgress(*place, 0, 0, 0))
        values = [v for v in (before.best, track.best) if v is not None]
        better = max if metric.mode == "max" else min
        arms[place] = ArmProgress(
            *place,
            before.done + track.done,
            before.planned + track.planned_with_retrains,
            before.hits + track.hits,
            better(values, default=None),
        )
    return tuple(arms.values())
