"""Streams at work: an arm on a workload with one tuner seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hpo_vs_adapt.metrics.basics.hits import first_hit
from hpo_vs_adapt.plan.distributions import Domain
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

__all__ = ["Identity", "Request", "Role", "Track", "objective_of"]

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


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a stream from others, wherever something is kept of it.

    Args:
        place: Study, workload, arm, and what tells it from other streams of the arm.
        definition: Hash of all that decides what it asks for and is told.
        space: What its tuner chooses from.
    """

    place: tuple[str, ...]
    definition: str
    space: Mapping[str, Domain]

    @property
    def name(self) -> str:
        """The name of its Optuna study: ``study/workload/arm`` and what follows."""
        return "/".join(self.place)


class Track:
    """One stream at work.

    Args:
        prepared: The workload it trains.
        arm: The arm whose trials they are.
        role: What the trials are for.
        seed: Tuner seed, or -1 where nothing is tuned.
        stream: Asks for trials.
        identity: What tells it from others.
    """

    def __init__(
        self,
        prepared: PreparedWorkload,
        arm: Arm,
        role: Role,
        seed: int,
        stream: Stream,
        identity: Identity,
    ) -> None:
        self.prepared = prepared
        self.arm = arm
        self.role: Role = role
        self.seed = seed
        self.stream = stream
        self.identity = identity
        self.retrained = False
        self.done = 0
        self.hits = 0
        self._asked = 0
        self._chosen: dict[int, Proposal] = {}

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

    def tell(self, number: int, outcome: Outcome, hit: bool) -> None:
        """Tell the stream how a trial ended."""
        self.stream.tell(number, outcome)
        self.done += 1
        self.hits += hit

    def outcome(self, record: TrialRecord) -> Outcome:
        """Return what the stream is to be told of a trial now."""
        if record.end is EndReason.CRASHED:
            return Outcome(math.nan, failed=True)
        return Outcome(self._told(record))

    def met(self, record: TrialRecord) -> bool:
        """Whether a trial met the target."""
        mode = self.prepared.workload.metric.mode
        values = record.curve["validation_metric"]
        return first_hit(values, self.prepared.entry.target, mode) is not None

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


def objective_of(arm: Arm, role: Role) -> str:
    """Return what the trials' value is: ``metric``, or ``cost`` where that is tuned."""
    return arm.tune.objective if arm.tune and role == "policy" else "metric"
