"""What reaching a target costs: bills of many trials.

Costs are in one unit, here sample gradients; ``inf`` means never, NaN unknown.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.checks import equal_arrays

__all__ = ["checked_passes", "expected_finite_list", "expected_running_time"]


def expected_running_time(costs: ArrayLike, hits: ArrayLike) -> float:
    """Return ERT, the expected bill of independent restarts until the first hit.

    ``ERT = (cost of all trials) / (number of hits)``, which is
    ``E[c | hit] + (1 - p) / p * E[c | miss]``. This is random search as it is used, and
    a single configuration tried with one seed after the other.

    Args:
        costs: What each trial spent: until the hit, or until it was stopped, in one
            unit, shape `(n,)`. A trial that diverged or crashed burned what it burned.
        hits: Whether each trial met the target, shape `(n,)`.

    Returns:
        The bill in the unit of `costs`; ``inf`` without a hit, NaN without a trial.

    Raises:
        ValueError: If the shapes differ, or a cost is negative or not finite.

    Expected running time: Hansen et al., "COCO: A Platform for Comparing Continuous
    Optimizers in a Black-Box Setting", Optimization Methods and Software, 2021.
    """
    spent, met = checked_passes(costs, hits)
    if not spent.size:
        return math.nan
    total = float(met.sum())
    return math.fsum(spent) / total if total else math.inf


def expected_finite_list(costs: ArrayLike, hits: ArrayLike) -> float:
    """Return the expected bill of a list tried in random order until the first hit.

    With n trials of which s hit, ``E = mean_hit + (n - s) / (s + 1) * mean_miss``: each
    miss comes before all s hits with probability ``1 / (s + 1)``. Exact. It is below
    ERT (`expected_running_time`), which draws with replacement, wherever both hits and
    misses are there.

    Args:
        costs: What each trial spends when it is tried, in one unit, shape `(n,)`.
        hits: Whether each trial meets the target, shape `(n,)`.

    Returns:
        The bill in the unit of `costs`; ``inf`` without a hit (the list ends and the
        target was not met), NaN for an empty list.

    Raises:
        ValueError: If the shapes differ, or a cost is negative or not finite.
    """
    spent, met = checked_passes(costs, hits)
    if not spent.size:
        return math.nan
    hit = met > 0
    number = int(hit.sum())
    if not number:
        return math.inf
    return math.fsum(spent[hit]) / number + math.fsum(spent[~hit]) / (number + 1)


def checked_passes(
    costs: ArrayLike, hits: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return costs and hits as float arrays `(n,)`.

    Raises:
        ValueError: If the shapes differ, a cost is negative or not finite, or a number
            of hits is negative or not finite.
    """
    spent, met = equal_arrays("`costs` and `hits`", costs, hits)
    if not (np.isfinite(spent) & (spent >= 0)).all():
        raise ValueError(
            f"`costs` must be finite and not negative; got {spent.tolist()!r}. "
            "A trial that never met the target costs what it spent, not infinity."
        )
    if not (np.isfinite(met) & (met >= 0)).all():
        raise ValueError(f"`hits` must be true or false; got {met.tolist()!r}.")
    return spent, met
