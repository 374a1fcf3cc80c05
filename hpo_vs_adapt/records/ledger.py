"""Counting: what a trial has spent, by purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["FlopCount", "Ledger", "Purpose", "Spending"]


class Purpose(StrEnum):
    """What spending was for."""

    TRAINING = "training"
    SECOND_GRADIENT = "second_gradient"  # a rule's extra gradient of the same batch
    HELD_OUT = "held_out"  # gradients of samples that training does not see
    LINE_SEARCH = "line_search"  # a rule's forward-only passes
    REFRESH = "refresh"  # BatchNorm statistics before an evaluation
    LOST = "lost"  # trained, then lost with its worker
    EVALUATION = "evaluation"  # kept beside, never in a bill


@dataclass(frozen=True, slots=True)
class FlopCount:
    """FLOPs of one sample, 2 for a multiply-add.

    Args:
        forward: Of the forward pass with the loss.
        total: Of the forward and backward passes.
    """

    forward: float
    total: float

    @property
    def forward_share(self) -> float:
        """What a forward-only sample costs in sample gradients, F / (F + B)."""
        return self.forward / self.total


@dataclass(frozen=True, slots=True)
class Spending:
    """An amount of work, without its purpose.

    Args:
        sample_gradients: Forward and backward passes of one sample.
        forward_samples: Forward-only passes of one sample.
        steps: Optimizer steps.
        flops: Of both kinds of passes.
        seconds: Amortised over the lanes that were trained together.
    """

    sample_gradients: int = 0
    forward_samples: int = 0
    steps: int = 0
    flops: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.sample_gradients + other.sample_gradients,
            self.forward_samples + other.forward_samples,
            self.steps + other.steps,
            self.flops + other.flops,
            self.seconds + other.seconds,
        )

    def __sub__(self, other: Spending) -> Spending:
        return Spending(
            self.sample_gradients - other.sample_gradients,
            self.forward_samples - other.forward_samples,
            self.steps - other.steps,
            self.flops - other.flops,
            self.seconds - other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a trial has spent, by purpose.

    Args:
        spent: Purpose to amount; a purpose that is missing has spent nothing.
        forward_share: What a forward-only sample costs in sample gradients.
    """

    spent: Mapping[Purpose, Spending] = field(default_factory=dict)
    forward_share: float = 1 / 3

    def add(self, purpose: Purpose, amount: Spending) -> Ledger:
        """Return the ledger with `amount` charged to `purpose`."""
        total = self.spent.get(purpose, Spending()) + amount
        return Ledger({**self.spent, purpose: total}, self.forward_share)

    def charged(self) -> Spending:
        """Return all that a bill counts: everything but evaluation."""
        amounts = (a for p, a in self.spent.items() if p is not Purpose.EVALUATION)
        return sum(amounts, Spending())

    @property
    def cost(self) -> float:
        """What a bill counts, in sample gradients."""
        charged = self.charged()
        return charged.sample_gradients + self.forward_share * charged.forward_samples
