"""Checking settings against the rule that has them: single, listed, ranges, spaces."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo_vs_adapt.study import fields
from hpo_vs_adapt.study.errors import FieldError, must, unknown
from hpo_vs_adapt.study.parts import Space
from hpo_vs_adapt.study.schema import RangeSchema, SpaceSchema

if TYPE_CHECKING:
    from hpo_vs_adapt.optim.base import Rule
    from hpo_vs_adapt.records.trials import Value

__all__ = ["BATCH_SIZE", "MOST", "Known", "check_count"]

BATCH_SIZE = "batch_size"
"""What can be tuned and swept besides the rule's settings."""

MOST = 100_000
"""Values of a range, combinations of a grid, trials of a tuner at most."""

_batch_size = fields.as_count(1, "a positive integer")


@dataclass(frozen=True, slots=True)
class Known:
    """What the settings of one rule may be.

    Args:
        name: The rule as the study names it.
        rule: The rule.
    """

    name: str
    rule: type[Rule]

    def value(self, path: str, setting: str, value: Any) -> Value:
        """Return one value of `setting` as the rule takes it.

        Raises:
            FieldError: If the rule has no such setting, or the value is not allowed.
        """
        from hpo_vs_adapt.optim.settings import coerce_setting

        if setting not in self.rule.settings:
            raise unknown("setting", path, setting, self.rule.settings, self.name)
        known = self.rule.settings[setting]
        read = coerce_setting(known, value)
        if not known.accepts(read):
            raise must(path, known.allowed, value)
        return read

    def choice(self, path: str, setting: str, value: Any) -> Value:
        """Return one value for `setting` or for the batch size.

        Raises:
            FieldError: As `value` does.
        """
        if setting != BATCH_SIZE:
            return self.value(path, setting, value)
        try:
            return _batch_size(value)
        except ValueError as error:
            raise must(path, str(error), value) from None

    def listed(
        self, path: str, setting: str, given: RangeSchema | tuple[Any, ...]
    ) -> tuple[Value, ...]:
        """Return the values of a list or a range, each checked.

        Raises:
            FieldError: If there are none, one is not allowed, or one is there twice.
        """
        self.has(path, setting)
        if isinstance(given, RangeSchema):
            spaced = _spaced(path, given)
            values = [
                self.choice(path, setting, value)
                for value in self._whole(setting, spaced)
            ]
        else:
            if not given:
                raise must(path, "a list with at least one value", [])
            values = [
                self.choice(f"{path}[{i}]", setting, value)
                for i, value in enumerate(given)
            ]
        return _distinct(path, values)

    def space(
        self, path: str, setting: str, given: SpaceSchema | tuple[Any, ...]
    ) -> Space:
        """Return what a tuner may choose for `setting`.

        Its kind follows from what is given and from the setting: choices are
        categorical, a range of whole numbers is `int`, any other `float`.

        Raises:
            FieldError: If bounds or choices are missing, contradict or are not allowed.
        """
        self.has(path, setting)
        if not isinstance(given, SpaceSchema):
            return self._categorical(path, setting, given)
        numbers = (given.low, given.high, given.log, given.step)
        if given.choices is not None:
            if any(one is not None for one in numbers):
                raise FieldError(
                    f"`{path}` must have `choices` or `low` and `high`, not both."
                )
            return self._categorical(f"{path}.choices", setting, given.choices)
        if given.low is None or given.high is None:
            missing = "low" if given.low is None else "high"
            raise FieldError(f"`{path}.{missing}` is missing.")
        return self._numbers(path, setting, given, given.low, given.high)

    def has(self, path: str, setting: str) -> None:
        """Refuse a setting that the rule does not have.

        Raises:
            FieldError: With the nearest one it has.
        """
        if setting != BATCH_SIZE and setting not in self.rule.settings:
            names = (*self.rule.settings, BATCH_SIZE)
            raise unknown("setting", path, setting, names, self.name)

    def _categorical(self, path: str, setting: str, given: tuple[Any, ...]) -> Space:
        return Space("categorical", choices=self.listed(path, setting, given))

    def _numbers(
        self, path: str, setting: str, given: SpaceSchema, low: float, high: float
    ) -> Space:
        kind = "int" if self._is_whole(setting) else "float"
        log, step = bool(given.log), given.step
        if not low < high:
            raise must(f"{path}.low", f"less than `high` ({high:g})", low)
        if log and not low > 0:
            raise must(f"{path}.low", "a number > 0 on a log scale", low)
        if log and step is not None:
            raise FieldError(
                f"`{path}` must not have both `log` and `step`; remove one."
            )
        for end, bound in (("low", low), ("high", high)):
            self.choice(f"{path}.{end}", setting, bound)
        if kind == "float":
            return Space(kind, low, high, log, step)
        if step is not None and step != int(step):
            raise must(f"{path}.step", "a positive integer", step)
        return Space(
            kind, int(low), int(high), log, None if step is None else int(step)
        )

    def _is_whole(self, setting: str) -> bool:
        return setting == BATCH_SIZE or self.rule.settings[setting].integer

    def _whole(self, setting: str, values: Iterable[float]) -> list[float]:
        if self._is_whole(setting):
            return [round(value) for value in values]
        return list(values)


def _spaced(path: str, given: RangeSchema) -> list[float]:
    """Return the points of a range, rounded to 12 digits so that decades are exact."""
    low, high, last = given.low, given.high, given.points - 1
    check_count(f"{path}.points", given.points)
    if not low < high:
        raise must(f"{path}.low", f"less than `high` ({high:g})", low)
    if given.log and not low > 0:
        raise must(f"{path}.low", "a number > 0 on a log scale", low)
    width = high / low if given.log else high - low
    if not math.isfinite(width):
        raise must(f"{path}.high", f"nearer to `low` ({low:g})", high)
    steps = [i / last for i in range(last + 1)]
    if given.log:
        return [float(f"{low * width**step:.12g}") for step in steps]
    return [float(f"{low + width * i / last:.12g}") for i in range(last + 1)]


def _distinct(path: str, values: list[Value]) -> tuple[Value, ...]:
    seen = set()
    for value in values:
        # True == 1 in Python, but a flag and a number are different values.
        if (type(value), value) in seen:
            raise FieldError(f"`{path}` must not repeat a value; got {value!r} twice.")
        seen.add((type(value), value))
    return tuple(values)


def check_count(path: str, number: int) -> None:
    """Refuse more of something than anybody can train.

    Raises:
        FieldError: If there are more than `MOST`.
    """
    if number > MOST:
        raise must(path, f"at most {MOST:,}", number)
