"""Which arms of a figure of lines are told apart, and what is said of the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from hpo_vs_adapt.report.figures.looks import Look

__all__ = ["NAMED", "name_arms", "say_others"]

NAMED = 8
"""Arms of a figure of lines that are told apart: as many as there are colours."""

_CHEAPEST = (
    "the cheapest arm, the reference, the cheapest of each kind, and more by their"
    " bills as colours go"
)


def name_arms(
    looks: Mapping[str, Look], ranked: Iterable[str], most: int = NAMED
) -> dict[str, Look]:
    """Return the looks of the arms that are shown by name, in the order of `looks`.

    Args:
        looks: Of every arm.
        ranked: The arms of the figure, most important first. The first half of those
            that are shown are its first; the others are such that colours differ as
            long as there are any.
        most: How many there may be.
    """
    ranked = list(ranked)
    first = ranked[: most // 2]
    for fresh in (True, False):  # those whose colour is not taken come first
        for arm in ranked:
            taken = {looks[other].colour for other in first}
            new = arm not in first and looks[arm].colour not in taken
            if len(first) < most and (new if fresh else arm not in first):
                first.append(arm)
    return {arm: look for arm, look in looks.items() if arm in first}


def say_others(
    named: Collection[str], arms: Iterable[str], rule: str = _CHEAPEST
) -> str:
    """Return a sentence for the caption on what is grey; empty if nothing is.

    Args:
        named: Arms that are shown by name.
        arms: All arms of the figure, an arm as often as you like.
        rule: Which arms are named, in words.
    """
    others = len(set(arms) - set(named))
    if not others:
        return ""
    which = "other one" if others == 1 else f"other {others}"
    return f" In colour: {rule}. Grey: the {which}, whose numbers the table has."
