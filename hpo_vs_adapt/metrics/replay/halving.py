"""Successive halving and Hyperband on recorded curves."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from hpo_vs_adapt.metrics.replay.race import Race, run_race
from hpo_vs_adapt.metrics.tuners.best_so_far import best_within

__all__ = ["brackets", "halving_race", "hyperband_race"]

_ROUND = 1e-9  # logarithms of powers are not exact


def halving_race(
    grid: CurveGrid,
    trials: NDArray[np.intp],
    crossing: NDArray[np.float64],
    workers: int,
    eta: float,
    least: float,
) -> Race:
    """Return how successive halving ends; see `replay_tuner`.

    Args:
        grid: Whose records.
        trials: Which of them start, shape `(m, n)`.
        crossing: What each record had spent at its first hit.
        workers: Trials that run at once.
        eta: Ratio of successive rungs.
        least: Share of the budget that the lowest rung has at least.
    """
    rungs = min(_powers(trials.shape[1], eta), _powers(1 / least, eta))
    return _bracket(grid, trials, crossing, workers, eta, rungs)


def hyperband_race(
    grid: CurveGrid,
    trials: NDArray[np.intp],
    crossing: NDArray[np.float64],
    workers: int,
    eta: float,
    least: float,
) -> Race:
    """Return how Hyperband ends: brackets of `halving_race` one after the other.

    Args:
        grid: As in `halving_race`.
        trials: As in `halving_race`.
        crossing: As in `halving_race`.
        workers: As in `halving_race`.
        eta: As in `halving_race`.
        least: As in `halving_race`.
    """
    race: Race | None = None
    begin = 0
    for size, rungs in brackets(trials.shape[1], eta, _powers(1 / least, eta)):
        part = trials[:, begin : begin + size]
        later = _bracket(grid, part, crossing, workers, eta, rungs)
        race = later if race is None else race.then(later)
        begin += size
    assert race is not None
    return race


def brackets(trials: int, eta: float, most: int) -> Iterator[tuple[int, int]]:
    """Yield how many trials each bracket starts and how many rungs are below the top.

    ``n_s = ceil((s_max + 1) / (s + 1) * eta^s)``, s from s_max down to 0 and again,
    until all trials are used up.

    Args:
        trials: Of all brackets, at least 1.
        eta: Ratio of successive rungs.
        most: s_max, the most rungs below the top.

    Li et al., "Hyperband", JMLR 2018, Algorithm 1.
    """
    while True:
        for rungs in range(most, -1, -1):
            size = math.ceil((most + 1) / (rungs + 1) * eta**rungs * (1 - _ROUND))
            yield min(size, trials), rungs
            trials -= size
            if trials <= 0:
                return


def _bracket(
    grid: CurveGrid,
    trials: NDArray[np.intp],
    crossing: NDArray[np.float64],
    workers: int,
    eta: float,
    rungs: int,
) -> Race:
    """Return how one run of successive halving ends, `rungs` of them below the top."""
    limit = grid.curves.limit
    size = trials.shape[1]
    begin = np.zeros(trials.shape)
    race: Race | None = None
    for rung in range(rungs + 1):
        end = np.minimum(limit[trials], grid.budget * eta ** (rung - rungs))
        later = run_race(grid.curves, trials, crossing, begin, end, workers)
        race = later if race is None else race.then(later)
        keep = max(1, math.floor(size * eta ** -(rung + 1) * (1 + _ROUND)))
        value = best_within(grid.curves, trials, end)
        # What has diverged has nothing to go on with, whatever it had reached.
        value[grid.failed[trials] & (limit[trials] <= end)] = -np.inf
        order = np.argsort(-value, axis=1, kind="stable")[:, :keep]
        trials = np.take_along_axis(trials, order, axis=1)
        begin = np.take_along_axis(end, order, axis=1)
    assert race is not None
    return race


def _powers(ratio: float, eta: float) -> int:
    """Return the largest whole s with ``eta**s <= ratio``."""
    return math.floor(math.log(ratio) / math.log(eta) + _ROUND)
