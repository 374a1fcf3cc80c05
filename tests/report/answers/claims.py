"""What the first section of a page claims: its visible sentences, number by number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

NUMBER = r"(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?(?: [kMGT](?!\w))?|∞)"
_BLOCKS = ("h2", "h3", "h4", "p", "dt", "dd", "li", "th", "td")


@dataclass(frozen=True)
class Claim:
    """A number of a sentence.

    Args:
        said: As it is printed.
        rounding: How it is printed, see `agrees`.
        field: What it is.
        owner: Whose it is: an arm, or ``headline``, ``pair`` and the like.
    """

    said: str
    rounding: str
    field: str
    owner: str


class _Section(HTMLParser):
    """Collects the texts of the blocks of an element, by article and tag."""

    def __init__(self, anchor: str) -> None:
        super().__init__()
        self.anchor, self.depth = anchor, 0
        self.article = ""
        self.blocks: list[tuple[str, str, list[str]]] = []
        self.stray: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self.depth += self.depth > 0 or given.get("id") == self.anchor
        if self.depth and tag == "article":
            self.article = given.get("id") or ""
        if self.depth and tag in _BLOCKS:
            self.open.append(tag)
            self.blocks.append((self.article, tag, []))

    def handle_endtag(self, tag: str) -> None:
        if self.depth and tag == "section":
            self.depth -= 1
        if self.depth and tag in _BLOCKS:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.depth and data.strip():
            (self.blocks[-1][2] if self.open else self.stray).append(data)


def visible_blocks(page: str, anchor: str) -> list[tuple[str, str, str]]:
    """Return article, tag and text of every block of a section of a page."""
    section = _Section(anchor)
    section.feed(page)
    assert not section.stray, section.stray
    return [
        (article, tag, " ".join(" ".join(text).split()))
        for article, tag, text in section.blocks
    ]


def _token(kind: str, owner: str, arms: str) -> str:
    """Return the expression of a token; groups are ``rounding__field__owner``."""

    def group(rounding: str, field: str, whose: str, of: str = NUMBER) -> str:
        return f"(?P<{rounding}__{field}__{whose}>{of})"

    def bounds(low: str, high: str) -> str:
        return rf"(?: \[{low}, {high}\])?"

    if kind == "arm":
        return f"(?P<arm__{owner}>{arms})"
    if kind == "arms":
        return rf"(?:{arms})(?:(?:, | and )(?:{arms}|others))*"
    if kind == "bill":
        ends = (group("digits", f"bill_{end}", owner) for end in ("low", "high"))
        bill = group("digits", "bill", owner)
        return rf"{bill} sample gradients(?: in every pass|{bounds(*ends)})"
    if kind == "passes":
        hits, number = (
            group("count", field, owner, r"\d+") for field in ("pass_hits", "passes")
        )
        return f"{hits} of {number} pass(?:es)?"
    if kind == "chance":
        value = r"(?:[<>] )?\d\.\d\d"
        return rf"P\(first\) {group('chance', 'first_probability', owner, value)}"
    if kind == "times":
        ends = (
            group("digits", f"{owner}_{end}", "headline") for end in ("low", "high")
        )
        ratio = group("digits", f"{owner}_ratio", "headline")
        return rf"(?:{ratio} times|about) as much{bounds(*ends)}"
    field, _, whose = owner.partition("_of_")
    return group(kind, field, whose or "headline")


def pattern(template: str, arms: Iterable[str]) -> re.Pattern[str]:
    """Return an expression for sentences of a kind.

    A token in angle brackets is ``<arm:x>`` (a name, called x from then on),
    ``<arms>`` (names), ``<bill:x>``, ``<passes:x>``, ``<chance:x>`` of it,
    ``<times:rival>``, or a number ``<rounding:field_of_owner>``, of the headline
    without an owner. All else is a regular expression.
    """
    names = "|".join(sorted(map(re.escape, arms), key=len, reverse=True))

    def expand(found: re.Match[str]) -> str:
        return _token(found[1], found[2] or "", names)

    return re.compile(re.sub(r"<(\w+)(?::(\w+))?>", expand, template))


def claims(found: re.Match[str]) -> Iterator[Claim]:
    """Yield the numbers that a sentence of a known kind has."""
    groups = {name: text for name, text in found.groupdict().items() if text}
    for name, said in groups.items():
        rounding, _, rest = name.partition("__")
        if rounding != "arm":
            field, _, owner = rest.rpartition("__")
            yield Claim(said, rounding, field, groups.get(f"arm__{owner}", owner))


def masked(text: str, names: Sequence[str]) -> str:
    """Return a text without names, which may have digits of their own."""
    longest = sorted(map(re.escape, names), key=len, reverse=True)
    return re.sub("|".join(longest), "…", text)


def agrees(claim: Claim, value: Any) -> bool:
    """Return whether a value is what was printed, within its rounding.

    ``count`` is exact, as is ``exact`` up to six digits; ``up`` is rounded up;
    ``digits`` has two significant digits, or no decimals from 100 of its scale on;
    ``percent`` the same of a hundredfold; ``decimals`` as many as are printed;
    ``chance`` two, with bounds at the ends.
    """
    if value is None:
        return False
    number, said = float(value), claim.said
    if claim.rounding == "chance":
        if said[0] in "<>":
            return 0 < number < 0.005 if said[0] == "<" else 0.995 <= number < 1
        return abs(number - float(said)) <= 0.005 + 1e-9
    if claim.rounding == "count":
        return number == int(said)
    if claim.rounding == "exact":
        return math.isclose(number, float(said), rel_tol=1e-6)
    if claim.rounding == "up":
        return int(said) - 1 < number <= int(said)
    if said == "∞":
        return number == float("inf")
    digits, _, letter = said.partition(" ")
    scale = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[letter]
    scale /= 100 if claim.rounding == "percent" else 1
    printed = float(digits)
    if claim.rounding == "decimals":
        half = 0.5 * 10 ** -len(digits.partition(".")[2])
    elif printed >= 100 and "e" not in digits:
        half = 0.5
    else:
        half = 0.05 * 10 ** math.floor(math.log10(printed)) if printed else 0.0
    return abs(number / scale - printed) <= half * (1 + 1e-9)
