"""Smaller SVG elements for the page; the files beside it keep every digit."""

from __future__ import annotations

import re

__all__ = ["shrink_svg"]

_NUMBERS = re.compile(r'( (?:d|x|y|points)=")([^"]*)"')
_TAIL = re.compile(r"(\.\d\d)\d+")
_ID = re.compile(r' id="([^"]*)"')
_BETWEEN = re.compile(r">\s+<")


def shrink_svg(svg: str) -> str:
    """Return an SVG element without what no reader can see.

    Coordinates keep two decimals, of a point; ids that nothing refers to and white
    space between elements are dropped.

    Args:
        svg: From `inline_svg`.
    """
    used = set(re.findall(r'(?:url\(#|href="#)([^")]*)', svg))
    for names in re.findall(r'aria-labelledby="([^"]*)"', svg):
        used |= set(names.split())
    svg = _NUMBERS.sub(lambda m: f'{m[1]}{_TAIL.sub(_cut, m[2])}"', svg)
    svg = _ID.sub(lambda m: m[0] if m[1] in used else "", svg)
    return _BETWEEN.sub("><", svg)


def _cut(match: re.Match[str]) -> str:
    return match[1]
