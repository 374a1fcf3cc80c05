"""Settings of rules: what they may be, how values are read, how lanes stack."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = [
    "Lanes",
    "Range",
    "Setting",
    "SettingProblem",
    "Stacked",
    "coerce_setting",
    "nearest_name",
    "stack_settings",
]

Lanes: TypeAlias = "Sequence[Mapping[str, Value]] | Mapping[str, Value]"
"""Settings of each lane of a pack, or those of one lane without a pack."""

Stacked: TypeAlias = "Mapping[str, Tensor | Value]"
"""Settings of a pack: numbers as tensors `(..., 1)`, all else shared by the lanes."""


class SettingProblem(ValueError):
    """A setting has a value that it cannot have, or no rule has it.

    Args:
        name: The setting.
        value: What was given.
        rule: What it must be, to be read after "must be".
        nearest: The known name nearest to an unknown one, or None.
        unknown: Whether the name, not the value, is wrong; `rule` then lists the names.
    """

    def __init__(
        self,
        name: str,
        value: object,
        rule: str,
        nearest: str | None = None,
        unknown: bool = False,
    ) -> None:
        self.name, self.value, self.rule = name, value, rule
        self.nearest, self.unknown = nearest, unknown
        if unknown:
            hint = f" Did you mean `{nearest}`?" if nearest else ""
            sentence = f"A setting must be {rule}; got `{name}`.{hint}"
        else:
            sentence = f"`{name}` must be {rule}; got {value!r}."
        super().__init__(sentence)

    def __reduce__(self) -> tuple[type[SettingProblem], tuple[object, ...]]:
        parts = (self.name, self.value, self.rule, self.nearest, self.unknown)
        return type(self), parts


@dataclass(frozen=True, slots=True)
class Range:
    """Where a tuner looks for one setting, if a study does not say.

    Args:
        low: Least number.
        high: Largest number.
        log: Whether numbers are drawn on a log scale.
    """

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a rule: its default and what it may be.

    It is a number (or a tuple of numbers, with `length` or `several`) unless it has
    `choices`.

    Args:
        default: Value where the study names none.
        doc: One line for `list rules`.
        low: Bound of a number, or None.
        high: Bound of a number, or None.
        low_open: Whether `low` itself is refused.
        high_open: Whether `high` itself is refused.
        choices: Allowed words (or flags), for a setting that is not a number.
        words: Words allowed instead of a number; all lanes of a pack then have it.
        integer: Whether the number must be whole.
        shared: Whether lanes of a pack must agree on it; numbers usually differ.
        length: Number of entries of a tuple of numbers, which lanes of a pack share;
            None for a single value.
        several: Whether it is a tuple of one number or more, which lanes share.
        optional: Whether None (YAML: null) is allowed and means "by the rule".
    """

    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str | bool, ...] = ()
    words: tuple[str, ...] = ()
    integer: bool = False
    shared: bool = False
    length: int | None = None
    several: bool = False
    optional: bool = False

    @property
    def allowed(self) -> str:
        """What it must be, in words, for example ``a number > 0 or 'auto'``."""
        if self.choices:
            parts = [_spell(choice) for choice in self.choices]
        else:
            parts = [self._number, *map(repr, self.words)]
        if self.optional:
            parts.append("null")
        return (
            parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
        )

    @property
    def _number(self) -> str:
        noun = "an integer" if self.integer else "a number"
        if self.length is not None:
            noun = f"a list of {self.length} numbers"
        elif self.several:
            noun = "a list of numbers, each"
        bounds = []
        if self.low is not None:
            bounds.append(f"{'>' if self.low_open else '>='} {self.low:g}")
        if self.high is not None:
            bounds.append(f"{'<' if self.high_open else '<='} {self.high:g}")
        return f"{noun} {' and '.join(bounds)}" if bounds else noun

    def accepts(self, value: object) -> bool:
        """Return whether a value, read by `coerce_setting`, is allowed."""
        if value is None:
            return self.optional
        if self.choices:
            # 1 == True: a flag is no number
            return any(type(value) is type(c) and value == c for c in self.choices)
        if isinstance(value, str):
            return value in self.words
        if self.length is None and not self.several:
            return self._within(value)
        if not isinstance(value, tuple) or len(value) != (self.length or len(value)):
            return False
        return bool(value) and all(map(self._within, value))

    def per_lane(self, value: Value) -> bool:
        """Return whether lanes of one pack may have other numbers than this value."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and not self.shared and not self.choices

    def _within(self, number: object) -> bool:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            return False
        if not math.isfinite(number) or (self.integer and number != int(number)):
            return False
        if self.low is not None and not (
            number > self.low if self.low_open else number >= self.low
        ):
            return False
        return self.high is None or (
            number < self.high if self.high_open else number <= self.high
        )


def coerce_setting(setting: Setting, value: object) -> Value:
    """Return a value of a study as the setting takes it.

    Text that reads as a number becomes one (YAML 1.1 reads ``1e-3`` as text), lists
    become tuples. What cannot be read is returned as it is, for `Setting.accepts` to
    refuse.
    """
    if isinstance(value, (list, tuple)):
        # A nested list is no entry, and `accepts` refuses it.
        return tuple(coerce_setting(setting, entry) for entry in value)  # type: ignore[misc]
    if isinstance(value, str) and not setting.choices and value not in setting.words:
        value = _read_number(value)
    if setting.integer and isinstance(value, float) and value.is_integer():
        return int(value)
    return value  # type: ignore[return-value]  # `accepts` refuses other types


def stack_settings(
    lanes: Lanes,
    known: Mapping[str, Setting],
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Stacked:
    """Return the lanes' settings as a rule takes them, defaults filled in.

    Args:
        lanes: Settings of each lane, for numbers of shape `(lanes, 1)`; or one mapping,
            for a single lane with numbers of shape `(1,)`.
        known: Declarations of the rule's settings.
        dtype: Precision of the weights.
        device: Where the weights are.

    Raises:
        SettingProblem: If lanes disagree on a setting that a pack must share.
    """
    single = isinstance(lanes, Mapping)
    rows: Sequence[Mapping[str, Value]] = (
        [lanes] if isinstance(lanes, Mapping) else lanes
    )
    stacked: dict[str, Tensor | Value] = {}
    for name, setting in known.items():
        values = [row.get(name, setting.default) for row in rows]
        if all(map(setting.per_lane, values)):
            column = torch.tensor(values, dtype=torch.float64)
            shaped = column if single else column[:, None]
            stacked[name] = shaped.to(dtype=dtype, device=device)
        elif any(value != values[0] for value in values):
            raise SettingProblem(name, values, "the same in all lanes of a pack")
        else:
            stacked[name] = values[0]
    return stacked


def nearest_name(name: str, known: Mapping[str, Setting]) -> str | None:
    """Return the known setting whose name is nearest to a misspelt one."""
    return next(iter(difflib.get_close_matches(name, known, 1)), None)


def _spell(choice: str | bool) -> str:
    return str(choice).lower() if isinstance(choice, bool) else repr(choice)


def _read_number(text: str) -> float | int | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
