"""What one curve over learning rates says: how wide its basin is, what a miss costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.sensitivity.curve_axes import (
    Ends,
    best_place,
    gains_on_axis,
    interpolated,
    mean_over,
    sorted_curve,
    widest_stretch,
)

__all__ = [
    "REGRET_COLUMNS",
    "Basin",
    "basin_width",
    "lr_sensitivity",
    "misspecification_regret",
]

REGRET_COLUMNS = ("factor", "divided", "multiplied", "regret")
"""Columns of `misspecification_regret`."""


@dataclass(frozen=True, slots=True)
class Basin:
    """A contiguous range of rates in which an arm does well enough.

    Args:
        low: Its lower end, in the unit of the rates; NaN: there is no basin.
        high: Its upper end.
        decades: ``log10(high / low)``, 0 without a basin; NaN on a linear scale.
        open_low: Whether it reaches the lowest rate tried: it may be wider than known.
        open_high: Whether it reaches the highest rate tried.
    """

    low: float
    high: float
    decades: float
    open_low: bool
    open_high: bool


def lr_sensitivity(
    lrs: ArrayLike,
    losses: ArrayLike,
    initial_loss: float,
    weights: str = "trapezoid",
    scale: str = "log",
) -> float:
    """Return how much loss a rate drawn from the grid's range gives away on average.

    ``E_lr[min(loss(lr), initial_loss)] - min_lr loss(lr)``, lr log-uniform on the range
    of the grid. ``trapezoid`` integrates the line through the losses over log10(lr) and
    divides by the range, which is right for any spacing; ``plain`` is the mean over the
    grid's points. The number depends on the range: say it beside.

    Args:
        lrs: Rates, in any order, each once, shape `(n,)`.
        losses: Loss at the end of training with each rate, shape `(n,)`. NaN and
            infinite losses count as `initial_loss`: nothing was learnt.
        initial_loss: Loss before training.
        weights: ``trapezoid`` or ``plain``.
        scale: ``log``, or ``linear`` for settings that may be 0 or negative.

    Returns:
        A loss, never negative. NaN with fewer than two rates, and if no rate does
        better than `initial_loss`: 0 would praise an arm that never learns.

    Raises:
        ValueError: If the arrays differ in shape, a rate is repeated, not finite or
            (on a log scale) not positive, `initial_loss` is not finite, or `weights` or
            `scale` is unknown.

    Learning-rate sensitivity: Wortsman et al., "Small-Scale Proxies for Large-Scale
    Transformer Training Instabilities", 2023 (arXiv 2309.14322).
    """
    if weights not in ("trapezoid", "plain"):
        raise ValueError(f"`weights` must be 'trapezoid' or 'plain'; got {weights!r}.")
    if not math.isfinite(initial_loss):
        raise ValueError(
            f"`initial_loss` must be finite; got {initial_loss!r}. "
            "It is the loss before the first step."
        )
    axis, ends = sorted_curve(lrs, losses, scale, "losses")
    capped = np.where(np.isfinite(ends), np.minimum(ends, initial_loss), initial_loss)
    if axis.size < 2 or not (capped < initial_loss).any():
        return math.nan
    mean = capped.mean() if weights == "plain" else mean_over(axis, capped)
    return float(mean - capped.min())


def mean_over_range(
    settings: ArrayLike, values: ArrayLike, scale: str = "log"
) -> float:
    """Return the mean of the line through `values` over the range of the settings.

    Of shares of hits it is the probability that a setting drawn uniformly (on `scale`)
    from the range tried meets the target.

    Args:
        settings: Values of the setting, in any order, each once, shape `(n,)`.
        values: What was found at each, finite, shape `(n,)`.
        scale: ``log`` or ``linear``.

    Returns:
        The mean in the unit of `values`; NaN with fewer than two settings.

    Raises:
        ValueError: As in `lr_sensitivity`.
    """
    axis, found = sorted_curve(settings, values, scale, "values")
    return mean_over(axis, found) if axis.size > 1 else math.nan


def basin_width(
    lrs: ArrayLike,
    values: ArrayLike,
    tolerance: float,
    mode: str = "max",
    scale: str = "log",
) -> Basin:
    """Return the contiguous range of rates that do nearly as well as the best rate.

    The rates around the best one whose value is within `tolerance` of the best. An end
    is where the line through the last value inside and the first outside, over
    log10(lr), leaves the tolerance; towards a value that is not finite there is no
    line, and the basin ends at the last rate inside. Of several basins with a best rate
    the widest, of equally wide ones the lowest.

    Args:
        lrs: Rates, in any order, each once, shape `(n,)`.
        values: What each rate reached, shape `(n,)`; NaN and infinite: nothing, worse
            than any other.
        tolerance: Most that a value may be worse than the best, in its unit.
        mode: ``max`` if high values are good, ``min`` if low ones are.
        scale: ``log``, or ``linear`` for settings that may be 0 or negative.

    Raises:
        ValueError: If the rates are invalid (`lr_sensitivity`), `tolerance` is negative
            or not finite, or `mode` is unknown.
    """
    if not 0 <= tolerance < math.inf:
        raise ValueError(
            f"`tolerance` must be finite and not negative; got {tolerance!r}."
        )
    axis, gains = gains_on_axis(lrs, values, mode, scale)
    if not np.isfinite(gains).any():
        return _made(None, scale)
    least = float(gains.max()) - tolerance
    # Metrics are often multiples of one sample's share: 0.58 - 0.57 is within 0.01.
    gains = np.where(np.isclose(gains, least, rtol=1e-12, atol=1e-12), least, gains)
    return _made(widest_stretch(axis, gains, least, gains.max()), scale)


def stretch_above(
    settings: ArrayLike, values: ArrayLike, least: float, scale: str = "log"
) -> Basin:
    """Return the widest contiguous range of settings with values of at least `least`.

    Ends are interpolated as in `basin_width`, of equally wide ranges it is the lowest.

    Raises:
        ValueError: As in `lr_sensitivity`.
    """
    axis, gains = gains_on_axis(settings, values, "max", scale)
    return _made(widest_stretch(axis, gains, least, least), scale)


def misspecification_regret(
    lrs: ArrayLike,
    values: ArrayLike,
    factors: Sequence[float],
    mode: str = "max",
    scale: str = "log",
) -> pd.DataFrame:
    """Return what is lost if the rate is off by a factor, in either direction.

    ``regret(f) = best - worse of value(best lr / f) and value(best lr * f)``, for
    ``min`` with the sign turned; values between rates lie on the line through their
    neighbours over log10(lr).

    Args:
        lrs: Rates, in any order, each once, shape `(n,)`.
        values: What each rate reached, shape `(n,)`; NaN and infinite: nothing.
        factors: By how much the rate is off, each at least 1.
        mode: ``max`` if high values are good, ``min`` if low ones are.
        scale: Of the interpolation; on a ``linear`` one the best setting may be 0 or
            negative, where a factor says nothing: NaN.

    Returns:
        One row a factor, columns `factor`, `divided` and `multiplied` (what is lost
        with the rate too low and too high), `regret` (the worse of the two), in the
        unit of `values`, never negative; ``inf`` where a neighbouring rate reached
        nothing. NaN where the rate falls off the grid, and `regret` too then, since the
        unknown side may be the worse one; all NaN if no value is finite. Of rates that
        are equally good the middle one is the best, the lower of two.

    Raises:
        ValueError: If the rates are invalid (`lr_sensitivity`), a factor is not finite
            or below 1, or `mode` is unknown.
    """
    off = np.asarray(factors, dtype=np.float64).reshape(-1)
    if not (np.isfinite(off) & (off >= 1)).all():
        raise ValueError(
            f"`factors` must be finite and at least 1; got {off.tolist()!r}. "
            "Both directions are tried: 2 stands for half and double."
        )
    axis, gains = gains_on_axis(lrs, values, mode, scale)
    divided = multiplied = np.full(off.shape, math.nan)
    if np.isfinite(gains).any():
        place = best_place(gains)
        low, high = _shifted(float(axis[place]), off, scale)
        divided = gains[place] - interpolated(axis, gains, low)
        multiplied = gains[place] - interpolated(axis, gains, high)
    found = (off, divided, multiplied, np.maximum(divided, multiplied))
    return pd.DataFrame(dict(zip(REGRET_COLUMNS, found, strict=True)))


def _made(ends: Ends | None, scale: str) -> Basin:
    if ends is None:
        return Basin(math.nan, math.nan, 0.0, False, False)
    low, high, open_low, open_high = ends
    if scale == "linear":
        return Basin(low, high, math.nan, open_low, open_high)
    return Basin(10**low, 10**high, high - low, open_low, open_high)


def _shifted(
    position: float, factors: NDArray[np.float64], scale: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the positions of a setting divided and multiplied by each factor."""
    if scale == "log":
        return position - np.log10(factors), position + np.log10(factors)
    known = position if position > 0 else math.nan
    return known / factors, known * factors
