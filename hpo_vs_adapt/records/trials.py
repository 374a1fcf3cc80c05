"""What is asked for and what comes back: trial specifications and records."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import pandas as pd

from hpo_vs_adapt.records.ledger import Ledger

__all__ = [
    "CURVE_COLUMNS",
    "EndReason",
    "Settings",
    "TrialRecord",
    "TrialSpec",
    "Value",
]

Value: TypeAlias = float | int | bool | str | tuple[float, ...] | None
"""One setting of a rule, hashable and exact in JSON."""

Settings: TypeAlias = tuple[tuple[str, Value], ...]
"""Settings of a rule, sorted by name; what is not named has the rule's default."""

CURVE_COLUMNS = (
    "step",  # optimizer steps taken
    "samples",  # training samples seen by those steps
    "sample_gradients",  # forward and backward passes of one sample, extras included
    "forward_samples",  # forward-only passes of one sample, evaluation excluded
    "cost",  # sample_gradients + forward_samples * F / (F + B)
    "flops",  # of both, evaluation excluded
    "seconds",  # of training, amortised over the lanes of the pack
    "train_loss",  # mean over the steps since the previous evaluation; step 0: NaN
    "validation_loss",
    "validation_metric",
    "test_metric",
    "lr",  # with which the next step starts
    "momentum",  # NaN where the rule has none
)
"""Columns of every curve; a rule's own scalars follow under their names."""


class EndReason(StrEnum):
    """Why a trial ended."""

    TARGET = "target"
    BUDGET = "budget"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One training run, as it is asked for.

    Args:
        workload: Name or reference of the workload (``digits_mlp``,
            ``package.module:Name``, ``path/to/file.py:Name``).
        rule: Name of the update rule.
        settings: The rule's settings, sorted by name, without defaults.
        batch_size: Samples a step.
        seed: Training seed: initial weights, data order, dropout.
        epochs: Budget in passes over the training data.
        evaluate_every: Steps between two evaluations.
        split: ``default`` or ``paper`` (the source's protocol).
        precision: ``float32`` or ``float64``.
        stop_at: Validation metric at which training ends, or None. Not part of the
            trial's identity: a record that ran further serves it.
    """

    workload: str
    rule: str
    settings: Settings
    batch_size: int
    seed: int
    epochs: float
    evaluate_every: int
    split: str = "default"
    precision: str = "float32"
    stop_at: float | None = None

    def identity(self) -> dict[str, object]:
        """Return the fields that tell this trial from others, JSON-ready."""
        fields = dataclasses.asdict(self)
        del fields["stop_at"]
        return fields


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """What a finished trial leaves.

    Args:
        key: Identity of the trial (`identity.trial_key`).
        spec: What was asked for.
        end: Why it ended.
        curve: One row an evaluation, columns `CURVE_COLUMNS` and the rule's own.
        ledger: All that was spent, by purpose, evaluation and lost work included.
        lanes: Largest number of lanes it shared its pack with; above 1 its seconds are
            amortised and must not be ranked.
        error: What a crashed trial raised, one line; None otherwise.
    """

    key: str
    spec: TrialSpec
    end: EndReason
    curve: pd.DataFrame
    ledger: Ledger
    lanes: int = 1
    error: str | None = None
