"""Findings in words: ``3.2 times as cheap [1.4, 7.3]``."""

from __future__ import annotations

import math

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.report.compare.findings import CONFIDENCE, Compared, Finding, Interval
from hpo_vs_adapt.wording import ratio

__all__ = ["make_verdict"]

MINUS = "\N{MINUS SIGN}"


def make_verdict(one: Compared, finding: Finding, names: tuple[str, str]) -> str:
    """Return what a comparison came to in words.

    Args:
        one: The comparison.
        finding: What it came to.
        names: What the two reports are called.
    """
    first, other = names
    plain = {
        Finding.SAME: "same trials",
        Finding.MOVED: "same trials, other numbers",
        Finding.GONE: f"met in {first}, never in {other}",
        Finding.NEW: f"met in {other}, never in {first}",
        Finding.NEITHER: f"met in neither {first} nor {other}",
    }
    if finding in plain:
        return plain[finding]
    match finding:
        case Finding.ASKED:
            return _asked(one)
        case Finding.UNKNOWN:
            return _unknown(one)
        case Finding.NOISE:
            return (
                "equal" if one.equal else f"no difference beyond noise: {_plain(one)}"
            )
        case Finding.PERHAPS:
            return f"perhaps {_claim(one)}"
    return _claim(one)


def _asked(one: Compared) -> str:
    """Return what the two reports ask that is not the same."""
    return "same trials, another target" if one.same_metric else "another metric"


def _unknown(one: Compared) -> str:
    """Return why there is no interval."""
    if one.change.quantity == "hits" and one.equal:
        return "all passes met it" if one.change.first else "no pass met it"
    if math.isnan(one.change.change):
        return "no number in one of them"
    return f"too few passes to know the noise: {_plain(one)}"


def _plain(one: Compared) -> str:
    """Return the change and its interval, the direction as it is."""
    between = one.interval(CONFIDENCE)
    if one.nothing == 1:
        return f"{ratio(one.change.change)} times{_factors(between)}"
    return f"{_signed(one.change.change)}{_steps(between)}"


def _claim(one: Compared) -> str:
    """Return the change and its interval, turned so that the number says how much."""
    change, between = one.change.change, one.interval(CONFIDENCE)
    match one.change.quantity:
        case "hits":
            return f"met {'more' if change > 0 else 'less'} often: {_plain(one)}"
        case "best":
            better = (change > 0) == Direction(one.mode).up
            turned = between if change > 0 else Interval(-between.high, -between.low)
            word = "better" if better else "worse"
            return f"{abs(change):.2g} {word}{_steps(turned, sign='')}"
        case _ if change < 1:
            turned = Interval(_inverse(between.high), _inverse(between.low))
            return f"{ratio(_inverse(change))} times as cheap{_factors(turned)}"
        case _:
            return f"{ratio(change)} times as dear{_factors(between)}"


def _inverse(factor: float) -> float:
    return 1 / factor if factor > 0 else math.inf


def _factors(between: Interval) -> str:
    """Return `` [1.4, 7.3]``; passes that all cost the same have no width."""
    if not between.known:
        return ""
    if math.isclose(between.low, between.high, rel_tol=1e-9):
        return " in every pass"
    return f" [{ratio(between.low)}, {ratio(between.high)}]"


def _steps(between: Interval, sign: str = "+") -> str:
    if not between.known:
        return ""
    if math.isclose(between.low, between.high, rel_tol=1e-9, abs_tol=1e-12):
        return " in every pass"
    return f" [{_signed(between.low, sign)}, {_signed(between.high, sign)}]"


def _signed(value: float, sign: str = "+") -> str:
    return f"{value:{sign}.2g}".replace("-", MINUS)
