"""Curves over one setting: positions on a scale, stretches, values between points."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import integrate

from hpo_vs_adapt.metrics.basics.checks import equal_arrays
from hpo_vs_adapt.metrics.basics.direction import Direction

__all__ = [
    "Ends",
    "best_place",
    "gains_on_axis",
    "interpolated",
    "mean_over",
    "sorted_curve",
    "widest_stretch",
]

Ends: TypeAlias = tuple[float, float, bool, bool]
"""Lower and upper end of a stretch, and whether each is the end of the axis."""

_CLOSE = 1e-9  # positions that are one but for rounding, as a share of the range


def best_place(gains: NDArray[np.float64]) -> int:
    """Return the place of the highest value; of several the (lower) middle one."""
    tied = np.flatnonzero(gains == gains.max())
    return int(tied[(tied.size - 1) // 2])


def sorted_curve(
    settings: ArrayLike, values: ArrayLike, scale: str, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions on the scale, ascending, and the values there.

    Args:
        settings: Values of the setting (learning rates), in any order, shape `(n,)`.
        values: What was found at each, shape `(n,)`.
        scale: ``log`` (positions are log10) or ``linear``.
        name: Of `values`, for the message.

    Raises:
        ValueError: If the shapes differ, a setting is repeated, not finite or (on a log
            scale) not positive, or `scale` is unknown.
    """
    if scale not in ("log", "linear"):
        raise ValueError(f"`scale` must be 'log' or 'linear'; got {scale!r}.")
    given, found = equal_arrays(f"`lrs` and `{name}`", settings, values)
    if not np.isfinite(given).all() or (scale == "log" and not (given > 0).all()):
        rule = "finite and positive" if scale == "log" else "finite"
        raise ValueError(f"`lrs` must be {rule}; got {given.tolist()!r}.")
    order = np.argsort(given)
    axis = np.log10(given[order]) if scale == "log" else given[order]
    if not (np.diff(axis) > 0).all():
        raise ValueError(
            f"`lrs` must be distinct; got {given.tolist()!r}. "
            "Take the mean over seeds first."
        )
    return axis, found[order]


def gains_on_axis(
    settings: ArrayLike, values: ArrayLike, mode: str, scale: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions and values, high being good, -inf where nothing was reached."""
    sign = Direction(mode).sign
    axis, found = sorted_curve(settings, values, scale, "values")
    return axis, np.where(np.isfinite(found), sign * found, -np.inf)


def mean_over(axis: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return the mean of the line through at least two points over their range."""
    return float(integrate.trapezoid(values, axis) / (axis[-1] - axis[0]))


def widest_stretch(
    axis: NDArray[np.float64],
    gains: NDArray[np.float64],
    least: float,
    reached: float,
) -> Ends | None:
    """Return the ends of the widest stretch, of equally wide ones the lowest.

    Ends lie where the line to the first point outside falls below `least`; beside a
    point that reached nothing, at the last point inside.

    Args:
        axis: Positions, ascending, shape `(n,)`.
        gains: Value at each, high being good, -inf: nothing, shape `(n,)`.
        least: Value that every point of a stretch has.
        reached: Value that some point of it has.
    """
    # Places where the values change from outside to inside, and back.
    inside = np.concatenate([[False], gains >= least, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    widest: Ends | None = None
    same = _CLOSE * np.ptp(axis) if axis.size else 0.0
    for start, stop in edges:
        if gains[start:stop].max() < reached:
            continue
        low = _end(axis, gains, start, -1, least)
        high = _end(axis, gains, stop - 1, 1, least)
        if widest is None or high - low > widest[1] - widest[0] + same:
            widest = (low, high, bool(start == 0), bool(stop == axis.size))
    return widest


def interpolated(
    axis: NDArray[np.float64], gains: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return values between points, -inf beside one without a value, NaN outside."""
    lost = np.isinf(gains)
    value = np.interp(at, axis, np.where(lost, 0.0, gains))
    beside = np.interp(at, axis, lost.astype(np.float64)) > _CLOSE
    same = _CLOSE * np.ptp(axis)
    on_grid = (at >= axis[0] - same) & (at <= axis[-1] + same)
    return np.where(on_grid, np.where(beside, -np.inf, value), math.nan)


def _end(
    axis: NDArray[np.float64],
    gains: NDArray[np.float64],
    place: int,
    step: int,
    least: float,
) -> float:
    """Return where the value falls below, going from `place` to its neighbour."""
    beyond = place + step
    if not 0 <= beyond < axis.size:
        return float(axis[place])
    part = (gains[place] - least) / (gains[place] - gains[beyond])
    return float(axis[place] + part * (axis[beyond] - axis[place]))
