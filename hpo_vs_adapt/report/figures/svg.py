"""Figures as SVG: the same bytes each time, for a file and for the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hpo_vs_adapt.report.figures.looks import THEME
from hpo_vs_adapt.report.figures.svg_size import shrink_svg

__all__ = ["inline_svg", "quiet_glyphs", "svg_text"]

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@contextmanager
def quiet_glyphs() -> Iterator[None]:
    """Silence matplotlib about characters that its own font lacks.

    The text stays text in the SVG, and a browser has more fonts.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not supp")
        yield


def svg_text(figure: Figure, name: str) -> str:
    """Return a figure as SVG: small, no date in it, text as text, ids by `name`."""
    settings: dict[Any, Any] = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "svg.id": name,
    }
    buffer = io.StringIO()
    with mpl.rc_context(settings), quiet_glyphs():
        # `savefig` would draw everything twice, the first time for the layout alone.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata=_NO_METADATA)
    return shrink_svg(buffer.getvalue())


def inline_svg(svg: str, name: str, title: str, description: str) -> str:
    """Return an SVG document as an element of the page.

    Its ids get `name` in front, so that they are unique in the page; its size follows
    the page's; its colours become the page's variables, which have a dark variant; and
    it is an image with a text alternative to screen readers.

    Args:
        svg: From `svg_text`.
        name: Of the figure, unique in the page.
        title: What the figure is.
        description: What it shows.
    """
    root = ElementTree.fromstring(svg)
    for style in root.iter(f"{_SVG}defs"):
        # matplotlib's style sheet would apply to the whole page.
        for child in style.findall(f"{_SVG}style"):
            style.remove(child)
    for metadata in root.findall(f"{_SVG}metadata"):
        root.remove(metadata)
    for element in root.iter():
        _make_local(element, name)
    size = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": size,
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
            "style": "stroke-linejoin: round; stroke-linecap: butt",
        }
    )
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        child = ElementTree.Element(tag, {"id": f"{name}-{tag}"})
        child.text = text
        root.insert(place, child)
    return ElementTree.tostring(root, encoding="unicode")


def _make_local(element: ElementTree.Element, name: str) -> None:
    element.tag = element.tag.removeprefix(_SVG)
    target = element.attrib.pop(_HREF, None)
    if target is not None:
        element.set("href", f"#{name}-{target.removeprefix('#')}")
    for attribute, value in list(element.attrib.items()):
        if attribute == "id":
            element.set("id", f"{name}-{value}")
        else:
            value = value.replace("url(#", f"url(#{name}-")
            element.set(attribute, _with_theme(value))


def _with_theme(style: str) -> str:
    return re.sub(
        r"#[0-9a-f]{6}",
        lambda colour: f"var({THEME[colour[0]]})" if colour[0] in THEME else colour[0],
        style,
    )
