"""An arm's marker beside its name, as the figures draw it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup
from matplotlib.markers import MarkerStyle

from hpo_vs_adapt.report.figures.looks import Look

__all__ = ["shapes", "swatch"]


def swatch(look: Look) -> Markup:
    """Return an arm's marker in its colour, as an element of a page with `shapes`."""
    return Markup(
        '<svg class="swatch" aria-hidden="true"><use href="#{}" fill="var({})"/></svg>'
    ).format(_name(look.marker), look.variable)


def shapes(looks: Iterable[Look]) -> Markup:
    """Return an element that shows nothing and has the markers of all swatches."""
    symbol = Markup(
        '<symbol id="{}" viewBox="-.75 -.75 1.5 1.5"><polygon points="{}"/></symbol>'
    )
    symbols = (
        symbol.format(_name(marker), _outline(marker))
        for marker in dict.fromkeys(look.marker for look in looks)
    )
    return Markup(
        '<svg width="0" height="0" class="unseen" aria-hidden="true">{}</svg>'
    ).format(Markup().join(symbols))


def _name(marker: str) -> str:
    return f"marker-{ord(marker):x}"


def _outline(marker: str) -> str:
    style = MarkerStyle(marker)
    path = style.get_path().transformed(style.get_transform())
    outline: list[Any] = path.to_polygons(closed_only=False)
    return " ".join(f"{x:.2f},{-y:.2f}" for polygon in outline for x, y in polygon)
