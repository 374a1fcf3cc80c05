"""From the records of a study's streams to its tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from hpo_vs_adapt.metrics import target_crossing
from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.plan.events import Answer
from hpo_vs_adapt.plan.prepared import PreparedWorkload
from hpo_vs_adapt.plan.tracks import Track
from hpo_vs_adapt.records.ledger import Purpose, Spending
from hpo_vs_adapt.records.trials import CURVE_COLUMNS, EndReason, TrialRecord
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.study_tables import (
    PROGRESS_COLUMNS,
    SPENDING_COLUMNS,
    TRIAL_COLUMNS,
    StudyTables,
)

__all__ = ["make_study_tables"]

_IN_A_ROW = 2  # evaluations that make a crossing sustained


def make_study_tables(
    study: Study,
    tracks: Iterable[Track],
    answered: Iterable[Answer],
    provenance: Mapping[str, str],
) -> StudyTables:
    """Return the tables of the trials that have ended.

    Args:
        study: What was compared.
        tracks: Its streams.
        answered: What they were told.
        provenance: Versions, revision and hardware.
    """
    order = {id(track): place for place, track in enumerate(_in_order(study, tracks))}
    answers = sorted(
        answered,
        key=lambda one: (order[id(one.request.track)], one.request.proposal.number),
    )
    rows = [_row(answer) for answer in answers]
    curves: dict[str, pd.DataFrame] = {}
    spending = {
        answer.request.key: _spending(answer.request.key, answer.record)
        for answer in answers
    }
    for answer in answers:  # the longest, where one request cut it short
        key, curve = answer.request.key, answer.record.curve
        known = curves.get(key)
        if known is None or len(known) < len(curve):
            curves[key] = curve.assign(key=key)
    empty = pd.DataFrame(columns=["key", *CURVE_COLUMNS])
    table = pd.concat(list(curves.values())) if curves else empty
    return StudyTables(
        study,
        pd.DataFrame(rows, columns=list(TRIAL_COLUMNS)),
        table.reset_index(drop=True),
        pd.DataFrame(
            [row for rows in spending.values() for row in rows],
            columns=list(SPENDING_COLUMNS),
        ),
        _progress(study, tracks),
        dict(provenance),
    )


def _in_order(study: Study, tracks: Iterable[Track]) -> list[Track]:
    """Return the streams by workload, arm, role and seed, however they came up."""
    workloads = [entry.name for entry in study.workloads]
    arms = [arm.name for arm in study.arms]
    roles = ["policy", "retrain", "sweep"]
    return sorted(
        tracks,
        key=lambda t: (
            workloads.index(t.prepared.entry.name),
            arms.index(t.arm.name),
            roles.index(t.role),
            t.seed,
            t.identity.place,
        ),
    )


def _row(answer: Answer) -> dict[str, Any]:
    request, record = answer.request, answer.record
    track, spec, curve = request.track, request.spec, record.curve
    prepared: PreparedWorkload = track.prepared
    metric = prepared.workload.metric
    values = curve["validation_metric"]
    crossing = target_crossing(
        curve["cost"], values, prepared.entry.target, metric.mode, _IN_A_ROW
    )
    # None in a trial that crashed before its first evaluation.
    best = Direction(metric.mode).best_at(values)
    charged = record.ledger.charged()
    # Work that was lost with a worker came before the crossing that was kept.
    wasted = record.ledger.spent.get(Purpose.LOST, Spending())
    share = record.ledger.forward_share
    lost = wasted.sample_gradients + share * wasted.forward_samples
    return {
        "workload": prepared.entry.name,
        "arm": track.arm.name,
        "kind": track.arm.kind,
        "by": track.arm.by,
        "role": track.role,
        "stream": track.seed,
        "optuna": track.identity.name,
        "number": request.proposal.number,
        "key": request.key,
        "rule": spec.rule,
        "settings": dict(spec.settings),
        "batch_size": spec.batch_size,
        "seed": spec.seed,
        "end": str(record.end),
        "failed": record.end in (EndReason.DIVERGED, EndReason.CRASHED),
        "hit": math.isfinite(crossing.first),
        "cost": record.ledger.cost,
        "cost_to_target": crossing.first + lost,
        "sustained_cost": crossing.sustained + lost,
        "cost_before_target": crossing.after + lost,
        "lost": lost,
        "best_metric": math.nan if best is None else values.iloc[best],
        "final_metric": values.iloc[-1] if len(values) else math.nan,
        "test_metric": math.nan if best is None else curve["test_metric"].iloc[best],
        "sample_gradients": charged.sample_gradients,
        "forward_samples": charged.forward_samples,
        "steps": charged.steps,
        "flops": charged.flops,
        "seconds": charged.seconds,
        "amortised": record.lanes > 1,
        "error": record.error,
    }


def _spending(key: str, record: TrialRecord) -> list[tuple[object, ...]]:
    ledger = record.ledger
    return [
        (
            key,
            purpose.value,
            amount.sample_gradients,
            amount.forward_samples,
            amount.sample_gradients + ledger.forward_share * amount.forward_samples,
            amount.flops,
            amount.seconds,
        )
        for purpose, amount in ledger.spent.items()
    ]


def _progress(study: Study, tracks: Iterable[Track]) -> pd.DataFrame:
    planned: dict[tuple[str, str, str], list[int]] = {}
    for track in _in_order(study, tracks):
        place = (track.prepared.entry.name, track.arm.name)
        row = planned.setdefault((*place, track.role), [0, 0])
        row[1] += track.done
        if track.role != "retrain":
            row[0] += track.stream.planned
        # Planned even while the winner is not known.
        again = track.planned_with_retrains - track.stream.planned
        if again > 0:
            planned.setdefault((*place, "retrain"), [0, 0])[0] += again
    rows = [(*place, *counts) for place, counts in planned.items()]
    return pd.DataFrame(rows, columns=list(PROGRESS_COLUMNS))
