"""When a curve meets its target: the one definition of a hit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.checks import check_least, equal_arrays
from hpo_vs_adapt.metrics.basics.direction import Direction

__all__ = ["Crossing", "finite_part", "first_hit", "target_crossing"]


def first_hit(
    values: ArrayLike, target: float, mode: str, in_a_row: int = 1
) -> int | None:
    """Return the evaluation at which a curve meets its target; None: never.

    A value that is NaN or infinite ends the curve: a hit before it stands, none can
    follow, not even if later values are finite again. An evaluation at the end that
    would have needed successors to last has not lasted.

    Args:
        values: Validation metric at each evaluation, shape `(n,)`.
        target: Value to reach; equality meets it, and nothing meets NaN.
        mode: ``max`` if a value meets the target by being high, ``min`` by being low.
        in_a_row: Evaluations that must meet it one after the other, at least 1; the
            first of them is returned.

    Raises:
        ValueError: If `mode` is neither.
    """
    met = Direction(mode).meets(finite_part(values), target)
    if met.size < in_a_row:
        return None
    runs = np.lib.stride_tricks.sliding_window_view(met, in_a_row).all(axis=-1)
    return int(runs.argmax()) if runs.any() else None


def finite_part(values: ArrayLike) -> NDArray[np.float64]:
    """Return a curve up to its first value that is NaN or infinite.

    Args:
        values: Validation metric at each evaluation, shape `(n,)`.
    """
    given = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(given)
    return given if finite.all() else given[: int(finite.argmin())]


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

    ``T = min{c(e) : value(e) meets target}``, a hit being what `first_hit` says.
    Nothing is imputed: a curve without a crossing has ``first = inf``, whatever its
    budget.

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
    costs, values = equal_arrays("`cost` and `value`", cost, value)
    if not np.isfinite(costs).all() or (np.diff(costs) < 0).any():
        raise ValueError(
            f"`cost` must be finite and never decrease; got {costs.tolist()!r}. "
            "Sort the evaluations by step."
        )
    if math.isnan(target):
        raise ValueError(f"`target` must be a number; got {target!r}.")
    check_least("sustained", sustained, 1)
    at = first_hit(values, target, mode)
    if at is None:
        return Crossing(math.inf, math.inf, float(costs[-1]) if costs.size else 0.0)
    start = first_hit(values, target, mode, sustained)
    return Crossing(
        first=float(costs[at]),
        sustained=math.inf if start is None else float(costs[start]),
        after=float(costs[at - 1]) if at else 0.0,
    )
