"""Sparklines: a curve in one line of text."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpo_vs_adapt.metrics.basics.direction import Direction

__all__ = ["MET", "Scale", "fit_scale", "sparkline"]

BELOW = "▁▂▃▄▅▆▇"
"""Heights of values that do not meet the target."""

MET = "█"
"""Height of values that do."""

LOG_RANGE = 100.0
"""A metric that is to fall by more than this factor is drawn by its logarithm."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What the heights of sparklines that are compared mean.

    Args:
        worst: Value at the bottom.
        target: Value at the top, and everything beyond it.
        mode: ``max`` if a higher value is better, else ``min``.
        log: Whether heights are even in the logarithm of the value.
    """

    worst: float
    target: float
    mode: str
    log: bool = False

    def mark(self, value: float) -> str:
        """Return the character for a value, `MET` only if it meets the target."""
        if Direction(self.mode).meets(value, self.target):
            return MET
        worst, target, here = map(self._even, (self.worst, self.target, value))
        share = (here - worst) / (target - worst) if target != worst else 0.0
        return BELOW[min(len(BELOW) - 1, max(0, int(share * len(BELOW))))]

    def _even(self, value: float) -> float:
        return math.log(value) if self.log else value


def fit_scale(starts: Iterable[float], target: float, mode: str) -> Scale:
    """Return a scale from the worst start to the target.

    Args:
        starts: Where the curves begin, finite.
        target: Value to reach.
        mode: ``max`` if a higher value is better, else ``min``.
    """
    values = [*starts, target]
    direction = Direction(mode)
    worst = direction.worst(values)
    log = not direction.up and target > 0 and worst / target > LOG_RANGE
    return Scale(worst, target, mode, log)


def sparkline(
    path: Sequence[tuple[float, float]], end: float, width: int, scale: Scale
) -> str:
    """Return the best value so far against spending, from 0 to `end`.

    A character shows the best value at the end of its part of the spending; a part
    before the first value is blank.

    Args:
        path: Spending and value wherever the best value changed, in order.
        end: Spending at the right edge, at least that of the last value.
        width: Characters.
        scale: What the heights mean.
    """
    marks = []
    for place in range(1, width + 1):
        spent = end * place / width if place < width else math.inf
        known = bisect.bisect_right(path, spent, key=lambda point: point[0])
        marks.append(scale.mark(path[known - 1][1]) if known else " ")
    return "".join(marks)
