"""Rates that a rule learns, on top of a schedule: `lr = schedule(t) * learnt`."""

from __future__ import annotations

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, State
from hpo_vs_adapt.optim.schedules import Schedule

__all__ = ["LearntRate"]


class LearntRate:
    """The rate of a rule that adapts it: what was learnt, times a schedule.

    The schedule multiplies the rate and never erases what was learnt. It is the rule's
    own (`SCHEDULE_SETTINGS`), or, where the state has a tensor `schedule`, that factor:
    so an optimizer in somebody's own loop hands on what torch's schedulers write.

    Its part of the state: `lr` (what was learnt), `rejected` (how often that was not
    finite and the old one was kept) and, with a schedule, `step`; all `(..., 1)`.

    Args:
        rule: A rule with the setting `lr` and `SCHEDULE_SETTINGS`.
    """

    def __init__(self, rule: Rule) -> None:
        self._initial = rule.number("lr")
        self._schedule = Schedule(rule)

    def init(self) -> State:
        """Return the rate's part of the state."""
        lr = self._initial.clone()
        state = {"lr": lr, "rejected": torch.zeros_like(lr)}
        if not self._schedule.constant:
            state["step"] = torch.zeros_like(lr, dtype=torch.int64)
        return state

    def now(self, state: State) -> Tensor:
        """Return the rate of the coming step, shape `(..., 1)`."""
        if "schedule" in state:
            return state["lr"] * state["schedule"]
        if self._schedule.constant:
            return state["lr"]
        return state["lr"] * self._schedule.factor(state["step"])

    def learn(self, state: State, lr: Tensor) -> None:
        """Take a newly learnt rate for the steps to come, unless it is not finite."""
        finite = torch.isfinite(lr)
        state["rejected"] += ~finite
        state["lr"] = torch.where(finite, lr, state["lr"])

    def advance(self, state: State) -> None:
        """Count a step; call it once in each, after `now`."""
        if not self._schedule.constant:
            state["step"] += 1
