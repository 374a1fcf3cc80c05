"""Reading single values: numbers, counts, flags and names."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "as_count",
    "as_flag",
    "as_name",
    "as_number",
    "as_table",
    "as_text",
    "numeric",
]


def numeric(value: object) -> int | float | None:
    """Return the finite number that `value` is or spells, else None.

    Text such as ``"1e-3"`` is a number (YAML 1.1 reads it as text); a flag is not.
    """
    if isinstance(value, str):
        value = _spelt(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    if isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _spelt(text: str) -> int | float | None:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def as_number(low: float, rule: str, *, open_: bool = False) -> Callable[[Any], float]:
    """Return a reader of finite numbers from `low` on, or above it if `open_`."""

    def read(value: Any) -> float:
        number = numeric(value)
        if number is None or number < low or (open_ and number == low):
            raise ValueError(rule)
        return float(number)

    return read


def as_count(low: int, rule: str) -> Callable[[Any], int]:
    """Return a reader of whole numbers from `low` on; ``1e3`` is one, true is not."""

    def read(value: Any) -> int:
        number = numeric(value)
        if number is None or number != int(number) or number < low:
            raise ValueError(rule)
        return int(number)

    return read


def as_flag(value: Any) -> bool:
    """Return `value` if it is true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def as_text(value: Any) -> str:
    """Return `value` if it is text with something in it; no path can hold a NUL."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError(
            "text that is not empty (in quotes, if it looks like a number)"
        )
    return value


def as_table(value: Any) -> str | tuple[Mapping[str, Any], ...]:
    """Return `value` if it can be a path, or rows as mappings."""
    if isinstance(value, str) and value.strip() and "\0" not in value:
        return value
    listed = isinstance(value, (list, tuple)) and len(value) > 0
    if not listed or not all(isinstance(row, Mapping) for row in value):
        raise ValueError("a CSV file beside the study, or a list of rows")
    return tuple(value)


def as_name(value: Any) -> str:
    """Return `value` if it can name a folder and a part of an Optuna study's name."""
    plain = (
        isinstance(value, str)
        and value == value.strip()
        and value.isprintable()
        and 0 < len(value.encode()) <= 100
        and not value.startswith((".", "~", "-"))
        and not set(value) & set('/\\:*?"|')
    )
    if not plain:
        raise ValueError(
            'a name, not a path: text of at most 100 bytes without / \\ : * ? " |, '
            "not starting with . ~ or -"
        )
    return str(value)
