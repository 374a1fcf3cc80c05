"""Optuna's TPE sampler on the table of a curve grid, one repetition after the other."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)

from hpo_vs_adapt.metrics.basics.quiet import quiet_optuna
from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid, GridTrial
from hpo_vs_adapt.metrics.replay.grid_axes import GridAxis
from hpo_vs_adapt.metrics.replay.race import Race, finished
from hpo_vs_adapt.metrics.tuners.best_so_far import SLACK

__all__ = ["TPE_DEFAULTS", "tpe_race"]

TPE_DEFAULTS: Mapping[str, Any] = {
    "n_startup_trials": 10,
    "multivariate": True,
    "constant_liar": True,
}
"""Arguments of the sampler where nothing else is said, whatever Optuna's are."""


def tpe_race(
    grid: CurveGrid,
    luck: NDArray[np.float64],
    target: float,
    workers: int,
    rng: np.random.Generator,
    sampler_args: Mapping[str, Any],
) -> Race:
    """Return how TPE ends; see `replay_tuner`.

    Args:
        grid: Whose table.
        luck: Training seeds of the trials of each repetition, shape `(m, n)`.
        target: Value to reach.
        workers: Trials that run at once.
        rng: Of the samplers.
        sampler_args: Arguments of `optuna.samplers.TPESampler`.
    """
    seeds = rng.integers(2**31, size=len(luck))
    known = np.isfinite(grid.curves.best)
    worst = float(grid.curves.best[known].min()) if known.any() else 0.0
    space = {axis.name: _distribution(axis) for axis in grid.axes}
    # The mean of equal values may differ from them in the last bit.
    level = grid.sign * target - SLACK * abs(target)
    ends = []
    with quiet_optuna():
        for seed, own in zip(seeds, luck, strict=True):
            sampler = optuna.samplers.TPESampler(
                **{**TPE_DEFAULTS, **sampler_args, "seed": int(seed)}
            )
            study = optuna.create_study(sampler=sampler, direction="maximize")
            ends.append(_repetition(grid, study, space, own, level, workers, worst))
    bill, latency, hit, best = np.array(ends).T
    return Race(bill, latency, hit > 0, best)


def _repetition(
    grid: CurveGrid,
    study: optuna.Study,
    space: dict[str, BaseDistribution],
    luck: NDArray[np.float64],
    level: float,
    workers: int,
    worst: float,
) -> tuple[float, float, bool, float]:
    """Return bill, latency, hit and best of one execution."""
    running: list[tuple[float, int, optuna.Trial]] = []
    trials: list[GridTrial] = []
    start: list[float] = []
    met: list[float] = []
    now, first = 0.0, math.inf
    for number, own in enumerate(luck):
        if len(running) == workers:
            now, ended, asked = heapq.heappop(running)
            study.tell(asked, _told(trials[ended], worst))
        if now >= first:
            break
        asked = study.ask(space)
        trial = grid.trial(_settings(grid, asked), float(own))
        at = int(np.searchsorted(trial.best, level))
        trials.append(trial)
        start.append(now)
        met.append(float(trial.cost[at]) if at < trial.best.size else math.inf)
        first = min(first, now + met[-1])
        heapq.heappush(running, (now + trial.spent, number, asked))
    starts, spent = np.array(start), np.array([trial.spent for trial in trials])
    latency, bill, hit = finished(starts[None], spent[None], np.array(met)[None])
    best = -math.inf
    for trial, begun, crossing in zip(trials, start, met, strict=True):
        if begun < latency[0] or begun + crossing <= latency[0]:
            # The crossing itself counts, whatever a difference of sums is.
            reach = crossing if begun + crossing <= latency[0] else latency[0] - begun
            seen = int(np.searchsorted(trial.cost, reach, side="right"))
            best = max(best, float(trial.best[seen - 1]) if seen else -math.inf)
    return float(bill[0]), float(latency[0]), bool(hit[0]), best


def _settings(grid: CurveGrid, asked: optuna.Trial) -> dict[str, Any]:
    params = asked.params
    return {
        axis.name: axis.values[params[axis.name]]
        if axis.scale == "choice"
        else params[axis.name]
        for axis in grid.axes
    }


def _told(trial: GridTrial, worst: float) -> float:
    """Return what TPE is told: the best value; of what failed, the table's worst."""
    if trial.failed or not trial.best.size or math.isinf(trial.best[-1]):
        return worst
    return float(trial.best[-1])


def _distribution(axis: GridAxis) -> BaseDistribution:
    if axis.scale == "choice":
        # By place: Optuna's own choices may be no tuples.
        return CategoricalDistribution(range(len(axis.values)))
    low, high = float(axis.values[0]), float(axis.values[-1])
    return FloatDistribution(low, high, log=axis.scale == "log")
