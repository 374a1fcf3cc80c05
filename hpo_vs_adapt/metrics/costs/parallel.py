"""What a list costs when several workers take it at once: latency and bill."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.cost import checked_passes, expected_finite_list

__all__ = ["expected_parallel", "race_workers"]

EXACT_ORDERS = math.factorial(8)
"""Most distinct orders of a list that are gone through one by one."""

ORDERS = 10_000
"""Orders that are drawn of a list with more."""

_CELLS = 2_000_000  # places of orders held in memory at once


def expected_parallel(
    costs: ArrayLike, hits: ArrayLike, workers: int, seed: int = 0
) -> tuple[float, float]:
    """Return what a list costs in expectation when workers take it in random order.

    The list is taken without replacement: a worker that is free takes the next trial,
    and all stop at the first hit (`race_workers`). With one worker both numbers are
    `expected_finite_list`; with as many workers as trials the order does not matter.
    In between they are the mean over all orders, trials that are equal in cost and hit
    taken as one kind, where that leaves at most 40 320 = 8! orders; else over 10 000
    drawn orders, which leaves a standard error of a hundredth of one order's standard
    deviation.

    Args:
        costs: What each trial spends when it is tried, in one unit, shape `(n,)`.
        hits: Whether each trial meets the target, shape `(n,)`.
        workers: Trials that run at once; more than there are trials stay idle.
        seed: Of the drawn orders.

    Returns:
        Latency, what one worker that was always busy has spent at the first hit, and
        bill, what all have spent by then; in the unit of `costs`. Both ``inf`` without
        a hit (the list ends and the target was not met), NaN for an empty list.

    Raises:
        ValueError: If the shapes differ, a cost is negative or not finite, or `workers`
            is not a whole number of at least 1.

    List scheduling: Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM Journal
    on Applied Mathematics, 1969.
    """
    spent, met = checked_passes(costs, hits)
    _check_workers(workers)
    if not spent.size:
        return math.nan, math.nan
    if not met.any():
        return math.inf, math.inf
    if workers == 1:
        bill = expected_finite_list(spent, met)
        return bill, bill
    # Sorted, so that the order in which the list is given changes no bit.
    kinds, counts = np.unique(np.stack([spent, met > 0]), axis=1, return_counts=True)
    races = [
        race_workers(kinds[0][orders], kinds[1][orders], workers)
        for orders in _blocks(counts, workers, seed)
    ]
    latencies, bills = (np.concatenate(part) for part in zip(*races, strict=True))
    return float(latencies.mean()), float(bills.mean())


def race_workers(
    costs: ArrayLike, hits: ArrayLike, workers: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latency and bill of lists that workers take in the given orders.

    Each row is a list of its own: a worker that is free takes the next trial of it, all
    stop as soon as one trial has hit, and trials that are then running are charged what
    they have burned. With ``f_w`` the spending of worker w up to the end of its last
    trial, ``T = min over hits of their end`` and ``bill = sum_w min(f_w, T)``.

    Args:
        costs: What each trial spends if it is not stopped, in one unit, in the order in
            which they are taken, shape `(m, n)`.
        hits: Whether each trial meets the target, at its end, shape `(m, n)`.
        workers: Trials that run at once.

    Returns:
        Latency T and bill in the unit of `costs`, each of shape `(m,)`; ``inf`` where
        no trial of a row hits.

    Raises:
        ValueError: If the shapes differ, a cost is negative or not finite, or `workers`
            is not a whole number of at least 1.
    """
    spent, met = _checked_lists(costs, hits)
    _check_workers(workers)
    rows, length = spent.shape
    first = min(workers, length)
    free = spent[:, :first].T.copy()  # when each worker is free, `(workers, rows)`
    ends = np.where(met[:, :first], spent[:, :first], np.inf)
    latency = ends.min(axis=1, initial=np.inf)
    live = np.arange(rows)
    for place in range(first, length):
        own = free[:, live]
        worker = own.argmin(axis=0)
        start = own[worker, np.arange(live.size)]
        # Whoever would start at the first hit or later does not start.
        going = start < latency[live]
        live, worker = live[going], worker[going]
        if not live.size:
            break
        end = start[going] + spent[live, place]
        free[worker, live] = end
        hit = met[live, place]
        latency[live[hit]] = np.minimum(latency[live[hit]], end[hit])
    bill = np.minimum(free, latency).sum(axis=0)
    return latency, np.where(np.isinf(latency), np.inf, bill)


def _blocks(
    counts: NDArray[np.int64], workers: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """Yield orders of a list of `counts` trials of each kind, shape `(m, n)`."""
    length = int(counts.sum())
    listed = np.repeat(np.arange(counts.size), counts)
    if workers >= length:
        yield listed[None]
        return
    distinct = math.factorial(length)
    for count in counts.tolist():
        distinct //= math.factorial(count)
    if distinct <= EXACT_ORDERS:
        yield _distinct_orders(counts)
        return
    rng = np.random.default_rng(seed)
    rows = max(1, _CELLS // length)
    for start in range(0, ORDERS, rows):
        size = min(rows, ORDERS - start)
        yield rng.permuted(np.tile(listed, (size, 1)), axis=1)


def _distinct_orders(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return every order of a list whose trials of one kind are equal."""
    orders = np.empty((1, 0), dtype=np.int64)
    left = counts[None]
    for _ in range(int(counts.sum())):
        rows, kinds = np.nonzero(left)
        orders = np.column_stack([orders[rows], kinds])
        left = left[rows]
        left[np.arange(rows.size), kinds] -= 1
    return orders


def _checked_lists(
    costs: ArrayLike, hits: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    spent = np.asarray(costs, dtype=np.float64)
    met = np.asarray(hits)
    if spent.ndim != 2 or spent.shape != met.shape:
        raise ValueError(
            "`costs` and `hits` must be of one shape (m, n); "
            f"got shapes {spent.shape} and {met.shape}."
        )
    wrong = ~(np.isfinite(spent) & (spent >= 0))
    if wrong.any():
        raise ValueError(
            f"`costs` must be finite and not negative; got {float(spent[wrong][0])!r}. "
            "A trial that never met the target costs what it spent, not infinity."
        )
    return spent, met > 0


def _check_workers(workers: int) -> None:
    if not workers >= 1 or workers % 1:
        raise ValueError(
            f"`workers` must be a whole number of at least 1; got {workers!r}."
        )
