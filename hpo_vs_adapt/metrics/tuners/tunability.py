"""How well a tuner's best-so-far curve does early, on the whole, and late."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Tunability", "tunability"]


class Tunability(NamedTuple):
    """Weighted means of a best-so-far curve, in the unit of its values.

    Attributes:
        early: CPE, weight of budget t of T proportional to ``T - t + 1``.
        uniform: CPU, all weights ``1 / T``.
        late: CPL, weight proportional to ``t``.
    """

    early: float
    uniform: float
    late: float


def tunability(curve: ArrayLike) -> Tunability:
    """Return how good a best-so-far curve is, for small, any and large budgets.

    ``sum_t w_t L(t)`` with weights that add up to 1 over the budgets t = 1 ... T:
    ``w_t = 2 (T - t + 1) / (T (T + 1))`` (early), ``1 / T`` (uniform),
    ``2 t / (T (T + 1))`` (late). Budgets must be equally spaced: of a curve over costs
    on a log scale take values at even steps first. A curve that gets better with the
    budget has its best number last, and ``early + late = 2 * uniform`` always.

    Args:
        curve: Value reached with budget t, in any unit, high or low being better, shape
            `(T,)`. It need not be monotone: a test metric at the incumbent is not.

    Returns:
        The three numbers, all the same for one budget or a constant curve; NaN for an
        empty curve.

    Raises:
        ValueError: If the curve is not one-dimensional, or a value is not finite.

    Sivaprasad et al., "Optimizer Benchmarking Needs to Account for Hyperparameter
    Tuning", ICML 2020 (arXiv 1910.11758), cumulative performance-early, -uniform and
    -late.
    """
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(
            f"`curve` must be one-dimensional; got an array of shape {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            f"`curve` must be finite; got {values.tolist()!r}. Leave off the budgets "
            "within which nothing was evaluated."
        )
    if not values.size:
        return Tunability(math.nan, math.nan, math.nan)
    late = np.arange(1, values.size + 1) / (values.size * (values.size + 1) / 2)
    return Tunability(
        early=math.fsum(late[::-1] * values),
        uniform=math.fsum(values) / values.size,
        late=math.fsum(late * values),
    )
