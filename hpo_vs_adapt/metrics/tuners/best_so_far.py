"""What trials, and policies made of them, have reached by the time they spent so much.

Values are signed so that higher is better (`RecordCurves`); ``-inf`` is nothing yet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.crossings import RecordCurves

__all__ = ["SLACK", "best_of_orders", "best_within", "paid_within"]

SLACK = 1e-12
"""Share of a spending by which sums of the same costs may differ."""


def paid_within(
    curves: RecordCurves,
    trials: NDArray[np.intp],
    spending: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return the place behind the last evaluation that trials had paid for.

    An evaluation is paid for by its cost, equality included. What was lost with a
    worker was lost before the first evaluation.

    Args:
        curves: The curves of n records, some of which have evaluations.
        trials: Which of them, from 0 to n - 1, any shape.
        spending: What each has spent, in the unit of the costs, shape of `trials`.

    Returns:
        Places in `curves.cost`; `curves.start` where nothing was paid for.
    """
    reach = spending * (1 + SLACK) - curves.lost[trials]
    start, stop = curves.start[trials], curves.stop[trials]
    # Bisection of all curves at once. Queries are many, so steps are halved instead of
    # keeping two bounds for each.
    known = start.copy()
    step = 1 << int((stop - start).max(initial=0)).bit_length()
    while step:
        ahead = known + step
        paid = curves.cost[np.minimum(ahead, stop) - 1] <= reach
        known += step * (paid & (ahead <= stop))
        step >>= 1
    return known


def best_within(
    curves: RecordCurves,
    trials: NDArray[np.intp],
    spending: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the best value of trials that have spent so much: a step function.

    Args:
        curves: The curves of n records.
        trials: Which of them, from 0 to n - 1, any shape.
        spending: As in `paid_within`.

    Returns:
        Signed values in the shape of `trials`.
    """
    if not curves.cost.size:
        return np.full(trials.shape, -np.inf)
    known = paid_within(curves, trials, spending)
    some = known > curves.start[trials]
    return np.where(some, curves.best[known - 1], -np.inf)


def best_of_orders(
    curves: RecordCurves,
    final: NDArray[np.float64],
    orders: NDArray[np.intp],
    costs: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the best value of lists of trials, run one after the other, at each cost.

    A list's value at cost x is the best of the trials that have ended by then and of
    the evaluations of the one that is running. A list that has ended keeps its best.

    Args:
        curves: The curves of n records.
        final: What each record has reached in the end, shape `(n,)`.
        orders: Lists of records, shape `(m, l)`; -1 at the end of shorter lists.
        costs: Cumulative spending x, ascending, shape `(p,)`.

    Returns:
        Signed values, shape `(m, p)`.
    """
    rows = np.arange(len(orders))[:, None]
    # The last entry is what -1 stands for: it costs and reaches nothing.
    final = np.append(final, -np.inf)
    spent = np.cumsum(np.append(curves.limit, 0.0)[orders], axis=1)

    # How many trials of a list have ended by each cost.
    bins = costs.size + 1
    cell = np.searchsorted(costs, spent * (1 - SLACK)) + rows * bins
    ended = np.bincount(cell.ravel(), minlength=rows.size * bins)
    ended = np.cumsum(ended.reshape(-1, bins)[:, :-1], axis=1)

    best = np.maximum.accumulate(final[orders], axis=1)
    reached = np.insert(best, 0, -np.inf, axis=1)[rows, ended]
    # Lists that begin with the same trial are equal until it ends.
    head, place = np.unique(orders[:, 0], return_inverse=True)
    alone = best_within(curves, *np.broadcast_arrays(head[:, None], costs))
    reached = np.maximum(reached, alone[place])
    running = np.insert(orders, orders.shape[1], -1, axis=1)[rows, ended]
    # Few trials get beyond what was there before them; only those are searched.
    row, at = np.nonzero((ended > 0) & (final[running] > reached))
    left = costs[at] - spent[row, ended[row, at] - 1]
    now = best_within(curves, running[row, at], left)
    reached[row, at] = np.maximum(reached[row, at], now)
    return reached
