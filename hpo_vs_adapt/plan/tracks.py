"""Streams at work: an arm on a workload with one tuner seed, and its Optuna study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hpo_vs_adapt.observers.dashboard.studies import StudyMirror
from hpo_vs_adapt.plan.prepared import PreparedWorkload
from hpo_vs_adapt.plan.tuning import (
    MEMBER,
    Outcome,
    Proposal,
    Stream,
    told_value,
)
from hpo_vs_adapt.records.trials import EndReason, TrialRecord, TrialSpec, Value
from hpo_vs_adapt.study import Arm

__all__ = ["Request", "Role", "Track", "objective_of"]

Role = Literal["policy", "retrain", "sweep"]
"""What trials are for: counted in the bill, the winner again, or sensitivity."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A trial that a stream has asked for.

    Args:
        track: Who asked.
        proposal: What its tuner chose.
        spec: The whole trial.
        key: Its identity.
    """

    track: Track
    proposal: Proposal
    spec: TrialSpec
    key: str


class Track:
    """One stream at work.

    Args:
        prepared: The workload it trains.
        arm: The arm whose trials they are.
        role: What the trials are for.
        seed: Tuner seed, or -1 where nothing is tuned.
        stream: Asks for trials.
        mirror: Its Optuna study, or None to keep none.
        place: Sorts it among the streams of its workload, arm and role.
    """

    def __init__(
        self,
        prepared: PreparedWorkload,
        arm: Arm,
        role: Role,
        seed: int,
        stream: Stream,
        mirror: StudyMirror | None,
        place: Sequence[int | str] = (),
    ) -> None:
        self.prepared = prepared
        self.arm = arm
        self.role: Role = role
        self.seed = seed
        self.stream = stream
        self.retrained = False
        self.done = 0
        self.hits = 0
        self.place = tuple(place)
        self._mirror = mirror
        self._asked = 0
        self._chosen: dict[int, Proposal] = {}
        self._shown: set[int] = set()

    @property
    def finished(self) -> bool:
        """Whether all planned trials have their results."""
        return self.stream.finished

    @property
    def has_no_winner(self) -> bool:
        """Whether all its trials have crashed, so that there is nothing to retrain."""
        return self.finished and self.stream.best() is None

    @property
    def planned_with_retrains(self) -> int:
        """Trials of the stream and of its winner's retrains, known or not yet."""
        if self.role == "retrain":
            return 0  # counted where they were planned
        tune = self.arm.tune
        again = tune.retrain if tune and self.role == "policy" else 0
        return self.stream.planned + (0 if self.has_no_winner else again)

    @property
    def wants_retrain(self) -> bool:
        """Whether the winner is known and waits to be trained again."""
        tune = self.arm.tune
        return (
            self.role == "policy"
            and tune is not None
            and tune.retrain > 0
            and not self.retrained
            and self.finished
            and self.stream.best() is not None
        )

    @property
    def work_behind(self) -> float:
        """Sample gradients of the trials that can only be asked for later."""
        later = self.stream.planned - self._asked
        return later * self.prepared.budget(self.prepared.entry.batch_size)

    def ready(self) -> list[Proposal]:
        """Return the proposals that may be trained now, each once."""
        proposals = self.stream.ready()
        self._asked += len(proposals)
        self._chosen |= {proposal.number: proposal for proposal in proposals}
        return proposals

    def winner(self) -> Proposal:
        """Return the proposal with the best told value."""
        number = self.stream.best()
        assert number is not None
        return self._chosen[number]

    def spec(self, proposal: Proposal) -> TrialSpec:
        """Return the trial that a proposal asks for."""
        chosen = dict(proposal.settings)
        arm = self._member(chosen.pop(MEMBER)) if self.arm.members else self.arm
        settings: dict[str, Value] = {**arm.settings, **chosen}
        stops = self.arm.stop_at_target and self.role == "policy"
        return self.prepared.spec(
            arm.rule,
            tuple(sorted(settings.items())),
            proposal.batch_size,
            proposal.seed,
            self.prepared.entry.target if stops else None,
        )

    def _member(self, name: Value) -> Arm:
        return next(arm for arm in self.arm.members if arm.name == name)

    def show(self, request: Request, step: int, value: float) -> None:
        """Show a trial as running in its Optuna study, with its latest evaluation."""
        if self._mirror is None:
            return
        number = request.proposal.number
        if number not in self._shown:
            self._shown.add(number)
            self._mirror.begin(
                number, self._params(request.proposal), self._attrs(request)
            )
        self._mirror.report(number, step, value)

    def tell(self, request: Request, record: TrialRecord) -> None:
        """Tell the stream how a trial ended, and write it into the Optuna study."""
        crashed = record.end is EndReason.CRASHED
        value = math.nan if crashed else self._told(record)
        number = request.proposal.number
        self.stream.tell(number, Outcome(value, failed=crashed))
        metric = self.prepared.workload.metric
        values = record.curve["validation_metric"]
        best = values.max() if metric.mode == "max" else values.min()
        hit = metric.meets(best, self.prepared.entry.target)
        self.done += 1
        self.hits += hit
        if self._mirror is None:
            return
        self._mirror.finish(
            number,
            self._params(request.proposal),
            None if crashed else value,
            "FAIL" if crashed else "COMPLETE",
            dict(zip(record.curve["step"].astype(int), values, strict=True)),
            {
                **self._attrs(request),
                "end_reason": str(record.end),
                "cost": record.ledger.cost,
                "hit": bool(hit),
                **({"error": record.error} if record.error else {}),
            },
        )

    def _told(self, record: TrialRecord) -> float:
        entry = self.prepared.entry
        metric = self.prepared.workload.metric
        objective = objective_of(self.arm, self.role)
        return told_value(
            record.curve,
            record.end,
            metric,
            objective,
            entry.target,
            self.stream.worst,
            budget=self.prepared.budget(record.spec.batch_size),
        )

    def _params(self, proposal: Proposal) -> dict[str, Value]:
        params: dict[str, Value] = dict(proposal.settings)
        if proposal.batch_size is not None:
            params["batch_size"] = proposal.batch_size
        if self.role != "policy" or self.arm.tune is None:
            params["seed"] = proposal.seed
        return params

    def _attrs(self, request: Request) -> dict[str, object]:
        return {
            "record": request.key,
            "seed": request.spec.seed,
            "batch_size": request.spec.batch_size,
            "role": self.role,
            "settings": {k: v for k, v in request.spec.settings},
        }

    def close(self) -> None:
        """Write what the Optuna study still waits for, as far as its turn has come."""
        if self._mirror is not None:
            self._mirror.close()


def objective_of(arm: Arm, role: Role) -> str:
    """Return what the trials' value is: ``metric``, or ``cost`` where that is tuned."""
    return arm.tune.objective if arm.tune and role == "policy" else "metric"
