"""Streams: how an arm asks for trials and is told their results.

What a stream suggests depends on its seed and on what it was told, and on nothing else:
not on the order in which results arrive, not on the process, not on the clock.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import optuna
from optuna.trial import TrialState
from typing_extensions import override

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.metrics.basics.quiet import quiet_optuna
from hpo_vs_adapt.plan.distributions import choice_label, distribution_of
from hpo_vs_adapt.plugins.samplers import (
    check_sampler,
    find_sampler,
    make_sampler,
    sampler_settings,
)
from hpo_vs_adapt.records.trials import Settings, Value
from hpo_vs_adapt.seeds import derive

if TYPE_CHECKING:
    from hpo_vs_adapt.study import Space

__all__ = [
    "SEED_RANGE",
    "ListStream",
    "OptunaStream",
    "Outcome",
    "Proposal",
    "Stream",
    "make_proposal",
]

SEED_RANGE: Final = 2**32
"""Derived training seeds are below it: any JSON reader keeps them exact."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trial that a stream asks for.

    Args:
        number: In the stream, from 0.
        settings: What the tuner chose, sorted by name, `batch_size` apart.
        batch_size: What the tuner chose, or None.
        seed: Training seed.
    """

    number: int
    settings: Settings
    batch_size: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stream is told of a trial.

    Args:
        value: The objective; a diverged trial has a bad one (`told_value`).
        failed: The trial crashed, and has no value.
    """

    value: float
    failed: bool = False


def make_proposal(
    number: int, chosen: Mapping[str, Value], seed: int, training_seed: str
) -> Proposal:
    """Return a proposal from all that the tuner chose, `batch_size` among it.

    Args:
        number: In the stream.
        chosen: Names to values.
        seed: Of the stream.
        training_seed: ``stream``: train with `seed`; ``fresh``: with one of its own.
    """
    batch_size = chosen.get("batch_size")
    assert batch_size is None or isinstance(batch_size, int)
    settings = sorted((n, v) for n, v in chosen.items() if n != "batch_size")
    if training_seed == "fresh":
        seed = derive(seed, "training", number) % SEED_RANGE
    return Proposal(number, tuple(settings), batch_size, seed)


class Stream(ABC):
    """The sequence in which an arm asks for trials and is told their results.

    Args:
        planned: Trials in all.
        mode: ``max`` if a higher value is better, else ``min``.
    """

    def __init__(self, planned: int, mode: str) -> None:
        self.planned: Final = planned
        self.direction: Final = Direction(mode)
        self._asked: list[Proposal] = []
        self._told: dict[int, Outcome] = {}

    @abstractmethod
    def ready(self) -> list[Proposal]:
        """Return the trials that may be trained now and were not returned before.

        Empty while the stream waits for results, and when it has asked for everything.
        """

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take in the result of a trial.

        Raises:
            ValueError: If the trial was not asked for, or told before, or its value is
                not a number although it did not fail.
        """
        if not 0 <= number < len(self._asked):
            raise ValueError(
                f"`number` must be a trial that was asked for; got {number!r}."
            )
        if number in self._told:
            raise ValueError(
                f"`number` must not have been told before; got {number!r}."
            )
        if math.isnan(outcome.value) and not outcome.failed:
            raise ValueError(
                f"`value` must be a number; got {outcome.value!r} for trial {number}."
            )
        self._told[number] = outcome

    @property
    def worst(self) -> float | None:
        """Worst finite value that suggestions rest on already, or None."""
        return None

    @property
    def finished(self) -> bool:
        """Whether every planned trial was told."""
        return len(self._told) == self.planned

    @property
    def history(self) -> list[tuple[Proposal, Outcome]]:
        """What was told, by trial number."""
        return [(self._asked[n], self._told[n]) for n in sorted(self._told)]

    def best(self) -> int | None:
        """Return the trial with the best value, ties to the lower number.

        None if every trial that was told has failed.
        """
        sign = self.direction.sign
        values = {n: -sign * o.value for n, o in self._told.items() if not o.failed}
        return min(values, key=lambda n: (values[n], n), default=None)


class ListStream(Stream):
    """Trials that are known from the start: grids, sweeps, single runs.

    Args:
        proposals: Numbered from 0, in their order.
        mode: ``max`` if a higher value is better, else ``min``.
    """

    def __init__(self, proposals: Sequence[Proposal], mode: str) -> None:
        super().__init__(len(proposals), mode)
        if [proposal.number for proposal in proposals] != list(range(len(proposals))):
            raise ValueError("`proposals` must be numbered from 0 in their order.")
        self._proposals = tuple(proposals)

    @override
    def ready(self) -> list[Proposal]:
        new = self._proposals[len(self._asked) :]
        self._asked.extend(new)
        return list(new)


class OptunaStream(Stream):
    """Trials that one of Optuna's samplers suggests.

    Each trial has a new sampler, seeded from the stream's seed and the trial's number:
    what a sampler keeps to itself is lost, what it keeps in its study stays. Results
    are told by trial number once the whole batch is there, so their order of arrival
    does not matter.

    Args:
        sampler: A name of `SAMPLERS`, or ``package.module:Class``.
        sampler_args: Its arguments.
        space: Hyperparameters to what they may be.
        trials: Trials in all.
        batch: Trials asked for at a time; the next when all of them are told.
        seed: Of the stream.
        mode: ``max`` if a higher value is better, else ``min``.
        training_seed: ``stream``: every trial trains with the stream's seed;
            ``fresh``: each with one of its own.

    Raises:
        ValueError: If the sampler is unknown or does not take its arguments.
    """

    def __init__(
        self,
        sampler: str,
        sampler_args: Mapping[str, Any],
        space: Mapping[str, Space],
        trials: int,
        batch: int,
        seed: int,
        mode: str,
        training_seed: str = "stream",
    ) -> None:
        super().__init__(trials, mode)
        check_sampler(sampler, sampler_args)
        self._sampler = find_sampler(sampler)
        self._sampler_settings = sampler_settings(sampler, sampler_args)
        self._space = dict(sorted(space.items()))
        self._distributions = {n: distribution_of(s) for n, s in self._space.items()}
        self._batch, self._seed, self._training_seed = batch, seed, training_seed
        self._settled = 0  # trials whose results Optuna knows
        self._values: list[float] = []  # the finite ones
        with quiet_optuna():
            self._study = optuna.create_study(direction=self.direction.verb)
        self._trials: list[optuna.Trial] = []

    @override
    def ready(self) -> list[Proposal]:
        if len(self._told) < len(self._asked):
            return []
        first = len(self._asked)
        new = [
            self._ask(n) for n in range(first, min(first + self._batch, self.planned))
        ]
        self._asked.extend(new)
        return new

    @override
    def tell(self, number: int, outcome: Outcome) -> None:
        super().tell(number, outcome)
        if len(self._told) == len(self._asked):
            for settled in range(self._settled, len(self._asked)):
                self._settle(settled)
            self._settled = len(self._asked)

    @property
    @override
    def worst(self) -> float | None:
        # Values of the running batch are left out: they depend on who comes first.
        return self.direction.worst(self._values) if self._values else None

    def _ask(self, number: int) -> Proposal:
        self._study.sampler = make_sampler(
            self._sampler, self._sampler_settings, self._seed, number
        )
        with quiet_optuna():
            trial = self._study.ask(self._distributions)
        self._trials.append(trial)
        chosen = {n: self._value(n, label) for n, label in trial.params.items()}
        return make_proposal(number, chosen, self._seed, self._training_seed)

    def _value(self, name: str, label: Any) -> Value:
        choices = self._space[name].choices or ()
        return next((c for c in choices if choice_label(c) == label), label)

    def _settle(self, number: int) -> None:
        outcome = self._told[number]
        if outcome.failed:
            self._study.tell(self._trials[number], state=TrialState.FAIL)
            return
        self._study.tell(self._trials[number], outcome.value)
        if math.isfinite(outcome.value):
            self._values.append(outcome.value)
