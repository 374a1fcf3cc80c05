"""One Optuna study that mirrors a stream, trial by trial.

It follows its stream and decides nothing. Trials have the numbers of the stream, but
Optuna numbers them in the order of their creation: so a trial that ends before an
earlier one exists is held back until its turn.
"""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo_vs_adapt.observers.dashboard.attributes import trial_marks
from hpo_vs_adapt.observers.dashboard.storage import add_trials, create_study, set_aside
from hpo_vs_adapt.plan.distributions import choice_label, distribution_of
from hpo_vs_adapt.plan.events import StopsRun
from hpo_vs_adapt.records.trials import Value

__all__ = ["Attributes", "Params", "StreamChanged", "StudyMirror", "plain"]

Params: TypeAlias = Mapping[str, Value]
Attributes: TypeAlias = Mapping[str, Any]


class StreamChanged(StopsRun):
    """A stream suggests another trial than the one recorded under its number."""


@dataclass(slots=True)
class _Running:
    """A trial that has begun and not ended."""

    params: Params
    attrs: Attributes
    started: datetime.datetime
    intermediate: dict[int, float] = field(default_factory=dict)


class StudyMirror:
    """One Optuna study, written as its stream goes on. Made by `OptunaStudies.open`."""

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        direction: str,
        attrs: Attributes,
        distributions: Mapping[str, BaseDistribution],
    ) -> None:
        self.name = name
        self.set_aside: str | None = None
        """Name under which earlier trials of this study were kept, if they were."""
        self._storage = storage
        self._direction = direction
        self._attrs = attrs
        self._distributions = distributions
        self._study_id = -1
        self._trials: list[FrozenTrial] = []  # what the storage has, by number
        self._running: dict[int, _Running] = {}
        self._ended: dict[int, FrozenTrial] = {}  # held back

    def open(self) -> None:
        """Take up the study in the storage, or make a new one."""
        try:
            self._study_id = self._storage.get_study_id_from_name(self.name)
        except KeyError:
            self._study_id = self._create()
            return
        self._trials = self._storage.get_all_trials(self._study_id)
        recorded = self._storage.get_study_user_attrs(self._study_id)
        if recorded.get("definition") != self._attrs["definition"]:
            self._begin_anew(keep=0)

    @property
    def waiting(self) -> tuple[int, ...]:
        """Trials that have ended and wait for an earlier one to exist."""
        return tuple(sorted(self._ended))

    def begin(self, number: int, params: Params, attrs: Attributes) -> None:
        """Show a trial as running, once the earlier ones exist.

        Only for trials that take more than a moment: `finish` alone is faster.

        Raises:
            StreamChanged: If another trial is recorded under the number.
        """
        if number < len(self._trials):
            self._check(number, params)
        self._running[number] = _Running(params, attrs, datetime.datetime.now())
        self._write()

    def report(self, number: int, step: int, value: float) -> None:
        """Show an evaluation of a running trial; nothing happens before it has begun.

        Args:
            number: In its stream.
            step: Optimizer steps taken.
            value: Of the validation metric.
        """
        running = self._running.get(number)
        if running is None:
            return
        running.intermediate[int(step)] = float(value)
        if number < len(self._trials):
            self._add_evaluations(number, {int(step): float(value)})

    def finish(
        self,
        number: int,
        params: Params,
        value: float | None,
        state: str,
        intermediate: Mapping[int, float],
        attrs: Attributes,
    ) -> None:
        """Write how a trial ended; what is recorded already stays as it is.

        Args:
            number: In its stream. The trial need not have begun.
            params: What the tuner chose.
            value: What the stream was told; None for ``FAIL``.
            state: ``COMPLETE``, ``PRUNED`` or ``FAIL``.
            intermediate: Optimizer step to validation metric; may be NaN or infinite.
            attrs: User attributes of the trial.

        Raises:
            StreamChanged: If another trial is recorded under the number.
            ValueError: If `state` is none of these, or `value` does not go with it.
        """
        if state not in ("COMPLETE", "PRUNED", "FAIL"):
            raise ValueError(
                f"`state` must be 'COMPLETE', 'PRUNED' or 'FAIL'; got {state!r}."
            )
        running = self._running.get(number)
        trial = self._trial(
            number,
            params,
            attrs,
            state=TrialState[state],
            value=None if value is None else float(value),
            intermediate_values={int(k): float(v) for k, v in intermediate.items()},
        )
        if running is not None:
            trial.datetime_start = running.started
            del self._running[number]
        if number < len(self._trials):
            self._check(number, params)
            if not self._trials[number].state.is_finished():
                self._complete(trial)
                return
            if _same_result(self._trials[number], trial):
                return
            # Trained again, after a crash or elsewhere. Optuna keeps ended trials as
            # they are, and the later ones may follow from this one.
            self._begin_anew(keep=number)
        self._ended[number] = trial
        self._write()

    def close(self) -> tuple[int, ...]:
        """Return the trials that have ended and still wait for an earlier one.

        They are not in the storage at all: the next run writes them from their records.
        A trial that has not ended stays ``RUNNING`` there until the next run ends it.
        """
        self._running.clear()
        return self.waiting

    def _write(self) -> None:
        """Write all trials whose turn has come."""
        new: list[FrozenTrial] = []
        for number in itertools.count(len(self._trials)):
            if number in self._ended:
                new.append(self._ended.pop(number))
            elif number in self._running:
                new.append(self._running_trial(number))
            else:
                break
        if new:
            add_trials(self._storage, self._study_id, new)
            self._trials += new

    def _running_trial(self, number: int) -> FrozenTrial:
        running = self._running[number]
        trial = self._trial(
            number,
            running.params,
            running.attrs,
            state=TrialState.RUNNING,
            intermediate_values=dict(running.intermediate),
        )
        trial.datetime_start = running.started
        return trial

    def _trial(
        self, number: int, params: Params, attrs: Attributes, **rest: Any
    ) -> FrozenTrial:
        trial = create_trial(
            params={name: choice_label(value) for name, value in params.items()},
            distributions={n: self._distribution(n, v) for n, v in params.items()},
            user_attrs=plain(attrs),
            system_attrs=trial_marks(self._attrs, attrs),
            **rest,
        )
        trial.number = number
        return trial

    def _distribution(self, name: str, value: Value) -> BaseDistribution:
        # A range of one value: stored and shown, left out of importances.
        return self._distributions.get(name) or distribution_of([value])

    def _check(self, number: int, params: Params) -> None:
        """Refuse a trial that is not the one recorded under its number."""
        recorded = self._trials[number].params
        asked = {name: choice_label(value) for name, value in params.items()}
        if recorded.keys() == asked.keys() and all(
            _equal(recorded[name], asked[name]) for name in asked
        ):
            return
        raise StreamChanged(
            f"Trial {number} of the Optuna study {self.name!r} was recorded with "
            f"{recorded}, but its stream now suggests {asked}. Seed and history are "
            "the same, so a library suggests otherwise than before: run with the "
            "versions of Optuna, numpy, scipy and torch that recorded it, or rename or "
            "delete this Optuna study and run again; trials that are asked for again "
            "keep their records."
        )

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(
            self._study_id, number
        )

    def _add_evaluations(self, number: int, values: Mapping[int, float]) -> None:
        recorded = self._trials[number]
        if recorded.state.is_finished():
            return  # trained again; what is recorded stays
        new = {k: v for k, v in values.items() if k not in recorded.intermediate_values}
        trial_id = self._trial_id(number)
        for step, value in new.items():
            self._storage.set_trial_intermediate_value(trial_id, step, value)
        recorded.intermediate_values |= new

    def _complete(self, trial: FrozenTrial) -> None:
        """End a trial that is in the storage as running."""
        self._add_evaluations(trial.number, trial.intermediate_values)
        trial_id = self._trial_id(trial.number)
        for key, value in trial.user_attrs.items():
            if self._trials[trial.number].user_attrs.get(key) != value:
                self._storage.set_trial_user_attr(trial_id, key, value)
        for key, value in trial.system_attrs.items():
            if self._trials[trial.number].system_attrs.get(key) != value:
                self._storage.set_trial_system_attr(trial_id, key, value)
        values = None if trial.value is None else [trial.value]
        self._storage.set_trial_state_values(trial_id, trial.state, values)
        self._trials[trial.number] = trial

    def _begin_anew(self, keep: int) -> None:
        """Keep all trials under another name, and go on here with the first `keep`."""
        self.set_aside = set_aside(self._storage, self._study_id, self._trials)
        self._study_id = self._create()
        self._trials = self._trials[:keep]
        if self._trials:
            add_trials(self._storage, self._study_id, self._trials)

    def _create(self) -> int:
        return create_study(self._storage, self.name, self._direction, self._attrs)


def plain(attrs: Attributes) -> dict[str, Any]:
    """Return attributes as JSON has them, numpy's numbers included."""
    return {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in attrs.items()
    }


def _same_result(recorded: FrozenTrial, trial: FrozenTrial) -> bool:
    return recorded.state == trial.state and _equal(recorded.value, trial.value)


def _equal(one: Any, other: Any) -> bool:
    """Whether values are the same; a database may round the last digit of a number."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)
