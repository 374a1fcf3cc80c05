"""Rates that a rule learns, on top of a schedule: `lr = schedule(t) * learnt`."""

from __future__ import annotations

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, Run, State
from hpo_vs_adapt.optim.schedules import Schedule

__all__ = ["LearntRate", "factor_of_a_step"]


class LearntRate:
    """The rate of a rule that adapts it: what was learnt, times a schedule.

    The schedule multiplies the rate and never erases what was learnt. It is the rule's
    own (`SCHEDULE_SETTINGS`), or, where the state has a tensor `schedule`, that factor:
    so an optimizer in somebody's own loop hands on what torch's schedulers write.

    Its part of the state: `lr` (what was learnt), `rejected` (how often that was not
    finite and the old one was kept) and `step` (steps taken); all `(..., 1)`.

    Args:
        rule: A rule with the setting `lr` and `SCHEDULE_SETTINGS`.
    """

    def __init__(self, rule: Rule) -> None:
        self._initial = rule.number("lr")
        self._schedule = Schedule(rule)

    def init(self) -> State:
        """Return the rate's part of the state."""
        lr = self._initial.clone()
        return {
            "lr": lr,
            "rejected": torch.zeros_like(lr),
            "step": torch.zeros_like(lr, dtype=torch.int64),
        }

    def factor(self, state: State) -> Tensor:
        """Return what the schedule makes of the coming step's rate, `(..., 1)`."""
        if "schedule" in state:
            return state["schedule"]
        if self._schedule.constant:
            return torch.ones_like(self._initial)
        return self._schedule.factor(state["step"])

    def now(self, state: State) -> Tensor:
        """Return the rate of the coming step, shape `(..., 1)`."""
        return state["lr"] * self.factor(state)

    def learn(self, state: State, lr: Tensor) -> Tensor:
        """Take a newly learnt rate for the steps to come, unless it is not finite.

        Returns:
            Whether it was taken, true or false, shape `(..., 1)`.
        """
        finite = torch.isfinite(lr)
        state["rejected"] += ~finite
        state["lr"] = torch.where(finite, lr, state["lr"])
        return finite

    def advance(self, state: State) -> None:
        """Count a step; call it once in each, after `now`."""
        state["step"] += 1


def factor_of_a_step(growth: Tensor, run: Run) -> Tensor:
    """Return by how much a step multiplies what grows by `growth` in an epoch."""
    # exp(log()) in float64: float32's pow depends on the number of lanes.
    logarithm = growth.double().log() / max(run.steps_per_epoch, 1)
    return logarithm.exp().to(growth.dtype)
