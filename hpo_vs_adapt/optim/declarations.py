"""What optimizers of libraries need of the loop around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["EXEMPTIONS", "Declaration"]

EXEMPTIONS: Mapping[str, str] = {
    "check_nothing_is_read_back": (
        "Libraries compute with Python numbers, so every step reads some back; the "
        "adapter itself reads once: whether each lane's gradient is sound."
    ),
    "check_types_and_shapes_stay": (
        "Libraries make their state in the first step, so that a checkpoint after it "
        "is longer than one before; names, types and the lanes first stay."
    ),
}
"""Checks of the contract that no hosted optimizer can pass, and why."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an optimizer needs, and what its rate means.

    Args:
        lr: What the user's rate is to it: the `rate` itself, a `multiplier` of what it
            finds (1: as published), a `cap` above it, or `none`.
        schedule: Whether a schedule is `required`, `optional` or `forbidden`.
        needs_loss: Whether `step` takes the minibatch's loss as `loss`.
        closure: What `step` is called with: nothing (`none`); a function that returns
            the loss as a number (`value`); or one that evaluates loss and gradient at
            the present weights (`with_backward`).
        mode_switch: Whether it has `train()` and `eval()`, and is to be evaluated at
            the weights that `eval()` puts in place.
        averaging: Whether the average of its iterates is evaluated.
        resumable: Whether it can be saved.
        mutates_grad: Whether it writes into gradients; it gets a copy of them.
        draws_random: Whether it may draw random numbers; each lane then has a stream of
            its own, which follows from its initial weights.
        extra_passes: Passes over the minibatch beyond a step's own gradient, in words.
    """

    lr: Literal["rate", "multiplier", "cap", "none"] = "rate"
    schedule: Literal["required", "optional", "forbidden"] = "optional"
    needs_loss: bool = False
    closure: Literal["none", "value", "with_backward"] = "none"
    mode_switch: bool = False
    averaging: bool = False
    resumable: bool = True
    mutates_grad: bool = False
    draws_random: bool = False
    extra_passes: str = "0"

    @property
    def batch_norm_refresh(self) -> bool:
        """Whether running statistics are renewed for the weights it is evaluated at."""
        return self.mode_switch or self.averaging

    @property
    def uses_loss(self) -> bool:
        """Whether a loss that is not finite spoils a step."""
        return self.needs_loss or self.closure != "none"
