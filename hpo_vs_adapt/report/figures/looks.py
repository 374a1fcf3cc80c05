"""One colour, marker and dash for each arm, the same in every figure and table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpo_vs_adapt.wording import shorten

__all__ = [
    "ARM_COLOURS",
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "PURPOSE_COLOURS",
    "THEME",
    "VARIABLES",
    "Look",
    "ink_on",
    "looks_of",
]

INK = "#1b1d22"
MUTED = "#686d77"
GRID = "#dfe1e5"
PAPER = "#fefefe"

ARM_COLOURS = (
    ("#0068a8", "#4aa8e8"),  # blue
    ("#c8500a", "#f0813c"),  # vermillion
    ("#00805e", "#2fbf94"),  # green
    ("#b0578f", "#e092c2"),  # pink
    ("#9a7400", "#e3b53a"),  # ochre
    ("#3f2f8c", "#a094f0"),  # indigo
    ("#5f6670", "#a9b0ba"),  # grey
    ("#2c8ca3", "#7fd4e8"),  # cyan
)
"""Hues of Okabe and Ito's colour-blind-safe palette (2008), darkened until each has a
contrast of 3:1 on white, and lightened until it has on the dark page."""

PURPOSE_COLOURS = (
    ("#5588bb", "#6699cc"),  # blue
    ("#117733", "#44aa77"),  # green
    ("#8a8a2d", "#c0c060"),  # olive
    ("#aa4499", "#cc77bb"),  # purple
    ("#a67c00", "#ddcc77"),  # sand
    ("#882255", "#dd99aa"),  # wine, rose
    ("#cc3311", "#ee6a4c"),  # red
)
"""Hues of Tol's muted scheme (2021) and his red, made to stand out in the same way."""

VARIABLES = {
    **{f"--arm-{i}": pair for i, pair in enumerate(ARM_COLOURS)},
    **{f"--purpose-{i}": pair for i, pair in enumerate(PURPOSE_COLOURS)},
}
"""The page's variables for colours: their values on the light and on the dark page."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h")  # 9 and 8 share no factor
_DASHES = ("", (4, 1.5), (1, 1), (4, 1.2, 1, 1.2), (6, 2), (3, 1, 1, 1, 1, 1))
# An area's counterparts of the dashes; dots would be circles, thousands of them.
_HATCHES = ("", "///", "|||", "xxx", "---", "\\\\\\")

THEME = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--card",
    **{light: variable for variable, (light, _) in VARIABLES.items()},
}
"""Colours of the figures and the page's variables that stand for them."""


@dataclass(frozen=True, slots=True)
class Look:
    """How an arm is drawn.

    Args:
        label: Its name, shortened to what a figure can hold.
        colour: On white paper.
        variable: Name of the page's variable for the colour.
        marker: Of matplotlib.
        dash: Of seaborn: lengths in line widths, empty for a solid line.
        hatch: Of matplotlib, for areas, empty for a plain one.
    """

    label: str
    colour: str
    variable: str
    marker: str
    dash: str | tuple[float, ...]
    hatch: str = ""


def looks_of(arms: Sequence[str]) -> dict[str, Look]:
    """Return the look of each arm of a study; pairs of colour and marker differ."""
    labels = [shorten(arm) for arm in arms]
    looks = {}
    for i, arm in enumerate(arms):
        twin = labels.count(labels[i]) > 1
        looks[arm] = Look(
            label=f"{labels[i]} ({i + 1})" if twin else labels[i],
            colour=ARM_COLOURS[i % len(ARM_COLOURS)][0],
            variable=f"--arm-{i % len(ARM_COLOURS)}",
            marker=_MARKERS[i % len(_MARKERS)],
            dash=_DASHES[i // len(ARM_COLOURS) % len(_DASHES)],
            hatch=_HATCHES[i // len(ARM_COLOURS) % len(_HATCHES)],
        )
    return looks


def ink_on(colour: str) -> str:
    """Return the ink for words on a colour that stays the same on the dark page.

    Args:
        colour: As ``#rrggbb``.
    """
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 128
    # Not among the colours that follow the page's theme.
    return "#111111" if bright else "#ffffff"
