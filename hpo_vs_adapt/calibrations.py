"""Settings chosen once across workloads, then frozen, and what choosing them cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo_vs_adapt.trials import Value

__all__ = ["FILE_NAME", "Calibration", "calibrations"]

FILE_NAME = "calibrations.json"
"""The frozen settings, beside this module; ``hpo-vs-adapt calibrate`` writes it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Settings of a rule that did best over several workloads.

    Args:
        rule: The rule.
        settings: What was chosen, with what was fixed beside it.
        workloads: Labels of the workloads that it was chosen on.
        trials: Trials trained for it, over all workloads.
        cost: What they spent, in sample gradients.
    """

    rule: str
    settings: Mapping[str, Value] = field(hash=False)
    workloads: tuple[str, ...]
    trials: int
    cost: float


@cache
def calibrations() -> Mapping[str, Calibration]:
    """Return the frozen settings by rule."""
    text = files(__package__).joinpath(FILE_NAME).read_text(encoding="utf-8")
    return {
        rule: Calibration(
            rule,
            {
                n: tuple(v) if isinstance(v, list) else v
                for n, v in one["settings"].items()
            },
            tuple(one["workloads"]),
            one["trials"],
            one["cost"],
        )
        for rule, one in json.loads(text).items()
    }
