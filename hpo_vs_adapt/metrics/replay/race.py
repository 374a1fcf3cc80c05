"""Trials that workers take in order until one hits: what it costs and what it finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.crossings import RecordCurves
from hpo_vs_adapt.metrics.tuners.best_so_far import SLACK, best_within

__all__ = ["Race", "finished", "run_race", "start_times"]


@dataclass(frozen=True, slots=True)
class Race:
    """How m lists of trials ended, arrays of shape `(m,)`.

    Args:
        bill: What all workers have spent, to the first hit or to the end.
        latency: What a worker that was always busy has spent by then.
        hit: Whether the target was met.
        best: Best value of all evaluations by then, signed.
    """

    bill: NDArray[np.float64]
    latency: NDArray[np.float64]
    hit: NDArray[np.bool_]
    best: NDArray[np.float64]

    def then(self, later: Race) -> Race:
        """Return this race followed, where it had no hit, by a later one."""
        goes_on = ~self.hit
        return Race(
            bill=self.bill + np.where(goes_on, later.bill, 0.0),
            latency=self.latency + np.where(goes_on, later.latency, 0.0),
            hit=self.hit | later.hit,
            best=np.where(goes_on, np.maximum(self.best, later.best), self.best),
        )


def run_race(
    curves: RecordCurves,
    trials: NDArray[np.intp],
    crossing: NDArray[np.float64],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    workers: int,
) -> Race:
    """Return how lists of trials end when workers take them in order.

    A worker that is free takes the next trial; all stop at the first hit, and trials
    that are then running are charged what they have burned.

    Args:
        curves: The curves of n records.
        trials: Which of them, in the order in which they are taken, shape `(m, l)`.
        crossing: What each record had spent at its first hit, shape `(n,)`.
        begin: What each trial has spent before this race, shape `(m, l)`.
        end: What it will have spent after it, shape `(m, l)`.
        workers: Trials that run at once.
    """
    met = crossing[trials]
    met = np.where(met <= end * (1 + SLACK), np.clip(met, begin, end) - begin, np.inf)
    cost = end - begin
    start = start_times(cost, workers)
    latency, bill, hit = finished(start, cost, met)
    run = np.clip(latency[:, None] - start, 0.0, cost)
    # Differences of the same sums differ in the last bits.
    reach = np.minimum(begin + run + latency[:, None] * SLACK, end)
    begun = (start < latency[:, None]) | (start + met <= latency[:, None])
    best = np.where(begun, best_within(curves, trials, reach), -np.inf)
    return Race(bill, latency, hit, best.max(axis=1))


def start_times(cost: NDArray[np.float64], workers: int) -> NDArray[np.float64]:
    """Return when each trial of lists starts if a free worker takes the next.

    Args:
        cost: What the trials spend, in order, shape `(m, l)`.
        workers: Trials that run at once.
    """
    if workers >= cost.shape[1]:
        return np.zeros_like(cost)
    if workers == 1:
        return np.cumsum(cost, axis=1) - cost
    rows = np.arange(len(cost))
    free = np.zeros((len(cost), workers))
    start = np.empty_like(cost)
    for place in range(cost.shape[1]):
        worker = free.argmin(axis=1)
        start[:, place] = free[rows, worker]
        free[rows, worker] += cost[:, place]
    return start


def finished(
    start: NDArray[np.float64], cost: NDArray[np.float64], met: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return latency, bill and hit of lists of trials, each of shape `(m,)`.

    Args:
        start: When each trial starts, shape `(m, l)`.
        cost: What it spends if nothing stops it.
        met: After how much of that it hits; inf: it does not.
    """
    first = (start + met).min(axis=1)
    latency = np.minimum(first, (start + cost).max(axis=1))
    bill = np.clip(latency[:, None] - start, 0.0, cost).sum(axis=1)
    return latency, bill, np.isfinite(first)
