"""The settings of each lane as plain values, as a library's constructor takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from torch import Tensor

from hpo_vs_adapt.optim.base import Setting, Stacked
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["Arguments", "settings_by_lane"]

Arguments: TypeAlias = dict[str, Any]
"""Keyword arguments of a library's constructor, or the settings they follow from."""


def settings_by_lane(
    settings: Stacked, known: Mapping[str, Setting]
) -> list[Arguments]:
    """Return the settings of each lane; one entry for all if none is a number.

    What belongs to a schedule is left out, unless the rule has no schedule. A float32
    becomes the shortest decimal that means it, as in somebody's own loop: 0.1, not the
    float64 nearest to the float32.

    Args:
        settings: Numbers as tensors `(..., 1)`, all else shared by the lanes.
        known: Declarations of the settings.
    """
    scheduled = SCHEDULE_SETTINGS if "schedule" in settings else {}
    columns: dict[str, list[Any]] = {}
    for name, value in settings.items():
        if name in scheduled:
            continue
        if isinstance(value, Tensor):
            kind = int if known[name].integer else float
            numbers = value.flatten().cpu().numpy()
            columns[name] = [kind(float(str(number))) for number in numbers]
        else:
            columns[name] = [value]
    lanes = max(map(len, columns.values()), default=1)
    return [
        {name: column[lane % len(column)] for name, column in columns.items()}
        for lane in range(lanes)
    ]
