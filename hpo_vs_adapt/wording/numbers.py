"""Numbers as sentences, tables and figures write them."""

from __future__ import annotations

import math
from typing import Any

UNKNOWN = "\N{EN DASH}"
"""Stands for a number that is not known."""

__all__ = [
    "UNKNOWN",
    "amount",
    "counted",
    "interval",
    "metric_value",
    "percent",
    "probability",
    "rate",
    "ratio",
    "times_as_much",
    "why_no_bill",
]

_SCALES = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, ""))


def amount(value: float) -> str:
    """Return a cost with two or three digits and a scale: 1.9 M, 61 k, 113."""
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞"
    for scale, letter in _SCALES:
        # 999.6 k would be written "1000 k": rounding must happen before the choice.
        if float(f"{value:.2g}") >= scale:
            return f"{_digits(value / scale)}{letter}"
    return _digits(value)


def interval(low: float, high: float) -> str:
    """Return ``[45 k, 83 k]``, or an empty text where there is no interval.

    Passes that all crossed at the same evaluation have no spread, and then no interval.
    """
    if not low < high:
        return ""
    return f"[{amount(low)}, {amount(high)}]"


def ratio(value: float) -> str:
    """Return a factor with two digits, or three from 100: 0.088, 1.4, 11, 212."""
    if math.isnan(value) or math.isinf(value):
        return amount(value)
    if value >= 1e6:
        return f"{value:.1e}"
    return f"{value:.0f}" if value >= 100 else f"{float(f'{value:.2g}'):g}"


def metric_value(value: float) -> str:
    """Return a metric with three decimals, or three digits where it is large."""
    if math.isnan(value):
        return UNKNOWN
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.3g}"


def rate(value: float) -> str:
    """Return a learning rate as people write it: 1e-4, 0.01, 1."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{float(f'{value:.2g}'):g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def probability(value: float) -> str:
    """Return a probability with two decimals; never rounded up to 1 or down to 0."""
    if math.isnan(value):
        return UNKNOWN
    if 0 < value < 0.005:
        return "< 0.01"
    return "> 0.99" if 0.995 <= value < 1 else f"{value:.2f}"


def counted(number: int, noun: str) -> str:
    """Return ``1 trial``, ``3 trials``, ``2 passes``."""
    plural = noun + ("es" if noun.endswith(("s", "sh")) else "s")
    return f"{number} {noun if number == 1 else plural}"


def percent(share: float) -> str:
    """Return a share with two digits: 0.4 %, 13 %."""
    return f"{float(f'{100 * share:.2g}'):g} %"


def times_as_much(factor: float) -> str:
    """Return ``1.4 times as much``; ``about as much`` where two digits don't differ."""
    said = ratio(factor)
    return "about as much" if said == "1" else f"{said} times as much"


def why_no_bill(arm: Any) -> str:
    """Return what stands in place of a bill.

    Args:
        arm: A row of the table of bills, with `trials` and `planned`.
    """
    if not arm.trials:
        return "no trial yet"
    return "not met yet" if arm.trials < arm.planned else "never met"


def _digits(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{float(f'{value:.2g}'):g}"
