"""An arm's marker beside its name, as the figures draw it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from matplotlib.markers import MarkerStyle

from hpo_vs_adapt.report.looks import Look

__all__ = ["swatch"]


def swatch(look: Look) -> Markup:
    """Return an arm's marker in its colour, as an SVG element."""
    style = MarkerStyle(look.marker)
    path = style.get_path().transformed(style.get_transform())
    outline: list[Any] = path.to_polygons(closed_only=False)
    points = " ".join(f"{x:.2f},{-y:.2f}" for polygon in outline for x, y in polygon)
    return Markup(
        '<svg class="swatch" viewBox="-.75 -.75 1.5 1.5" aria-hidden="true">'
        '<polygon points="{}" fill="var({})"/></svg>'
    ).format(points, look.variable)
