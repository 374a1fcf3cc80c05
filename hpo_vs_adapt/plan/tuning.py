"""Tuning: the streams of an arm, what they are told, and their seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.metrics.basics.hits import first_hit
from hpo_vs_adapt.plan.streams import (
    SEED_RANGE,
    ListStream,
    OptunaStream,
    Outcome,
    Proposal,
    Stream,
    make_proposal,
)
from hpo_vs_adapt.plugins.samplers import SAMPLERS, check_sampler, sampler_settings
from hpo_vs_adapt.records.trials import EndReason, Value
from hpo_vs_adapt.seeds import derive

if TYPE_CHECKING:
    from hpo_vs_adapt.study import Arm, Tune
    from hpo_vs_adapt.workloads.base import Metric

__all__ = [
    "MEMBER",
    "SAMPLERS",
    "ListStream",
    "OptunaStream",
    "Outcome",
    "Proposal",
    "Stream",
    "check_sampler",
    "make_stream",
    "retrain_seeds",
    "sampler_settings",
    "stream_seeds",
    "told_value",
]


MEMBER = "arm"
"""What a portfolio chooses: the name of one of its members."""


def make_stream(arm: Arm, seed: int, study_seeds: Sequence[int], mode: str) -> Stream:
    """Return a stream of an arm.

    Args:
        arm: Without a `tune` block, its trials are the study's seeds.
        seed: Tuner seed, one of `stream_seeds`.
        study_seeds: The study's seeds.
        mode: ``max`` if a higher value of the metric is better, else ``min``.
    """
    tune = arm.tune
    if tune is None:
        singles = [Proposal(n, (), None, s) for n, s in enumerate(study_seeds)]
        return ListStream(singles, mode)
    if tune.objective == "cost":
        mode = "min"
    if tune.by == "portfolio":
        turns = [
            make_proposal(number, {MEMBER: member.name}, seed, tune.training_seed)
            for number, member in enumerate(arm.members)
        ]
        return ListStream(turns, mode)
    if tune.by == "grid":
        points = [
            make_proposal(number, point, seed, tune.training_seed)
            for number, point in enumerate(_shuffled(tune.grid, seed))
        ]
        return ListStream(points, mode)
    assert tune.trials is not None
    random = tune.by == "random"
    sampler = "random" if random else tune.sampler
    assert sampler is not None
    return OptunaStream(
        sampler,
        {} if random else tune.sampler_args,
        tune.space,
        tune.trials,
        tune.trials if random else tune.batch,
        seed,
        mode,
        tune.training_seed,
    )


def stream_seeds(tune: Tune, study_seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the tuner seeds of an arm: the study's seeds first, then derived ones."""
    count = len(study_seeds) if tune.repeats is None else tune.repeats
    return _more_seeds(study_seeds, "stream", count)


def retrain_seeds(study_seeds: Sequence[int], n: int) -> tuple[int, ...]:
    """Return `n` seeds for retraining winners, the same for every arm of the study.

    They differ from the study's seeds, and stay when seeds are appended to those.
    """
    known = len(study_seeds)
    seeds = (_derived(study_seeds, "retrain", i) for i in itertools.count())
    fresh = (seed for seed in seeds if seed not in study_seeds[:known])
    return tuple(itertools.islice(fresh, n))


def told_value(
    curve: pd.DataFrame,
    end: EndReason,
    metric: Metric,
    objective: str,
    target: float,
    worst: float | None,
    *,
    budget: float,
) -> float:
    """Return what a stream is told of a trial that did not crash.

    A diverged trial is told as bad rather than as failed: samplers ignore failed
    trials, and go back to where they diverged.

    Args:
        curve: The trial's evaluations, columns `CURVE_COLUMNS`.
        end: Why the trial ended.
        metric: Validation metric of the workload.
        objective: ``metric``: the best of the evaluations; diverged: the worst value
            the metric can have, or else the first evaluation's or `worst`, whichever
            is worse. ``cost``: the cost at the `first_hit` of `target`, or else of
            the whole budget, also if the trial ended before it.
        target: Of the workload.
        worst: `Stream.worst`.
        budget: Training samples in the whole budget.

    Returns:
        A number; infinite only if no evaluation and no earlier trial has a finite one.
    """
    values = curve["validation_metric"].to_numpy(dtype=float)
    if objective == "cost":
        hit = first_hit(values, target, metric.mode)
        if hit is not None:
            return float(curve["cost"].iloc[hit])
        cost, samples = float(curve["cost"].iloc[-1]), int(curve["samples"].iloc[-1])
        return cost * (budget / samples) if samples else float(budget)
    finite = values[np.isfinite(values)]
    if end is EndReason.DIVERGED or not len(finite):
        return _bad_value(values[0], metric, worst)
    return Direction(metric.mode).best(finite)


def _bad_value(first: float, metric: Metric, worst: float | None) -> float:
    direction = Direction(metric.mode)
    bound = direction.worst_end(metric.low, metric.high)
    if bound is not None:
        return bound
    known = [float(v) for v in (first, worst) if v is not None and math.isfinite(v)]
    return direction.worst(known) if known else -direction.sign * math.inf


def _shuffled(grid: Mapping[str, Sequence[Value]], seed: int) -> list[dict[str, Value]]:
    """Return the points of a grid; a point added later leaves the others' order."""
    names = sorted(grid)
    points = itertools.product(*(grid[name] for name in names))
    ordered = sorted(points, key=lambda point: derive(seed, "grid", repr(point)))
    return [dict(zip(names, point, strict=True)) for point in ordered]


def _derived(study_seeds: Sequence[int], purpose: str, index: int) -> int:
    # From the first seed alone, so that a seed appended to a study changes no other.
    return derive(study_seeds[0], purpose, index) % SEED_RANGE


def _more_seeds(
    study_seeds: Sequence[int], purpose: str, count: int
) -> tuple[int, ...]:
    extra = range(len(study_seeds), count)
    more = [_derived(study_seeds, purpose, index) for index in extra]
    return (*study_seeds[:count], *more)
