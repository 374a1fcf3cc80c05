"""Schedules: by how much the rate is multiplied at each step of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, Setting

__all__ = ["SCHEDULE_SETTINGS", "Schedule"]

SCHEDULE_SETTINGS: Mapping[str, Setting] = {
    "schedule": Setting(
        "constant",
        "cosine: to 0 at the run's end; multistep: x0.1 at 50 % and at 75 % of it",
        choices=("constant", "cosine", "multistep"),
    ),
    "warmup": Setting(
        0.0,
        "share of the run in which the rate climbs linearly from 0; 0: none",
        low=0,
        high=1,
        high_open=True,
    ),
}


class Schedule:
    """The factor of the rate as a function of the step, for each lane.

    With warm-up over the first `W` steps of `T`, step `t` (from 0) has the factor
    `min(1, (t + 1) / W)` times that of the schedule:

    - constant: 1;
    - cosine: `(1 + cos(pi s)) / 2` with `s = (t - W) / (T - W)` clipped to [0, 1]
      (Loshchilov & Hutter, SGDR, ICLR 2017, one cycle to 0);
    - multistep: 1, then 0.1 from `T / 2` on, then 0.01 from `3 T / 4` on.

    Args:
        rule: A rule with `SCHEDULE_SETTINGS`.
    """

    def __init__(self, rule: Rule) -> None:
        self._kind = rule.given["schedule"]
        self._steps = max(rule.run.steps, 1)
        self._warmup = rule.number("warmup") * self._steps
        self._warms = bool((self._warmup > 0).any())
        self.constant = self._kind == "constant" and not self._warms

    def factor(self, step: Tensor) -> Tensor:
        """Return the factor of the rate.

        Args:
            step: Steps taken before, shape `(..., 1)`, whole numbers.
        """
        t = step.to(self._warmup.dtype)
        factor = torch.ones_like(t)
        if self._kind == "cosine":
            share = (t - self._warmup) / (self._steps - self._warmup)
            factor = 0.5 * (1 + torch.cos(math.pi * share.clamp(0, 1)))
        elif self._kind == "multistep":
            factor = torch.where(2 * t >= self._steps, 0.1, factor)
            factor = torch.where(4 * t >= 3 * self._steps, 0.01, factor)
        if self._warms:
            # Lanes without warm-up have W = 0, and (t + 1) / 1 is never below 1.
            factor = factor * ((t + 1) / self._warmup.clamp(min=1)).clamp(max=1)
        return factor
