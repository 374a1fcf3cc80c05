"""Trials as TensorBoard and MLflow show them, one run each."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpo_vs_adapt.plan.events import Answer
from hpo_vs_adapt.plan.tracks import Track
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.collect import make_study_tables
from hpo_vs_adapt.wording import Problem

__all__ = ["LogProblem", "LoggedTrial", "Point", "TrialLog", "make_logged_trials"]

_EVALUATION = ("train_loss", "validation_loss", "validation_metric", "test_metric")
_SPENDING = (
    "step",
    "samples",
    "sample_gradients",
    "forward_samples",
    "cost",
    "flops",
    "seconds",
)
_GROUPS = dict.fromkeys(_EVALUATION, "evaluation") | dict.fromkeys(
    _SPENDING, "spending"
)
_FINAL = (
    "cost",
    "cost_to_target",
    "best_metric",
    "final_metric",
    "test_metric",
    "sample_gradients",
    "forward_samples",
    "steps",
    "flops",
    "seconds",
    "lost",
)
_TAGS = (
    "workload",
    "arm",
    "kind",
    "by",
    "role",
    "stream",
    "number",
    "seed",
    "end",
    "hit",
    "amortised",
)


class LogProblem(Problem):
    """A log that cannot be opened or written; the message says what to do."""


class Point(NamedTuple):
    """A number at an evaluation.

    Args:
        name: ``evaluation/...``, ``spending/...`` or ``rule/...``.
        step: What had been spent, in sample gradients, rounded.
        ago: Seconds of training from this evaluation to the trial's last.
        value: May be NaN or infinite.
    """

    name: str
    step: int
    ago: float
    value: float


@dataclass(frozen=True, slots=True)
class LoggedTrial:
    """All that is logged of a trial.

    Args:
        place: The parts of its Optuna study's name, then its number in it.
        params: Rule, batch size, and the settings that were given.
        tags: What else tells it from others, and how it ended.
        final: Numbers of the whole trial; those that are not finite are left out.
        curve: One row an evaluation, as recorded.
    """

    place: tuple[str, ...]
    params: Mapping[str, bool | int | float | str]
    tags: Mapping[str, str]
    final: Mapping[str, float]
    curve: pd.DataFrame

    @property
    def digest(self) -> str:
        """A hash of everything in it: a log that has the same is left as it is."""
        described = (self.place, self.params, self.tags, self.final, [*self.curve])
        digest = hashlib.blake2b(repr(described).encode(), digest_size=16)
        digest.update(self.curve.to_numpy(float).tobytes())
        return digest.hexdigest()

    @property
    def cost(self) -> int:
        """The step of its last evaluation; 0 without any."""
        return round(self.curve["cost"].iloc[-1]) if len(self.curve) else 0

    def points(self) -> Iterator[Point]:
        """Yield the curve, column by column, each from its first known value on.

        Steps are sample gradients, as in a bill, so that runs with and without second
        gradients are compared at what they have cost; optimizer steps are a column.
        """
        steps = self.curve["cost"].to_numpy(float).round().astype(int)
        seconds = self.curve["seconds"].to_numpy(float)
        for name, column in self.curve.items():
            values = column.to_numpy(float)
            label = f"{_GROUPS.get(str(name), 'rule')}/{name}"
            # None where a rule has no momentum.
            for row in np.flatnonzero(~np.isnan(values))[:1]:
                ago = seconds[-1] - seconds[row:]
                for point in zip(steps[row:], ago, values[row:], strict=True):
                    yield Point(label, *(number.item() for number in point))


class TrialLog(ABC):
    """Somewhere trials are logged.

    Attributes:
        title: Its name, as messages give it.
        hint: How a person looks at it.
    """

    title: str
    hint: str

    @abstractmethod
    def write(self, trial: LoggedTrial) -> bool:
        """Log a trial, and return whether it was not there already.

        Raises:
            LogProblem: If it cannot be written.
        """


def make_logged_trials(study: Study, answers: Iterable[Answer]) -> list[LoggedTrial]:
    """Return trials as they are logged.

    Args:
        study: That they belong to.
        answers: What its streams were told.
    """
    by_track: dict[Track, list[Answer]] = {}
    for answer in answers:
        by_track.setdefault(answer.request.track, []).append(answer)
    trials = []
    for track, told in by_track.items():
        told.sort(key=lambda answer: answer.request.proposal.number)  # as the rows are
        rows = make_study_tables(study, [track], told, {}).records.to_dict("records")
        trials += [
            _logged(track, row, answer.record.curve)
            for row, answer in zip(rows, told, strict=True)
        ]
    return trials


def _logged(track: Track, row: Mapping[Any, Any], curve: pd.DataFrame) -> LoggedTrial:
    place = track.identity.place
    tags = {name: str(row[name]) for name in _TAGS}
    tags |= {"study": place[0], "record": row["key"], "optuna": row["optuna"]}
    if row["error"]:
        tags["error"] = row["error"]
    final = {name: float(row[name]) for name in _FINAL}
    return LoggedTrial(
        (*place, str(row["number"])),
        {
            "rule": row["rule"],
            "batch_size": row["batch_size"],
            **{name: _plain(value) for name, value in row["settings"].items()},
        },
        tags,
        {name: value for name, value in final.items() if math.isfinite(value)},
        curve,
    )


def _plain(value: object) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
