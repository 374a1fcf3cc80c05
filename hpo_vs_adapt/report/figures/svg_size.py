"""Smaller SVG documents: nothing goes that a reader could see."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["shorten_path", "shrink_svg"]

_TAG = re.compile(r"<[^>]*>")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_PATH = re.compile(r'<path (id="[^"]*" )?d="([^"]*)"')
_PLACES = re.compile(r'( (?:x|y|width|height)=")([^"]*)"')
_NUMBER = re.compile(r"-?\d+\.\d+")
_STEP = re.compile(r"([MLQCz])([^MLQCz]*)")
_STILL = re.compile(r' transform="rotate\(-?0 [^"]*\)"')
_ID = re.compile(r' id="([^"]*)"')
_GROUP = re.compile(r"<g\b[^>]*>|</g>")
_BETWEEN = re.compile(r">\s+<")


def shrink_svg(svg: str) -> str:
    """Return an SVG document with the same look in fewer bytes.

    Coordinates keep one decimal, of a point; those of markers, which are drawn at many
    places, keep two. Ids that nothing refers to, groups that say nothing, comments and
    white space between elements are dropped.

    Args:
        svg: As matplotlib writes it.
    """
    svg = _COMMENT.sub("", svg)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]*)', svg))

    def shrink(match: re.Match[str]) -> str:
        tag = _PATH.sub(_with_short_path, match[0])
        tag = _PLACES.sub(lambda m: f'{m[1]}{_NUMBER.sub(_rounded, m[2])}"', tag)
        tag = _STILL.sub("", tag)
        return _ID.sub(lambda m: m[0] if m[1] in used else "", tag)

    # Tag by tag: a name that a figure shows may look like an attribute.
    return _BETWEEN.sub("><", _without_bare_groups(_TAG.sub(shrink, svg)))


def shorten_path(path: str, decimals: int) -> str:
    """Return a path with rounded coordinates, each relative to the one before.

    Rounding is that of places, not of distances, so errors don't add up. Points that
    fall together and points within a level or upright stretch are left out.

    Args:
        path: With the commands M, L, Q, C and z, all absolute.
        decimals: That coordinates keep.
    """
    pen = _Pen(10**decimals)
    for command, numbers in _STEP.findall(path):
        pen.take(command, [float(number) for number in numbers.split()])
    return pen.path()


class _Pen:
    """What is left of a path while its steps come in; coordinates are whole."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.said: list[str] = []
        self.x = self.y = 0
        self.run = ("h", 0)  # a level or upright stretch that may go on

    def take(self, command: str, numbers: list[float]) -> None:
        """Add a step: a command and its coordinates."""
        places = [round(number * self.scale) for number in numbers]
        if command == "L":
            self._line(places[0] - self.x, places[1] - self.y)
        elif command == "z":
            self._say("z", ())
        elif command == "M":
            self._say("M", places)
        else:
            pairs = zip(places[::2], places[1::2], strict=True)
            shifts = (shift for x, y in pairs for shift in (x - self.x, y - self.y))
            self._say(command.lower(), shifts)
        if places:
            self.x, self.y = places[-2:]

    def path(self) -> str:
        """Return all that was taken."""
        self._end_run()
        return "".join(self.said)

    def _line(self, right: int, down: int) -> None:
        if right and down:
            self._say("l", (right, down))
        elif right or down:
            way, length = ("h", right) if right else ("v", down)
            if self.run[0] != way or self.run[1] * length < 0:
                self._end_run()
                self.run = (way, 0)
            self.run = (way, self.run[1] + length)

    def _say(self, command: str, numbers: Iterable[int]) -> None:
        self._end_run()
        words = [f"{number / self.scale:g}" for number in numbers]
        words = [re.sub(r"^(-?)0\.", r"\1.", word) for word in words]
        self.said.append(command + " ".join(words).replace(" -", "-"))

    def _end_run(self) -> None:
        way, length = self.run
        if length:
            self.run = ("h", 0)
            self._say(way, (length,))


def _with_short_path(match: re.Match[str]) -> str:
    name, path = match[1] or "", match[2]
    return f'<path {name}d="{shorten_path(path, 2 if name else 1)}"'


def _rounded(match: re.Match[str]) -> str:
    return f"{round(float(match[0]), 1):g}"


def _without_bare_groups(svg: str) -> str:
    kept: list[bool] = []  # of the groups that are open

    def choose(match: re.Match[str]) -> str:
        tag = match[0]
        if tag == "</g>":
            return tag if kept.pop() else ""
        bare = not tag.removeprefix("<g").rstrip("/>").strip()
        if not tag.endswith("/>"):
            kept.append(not bare)
        return "" if bare else tag

    return _GROUP.sub(choose, svg)
