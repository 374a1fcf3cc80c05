"""What Optuna draws hyperparameters from, or stores them under."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hpo_vs_adapt.records.trials import Value
from hpo_vs_adapt.study import Space

__all__ = ["Domain", "choice_label", "distribution_of"]

Domain: TypeAlias = Space | Sequence[Value]
"""What a hyperparameter may be: a space, or the list of a grid or a sweep."""


def choice_label(value: Value) -> str | float | int | bool | None:
    """Return a choice as Optuna can store it: a tuple as its JSON text."""
    return json.dumps(value) if isinstance(value, tuple) else value


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return what Optuna draws from, or stores a listed hyperparameter under.

    Numbers of a list become a range, logarithmic from a factor of ten on, so that
    Optuna's plots draw an axis; everything else becomes categories.
    """
    if isinstance(domain, Sequence):
        return _distribution_of_list(domain)
    if domain.kind == "categorical":
        return CategoricalDistribution([choice_label(c) for c in domain.choices])
    assert domain.low is not None
    assert domain.high is not None
    if domain.kind == "int":
        step = 1 if domain.step is None else int(domain.step)
        return IntDistribution(int(domain.low), int(domain.high), domain.log, step)
    return FloatDistribution(
        float(domain.low), float(domain.high), log=domain.log, step=domain.step
    )


def _distribution_of_list(values: Sequence[Value]) -> BaseDistribution:
    numbers = [v for v in values if isinstance(v, (int, float)) and v is not True]
    numbers = [v for v in numbers if v is not False]
    if len(numbers) < len(values):
        return CategoricalDistribution(list(dict.fromkeys(map(choice_label, values))))
    low, high = min(numbers), max(numbers)
    log = low > 0 and high >= 10 * low
    if all(isinstance(v, int) for v in numbers):
        return IntDistribution(int(low), int(high), log)
    return FloatDistribution(low, high, log)
