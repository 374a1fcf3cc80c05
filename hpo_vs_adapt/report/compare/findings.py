"""What came out of one comparison of two reports: a difference, noise, or neither."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from hpo_vs_adapt.report.compare.changes import Change

__all__ = ["CONFIDENCE", "Compared", "Finding", "Interval", "find"]

CONFIDENCE = 0.95
"""Of an interval by itself, and of all of them together."""

_CLOSE = 1e-9  # numbers that went through a file and other orders of sums


class Finding(StrEnum):
    """What came out of one comparison."""

    SAME = "same"  # the same trials with the same numbers
    MOVED = "moved"  # the same trials with other numbers
    ASKED = "asked"  # the same trials at another target; another metric
    DIFFERS = "differs"  # with all comparisons counted
    PERHAPS = "perhaps"  # by itself alone
    NOISE = "noise"
    GONE = "gone"  # the target was met in the first report alone
    NEW = "new"  # in the other report alone
    NEITHER = "neither"
    UNKNOWN = "unknown"  # a single pass, or nothing that could show


QUIET = (Finding.SAME, Finding.NOISE, Finding.NEITHER, Finding.UNKNOWN)
"""What those who look for differences can do without."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a change lies; NaN where nothing is known of the noise."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def has(self, value: float) -> bool:
        """Whether a value is inside."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Compared:
    """One number of one arm on one workload in two reports.

    Args:
        workload: Its name in both.
        arm: Its name in both.
        change: From the first report to the other.
        mode: Of the first report's metric.
        shared: Trials behind the number that are one record in both.
        same: Whether there are no other trials behind it.
        same_target: Whether the target is the same.
        same_metric: Whether the metric is.
    """

    workload: str
    arm: str
    change: Change
    mode: str
    shared: int
    same: bool
    same_target: bool
    same_metric: bool

    @property
    def nothing(self) -> float:
        """The change where nothing changed."""
        return 0.0 if self.change.quantity in ("best", "hits") else 1.0

    @property
    def equal(self) -> bool:
        """Whether both have the same number, or neither has one."""
        one, two = self.change.first, self.change.other
        if math.isnan(one) or math.isnan(two):
            return math.isnan(one) and math.isnan(two)
        return math.isclose(one, two, rel_tol=_CLOSE)

    @property
    def tested(self) -> bool:
        """Whether noise could be told from a difference."""
        return self.interval(CONFIDENCE).known

    def interval(self, confidence: float) -> Interval:
        """Return the interval of the change; none where there is nothing to test."""
        if self.same or not self.same_metric:
            return Interval(math.nan, math.nan)
        return Interval(*self.change.bounds(confidence))


def find(one: Compared, together: float) -> Finding:
    """Return what a comparison came to.

    Args:
        one: The comparison.
        together: Confidence of each interval at which all of them hold at 95 %.
    """
    if not one.same_metric:
        return Finding.ASKED
    if one.same:
        # A record does not know the target: alone the best metric is without it.
        asked = not one.same_target and one.change.quantity != "best"
        changed = Finding.ASKED if asked else Finding.MOVED
        return Finding.SAME if one.equal else changed
    if math.isnan(one.change.first) or math.isnan(one.change.other):
        return _one_sided(one.change)
    if not one.tested:
        return Finding.UNKNOWN
    if one.equal or one.interval(CONFIDENCE).has(one.nothing):
        return Finding.NOISE
    wide = one.interval(together)
    return Finding.PERHAPS if wide.has(one.nothing) else Finding.DIFFERS


def _one_sided(change: Change) -> Finding:
    if change.quantity == "best":  # all trials of one of them crashed at once
        return Finding.UNKNOWN
    if not math.isnan(change.first):
        return Finding.GONE
    return Finding.NEITHER if math.isnan(change.other) else Finding.NEW
