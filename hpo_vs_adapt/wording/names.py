"""Names as sentences, figures and files write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = [
    "did_you_mean",
    "listed",
    "named",
    "nearest",
    "series",
    "shorten",
    "slugs",
]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence on a name that nobody knows.

    It names the known one that was likely meant, else all of them.
    """
    names = list(known)
    matches = difflib.get_close_matches(name, names, n=1)
    if matches:
        return f"did you mean `{matches[0]}`?"
    return f"known are {', '.join(f'`{one}`' for one in names)}."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `x`?``, or a full stop where no known name is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{matches[0]}`?" if matches else "."


def series(items: Iterable[str], last: str = "and") -> str:
    """Return ``a``, ``a and b``, ``a, b and c``; an empty text for nothing."""
    told = list(items)
    if not told:
        return ""
    *head, tail = told
    return f"{', '.join(head)} {last} {tail}" if head else tail


def listed(names: Iterable[str], most: int = 6) -> str:
    """Return names as a series; beyond `most` of them the rest is counted."""
    told = list(names)
    others = len(told) - most
    if others > 1:
        told = [*told[:most], f"{others} others"]
    return series(told)


def named(names: Iterable[str], most: int = 6) -> str:
    """Return names as a series; beyond `most` of them others are only mentioned."""
    told = list(names)
    return series([*told[:most], "others"] if len(told) > most else told)


def shorten(name: str, length: int = 26) -> str:
    """Return a name that fits into a figure; the full one stands in the tables."""
    name = " ".join(name.split())
    if len(name) <= length:
        return name
    half = (length - 1) // 2
    return f"{name[: length - 1 - half].rstrip()}…{name[-half:].lstrip()}"


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Return for each name a different file name of letters, digits and dashes."""
    chosen: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48] or "workload"
        slug, count = plain, 1
        while slug in chosen.values():
            count += 1
            slug = f"{plain}-{count}"
        chosen[name] = slug
    return chosen
