"""What reaching a target costs: crossings of one curve, bills of many trials.

Costs are in one unit, here sample gradients; ``inf`` means never, NaN unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Crossing",
    "Mode",
    "expected_finite_list",
    "expected_running_time",
    "target_crossing",
]

Mode: TypeAlias = Literal["max", "min"]
"""Whether a value meets a target by being high or by being low."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """When a curve met its target; costs in the unit of the curve.

    Args:
        first: Cost of the first evaluation that meets the target; ``inf``: none.
        sustained: Cost of the first of so many of them in a row; ``inf``: none.
        after: Cost of the last evaluation known not to meet the target before `first`:
            the true crossing lies in ``(after, first]``. 0 if the first evaluation
            meets it already; the last cost of the curve if none does.
    """

    first: float
    sustained: float
    after: float


def target_crossing(
    cost: ArrayLike,
    value: ArrayLike,
    target: float,
    mode: str = "max",
    sustained: int = 1,
) -> Crossing:
    """Return when a curve met its target.

    ``T = min{c(e) : value(e) meets target}``. A value that is NaN or infinite ends the
    curve: a crossing before it stands, none can follow, not even if later values are
    finite again. An evaluation at the end that would have needed successors to be
    sustained is not sustained. Nothing is imputed: a curve without a crossing has
    ``first = inf``, whatever its budget.

    Args:
        cost: Spending at each evaluation, never decreasing, shape `(n,)`.
        value: Validation metric at each evaluation, shape `(n,)`.
        target: Value to reach; equality meets it.
        mode: ``max`` if a value meets the target by being high, ``min`` by being low.
        sustained: Evaluations in a row that `Crossing.sustained` asks for.

    Raises:
        ValueError: If the arrays differ in shape, `cost` is not finite or decreases,
            `target` is NaN, `mode` is unknown or `sustained` is below 1.

    Time to target with first and sustained crossings: Dahl et al., "Benchmarking Neural
    Network Training Algorithms", 2023 (arXiv 2306.07179).
    """
    costs, values = _curve(cost, value)
    if mode not in ("max", "min"):
        raise ValueError(f"`mode` must be 'max' or 'min'; got {mode!r}.")
    if math.isnan(target):
        raise ValueError(f"`target` must be a number; got {target!r}.")
    if sustained < 1:
        raise ValueError(f"`sustained` must be at least 1; got {sustained!r}.")

    alive = np.logical_and.accumulate(np.isfinite(values))
    met = alive & (values >= target if mode == "max" else values <= target)
    at = _first_run(met, 1)
    if at is None:
        return Crossing(math.inf, math.inf, float(costs[-1]) if costs.size else 0.0)
    start = _first_run(met, sustained)
    return Crossing(
        first=float(costs[at]),
        sustained=math.inf if start is None else float(costs[start]),
        after=float(costs[at - 1]) if at else 0.0,
    )


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
    spent = np.asarray(costs, dtype=np.float64)
    met = np.asarray(hits, dtype=np.float64)
    if spent.ndim != 1 or spent.shape != met.shape:
        raise ValueError(
            "`costs` and `hits` must be one-dimensional and equally long; "
            f"got shapes {spent.shape} and {met.shape}."
        )
    if not (np.isfinite(spent) & (spent >= 0)).all():
        raise ValueError(
            f"`costs` must be finite and not negative; got {spent.tolist()!r}. "
            "A trial that never met the target costs what it spent, not infinity."
        )
    if not (np.isfinite(met) & (met >= 0)).all():
        raise ValueError(f"`hits` must be true or false; got {met.tolist()!r}.")
    return spent, met


def _curve(
    cost: ArrayLike, value: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    costs = np.asarray(cost, dtype=np.float64)
    values = np.asarray(value, dtype=np.float64)
    if costs.ndim != 1 or costs.shape != values.shape:
        raise ValueError(
            "`cost` and `value` must be one-dimensional and equally long; "
            f"got shapes {costs.shape} and {values.shape}."
        )
    if not np.isfinite(costs).all() or (np.diff(costs) < 0).any():
        raise ValueError(
            f"`cost` must be finite and never decrease; got {costs.tolist()!r}. "
            "Sort the evaluations by step."
        )
    return costs, values


def _first_run(met: NDArray[np.bool_], length: int) -> int | None:
    """Return where the first `length` true values in a row begin."""
    if met.size < length:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(met, length).all(axis=-1)
    return int(windows.argmax()) if windows.any() else None
