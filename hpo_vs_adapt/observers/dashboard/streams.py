"""The Optuna studies of a run, each written as its stream goes on."""

from __future__ import annotations

import time

from typing_extensions import override

from hpo_vs_adapt.observers.dashboard.mirror import Attributes, StudyMirror
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.plan.events import Answer, Listener
from hpo_vs_adapt.plan.tracks import Request, Track, objective_of
from hpo_vs_adapt.records.trials import Value

__all__ = ["StreamMirrors"]

_SHOWN_AFTER_SECONDS = 10.0  # shorter trials are written when they end


class StreamMirrors(Listener):
    """Keeps an Optuna study in step with every stream.

    Args:
        studies: Where the Optuna studies are.
    """

    does = "Writing the Optuna studies"

    def __init__(self, studies: OptunaStudies) -> None:
        self._studies = studies
        self._mirrors: dict[Track, StudyMirror] = {}
        self._started: dict[Request, float] = {}
        self._shown: set[Request] = set()

    @override
    def opened(self, track: Track) -> None:
        identity = track.identity
        self._mirrors[track] = self._studies.open(
            identity.name,
            identity.definition,
            track.stream.direction.verb,
            _study_attributes(track),
            identity.space,
        )

    @override
    def started(self, request: Request) -> None:
        self._started[request] = time.monotonic()

    @override
    def evaluated(self, request: Request, step: int, value: float) -> None:
        if time.monotonic() - self._started[request] <= _SHOWN_AFTER_SECONDS:
            return
        mirror, number = self._mirrors[request.track], request.proposal.number
        if request not in self._shown:
            self._shown.add(request)
            mirror.begin(number, _params(request), _attributes(request))
        mirror.report(number, step, value)

    @override
    def told(self, answer: Answer) -> None:
        request, record, outcome = answer.request, answer.record, answer.outcome
        self._started.pop(request, None)
        self._shown.discard(request)
        curve = record.curve
        steps = curve["step"].astype(int)
        self._mirrors[request.track].finish(
            request.proposal.number,
            _params(request),
            None if outcome.failed else outcome.value,
            "FAIL" if outcome.failed else "COMPLETE",
            dict(zip(steps, curve["validation_metric"], strict=True)),
            {
                **_attributes(request),
                "end_reason": str(record.end),
                "cost": record.ledger.cost,
                "hit": answer.hit,
                **({"error": record.error} if record.error else {}),
            },
        )

    @override
    def closed(self) -> None:
        for mirror in self._mirrors.values():
            mirror.close()


def _study_attributes(track: Track) -> Attributes:
    entry, arm = track.prepared.entry, track.arm
    cost = objective_of(arm, track.role) == "cost"
    return {
        "workload": entry.name,
        "arm": arm.name,
        "kind": arm.kind,
        "role": track.role,
        "target": entry.target,
        "metric": "cost" if cost else track.prepared.workload.metric.name,
    }


def _params(request: Request) -> dict[str, Value]:
    """Return what Optuna is to know as chosen: by a tuner, or by the study."""
    proposal, track = request.proposal, request.track
    params: dict[str, Value] = dict(proposal.settings)
    if proposal.batch_size is not None:
        params["batch_size"] = proposal.batch_size
    if track.role != "policy" or track.arm.tune is None:
        params["seed"] = proposal.seed
    return params


def _attributes(request: Request) -> Attributes:
    spec = request.spec
    return {
        "record": request.key,
        "seed": spec.seed,
        "batch_size": spec.batch_size,
        "role": request.track.role,
        "settings": dict(spec.settings),
    }
