"""Settings chosen once across workloads, then frozen, and what choosing them cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["FROZEN", "Calibration", "calibrations"]

FROZEN = Path(__file__).with_name("calibrations.json")
"""The file of the frozen settings; ``hpo-vs-adapt calibrate`` writes it."""


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
        for rule, one in json.loads(FROZEN.read_text(encoding="utf-8")).items()
    }
