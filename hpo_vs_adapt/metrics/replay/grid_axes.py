"""The settings that vary over a grid of trials, and where a trial lies on them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GridAxis", "grid_axes", "grid_cells"]

_LOG_FROM = 10.0  # ratio of the ends from which an axis of positive numbers is log


@dataclass(frozen=True, slots=True)
class GridAxis:
    """A setting that varies over a grid.

    Args:
        name: Of the setting.
        values: Ascending; in a fixed order if they are no numbers.
        scale: ``log``, ``linear``, or ``choice``: nothing lies between its values.
    """

    name: str
    values: tuple[Any, ...]
    scale: str

    def place(self, value: Any) -> float:
        """Return where a value lies among `values`, counted from 0.

        Beyond the ends is at the end.

        Raises:
            ValueError: If it is none of the values of a choice, or has no logarithm.
        """
        if self.scale == "choice":
            if value not in self.values:
                raise ValueError(
                    f"`{self.name}` must be one of {list(self.values)!r}; "
                    f"got {value!r}."
                )
            return float(self.values.index(value))
        if not (value > 0 or self.scale == "linear"):
            raise ValueError(f"`{self.name}` must be above 0; got {value!r}.")
        known = np.asarray(self.values, dtype=np.float64)
        if self.scale == "log":
            known, value = np.log(known), math.log(value)
        return float(np.interp(value, known, np.arange(known.size)))


def grid_axes(
    given: Sequence[Mapping[str, Any]], scales: Mapping[str, str]
) -> tuple[GridAxis, ...]:
    """Return an axis for every setting that varies, in the order of their names.

    Args:
        given: The settings of every trial; one that is not named is None.
        scales: As in `CurveGrid.from_records`.

    Raises:
        ValueError: If `scales` names a setting that does not vary, or a scale that does
            not exist or does not fit the values.
    """
    names = sorted({name for settings in given for name in settings})
    axes = []
    for name in names:
        values = {settings.get(name) for settings in given}
        if len(values) > 1:
            axes.append(_axis(name, values, scales.get(name)))
    unknown = set(scales) - {axis.name for axis in axes}
    if unknown:
        raise ValueError(f"`scales` must name what varies; got {sorted(unknown)!r}.")
    return tuple(axes)


def grid_cells(
    given: Sequence[Mapping[str, Any]], axes: Sequence[GridAxis]
) -> NDArray[np.intp]:
    """Return which combination each trial is, the last axis the fastest.

    Args:
        given: The settings of every trial.
        axes: As from `grid_axes`.

    Raises:
        ValueError: If there is a combination of which there is no trial.
    """
    cell = np.zeros(len(given), dtype=np.intp)
    for axis in axes:
        place = {value: place for place, value in enumerate(axis.values)}
        own = [place[settings.get(axis.name)] for settings in given]
        cell = cell * len(axis.values) + np.array(own)
    shape = tuple(len(axis.values) for axis in axes)
    absent = np.flatnonzero(np.bincount(cell, minlength=math.prod(shape)) == 0)
    if absent.size:
        places = np.unravel_index(absent[0], shape)
        first = {a.name: a.values[int(p)] for a, p in zip(axes, places, strict=True)}
        raise ValueError(
            f"`records` must hold every combination of the grid; got none of "
            f"{first!r}; {absent.size} in all are missing. Finish the study first."
        )
    return cell


def _axis(name: str, values: set[Any], scale: str | None) -> GridAxis:
    numbers = all(_is_number(value) for value in values)
    positive = numbers and min(values) > 0
    if scale is None:
        wide = positive and max(values) >= _LOG_FROM * min(values)
        scale = "log" if wide else "linear" if numbers else "choice"
    fits = {"log": positive, "linear": numbers, "choice": True}
    if not fits.get(scale, False):
        raise ValueError(
            f"`scales` must be 'log' (numbers above 0), 'linear' (numbers) or "
            f"'choice'; got {scale!r} for {name!r}."
        )
    ordered = sorted(values) if numbers else sorted(values, key=repr)
    return GridAxis(name, tuple(ordered), scale)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return math.isfinite(value)
