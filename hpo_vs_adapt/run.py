"""Running a study: replay what is known, train what is missing, return the results."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpo_vs_adapt.observers.dashboard.annotations import Annotations
from hpo_vs_adapt.observers.dashboard.streams import StreamMirrors
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.observers.terminal.monitor import Monitor
from hpo_vs_adapt.observers.terminal.progress import Progress
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.collect import make_study_tables
from hpo_vs_adapt.tables.provenance import read_provenance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpo_vs_adapt.observers.logs.logs import TrialLogs
    from hpo_vs_adapt.plan.events import Listener

__all__ = ["PlanRow", "PlanSummary", "load_results", "plan_study", "run_study"]

logger = logging.getLogger(__name__)


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

    Trials whose workers were lost again and again, or could not import what they need,
    are missing in them; a warning that is logged names them.

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
        OtherWriter: If somebody else writes the same Optuna studies.
        ResourceProblem: If the machines have less than one pack is promised.
        AddressProblem: If there is no Ray cluster at `address`.
        WorkerProblem: If no worker can be started.
        ModelProblem: If a workload's model has frozen parameters.
    """
    store = RecordStore(study.storage.records)
    with OptunaStudies(study.storage.optuna) as studies:
        listeners: list[Listener] = [StreamMirrors(studies)]
        listeners += [] if logs is None else [logs]
        listeners += [] if progress is None else [Monitor(progress)]
        listeners += [Annotations(study, studies)]
        plan = Plan(study, store, listeners)
        try:
            plan.advance()
            plan.listeners.changed(None)
            if not plan.finished:
                # Ray takes seconds to import; a study that is done does without.
                from hpo_vs_adapt.schedule.ray_tune import run_packs

                run_packs(plan, study.resources, address, verbose)
        finally:
            plan.listeners.closed()  # of what was done, whatever ended it
    if plan.given_up:
        logger.warning(plan.given_up.tell())
    return _results(plan)


def load_results(study: Study, logs: TrialLogs | None = None) -> Results:
    """Return the results of a study as far as its records reach; train nothing.

    Args:
        study: What was compared.
        logs: Where its trials are logged.
    """
    plan = _replayed(study, [] if logs is None else [logs])
    plan.listeners.closed()
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


def _replayed(study: Study, listeners: Iterable[Listener] = ()) -> Plan:
    store = RecordStore(study.storage.records, writable=False)
    plan = Plan(study, store, listeners)
    plan.advance()
    return plan


def _results(plan: Plan) -> Results:
    return Results(
        make_study_tables(plan.study, plan.tracks, plan.answered, read_provenance())
    )


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
