"""Figures as elements of the page, with one style sheet for all of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from markupsafe import Markup

from hpo_vs_adapt.report.figures import Drawing
from hpo_vs_adapt.report.figures.svg import inline_svg

__all__ = ["PageFigures"]

_TAG = re.compile(r"<[^>]*>")
_STYLE = re.compile(r' style="([^"]*)"')
_FONT = re.compile(r"font-family: [^;]*; ?")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class PageFigures:
    """The figures of a page: what they share is in the page once."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        self._ids = itertools.count()

    @property
    def css(self) -> Markup:
        """The styles of all figures placed so far, as rules of the page."""
        rules = (f".{name}{{{style}}}" for style, name in self._classes.items())
        return Markup("\n".join(rules))

    def place(self, drawings: Iterable[Drawing]) -> list[tuple[Drawing, Markup]]:
        """Return drawings with their elements of the page."""
        return [(drawing, self._element(drawing)) for drawing in drawings]

    def _element(self, drawing: Drawing) -> Markup:
        svg = inline_svg(drawing.svg, drawing.name, drawing.title, drawing.finding)
        short: dict[str, str] = {}

        def shorten(match: re.Match[str]) -> str:
            name = match[0]
            if name not in short:
                short[name] = f"f{_digits(next(self._ids))}"
            return short[name]

        # All ids of a figure, and what refers to them, begin with its name.
        named = re.compile(rf"(?<=[\"# ]){re.escape(drawing.name)}-[\w-]+(?=[\") ])")

        def shrink(match: re.Match[str]) -> str:
            return _STYLE.sub(self._as_class, named.sub(shorten, match[0]))

        # Tag by tag: a name that a figure shows may look like an attribute.
        return Markup(_TAG.sub(shrink, svg))

    def _as_class(self, match: re.Match[str]) -> str:
        # The page's own font is the one that it is shown in.
        style = _FONT.sub("", match[1]).replace(": ", ":").replace("; ", ";")
        name = self._classes.setdefault(style, f"_{_digits(len(self._classes))}")
        return f' class="{name}"'


def _digits(number: int) -> str:
    """Return a whole number with the digits 0 to 9 and a to z."""
    more, last = divmod(number, len(_DIGITS))
    return (_digits(more) if more else "") + _DIGITS[last]
