"""Bias-corrected and accelerated (BCa) bootstrap of log ERT over whole passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["RESAMPLES", "bca_quantiles"]

RESAMPLES = 5000
"""Resamples of the bootstrap."""

_CELLS = 1_000_000  # passes drawn and held in memory at once


def bca_quantiles(
    spent: NDArray[np.float64],
    met: NDArray[np.float64],
    levels: NDArray[np.float64],
    seed: int,
) -> NDArray[np.float64]:
    """Return quantiles of resampled log ERT at BCa's probabilities.

    With ``theta = log(sum c / sum h)`` the quantile at level `Phi(z)` is that of the
    resampled theta at ``Phi(z0 + (z0 + z) / (1 - a (z0 + z)))``: the bias z0 comes from
    the share of resamples below theta, the acceleration a from the jackknife. A
    resample without a hit has theta = inf.

    Args:
        spent: Costs of passes, sorted, not all 0, shape `(n,)`.
        met: Hits of each pass, not all 0, shape `(n,)`.
        levels: Strictly between 0 and 1, shape `(m,)`.
        seed: Of the resamples.

    Efron, "Better Bootstrap Confidence Intervals", JASA 1987.
    """
    theta = float(np.log(spent.sum() / met.sum()))
    resampled = np.sort(_resampled(spent, met, np.random.default_rng(seed)))
    adjusted = _adjusted(theta, resampled, _acceleration(spent, met), levels)
    # The inverse of the empirical distribution function: nothing is interpolated, for
    # between a number and inf there is nothing.
    place = np.ceil(adjusted * RESAMPLES).astype(np.intp) - 1
    return resampled[np.clip(place, 0, RESAMPLES - 1)]


def _resampled(
    spent: NDArray[np.float64], met: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return log ERT of resamples of whole passes, shape `(RESAMPLES,)`."""
    pairs = spent + 1j * met  # a cost and its hit are drawn, and summed, as one number
    narrow = np.uint16 if spent.size <= np.iinfo(np.uint16).max else np.int64
    rows = max(1, _CELLS // spent.size)
    totals = []
    for start in range(0, RESAMPLES, rows):
        shape = (min(rows, RESAMPLES - start), spent.size)
        drawn = rng.integers(spent.size, size=shape, dtype=narrow)
        totals.append(pairs[drawn].sum(axis=1))
    total = np.concatenate(totals)
    hit = total.imag > 0
    with np.errstate(divide="ignore"):  # passes that cost nothing
        known = np.log(total.real) - np.log(np.where(hit, total.imag, 1.0))
    return np.where(hit, known, np.inf)


def _acceleration(spent: NDArray[np.float64], met: NDArray[np.float64]) -> float:
    """Return BCa's acceleration, from the jackknife; 0 where it is not defined."""
    hits_without = met.sum() - met
    cost_without = spent.sum() - spent
    # A single hit, or a single pass that cost anything: without it there is no log ERT.
    if not (hits_without.all() and (cost_without > 0).all()):
        return 0.0
    left_out = np.log(cost_without / hits_without)
    away = left_out.mean() - left_out
    scale = float((away**2).sum()) ** 1.5
    return float((away**3).sum()) / (6 * scale) if scale else 0.0


def _adjusted(
    theta: float,
    resampled: NDArray[np.float64],
    acceleration: float,
    levels: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return BCa's probabilities for `levels`."""
    # Resamples equal to the passes themselves are many where costs repeat; their sums
    # may differ from theta's in the last bit.
    equal = np.isclose(resampled, theta, rtol=0, atol=1e-9)
    below = np.mean((resampled < theta) & ~equal) + np.mean(equal) / 2
    edge = 1 / (2 * resampled.size)  # all resamples on one side: a finite bias
    bias = special.ndtri(np.clip(below, edge, 1 - edge))
    shifted = bias + special.ndtri(levels)
    room = 1 - acceleration * shifted
    # Far out the formula has a pole; beyond it is all of the tail.
    safe = np.where(room > 0, room, 1.0)
    away = np.where(room > 0, shifted / safe, np.copysign(np.inf, shifted))
    return special.ndtr(bias + away)
