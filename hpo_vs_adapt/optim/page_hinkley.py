"""The Page-Hinkley test: has the mean of a sequence risen?"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, Setting, State

__all__ = ["PAGE_HINKLEY_SETTINGS", "PageHinkley"]

PAGE_HINKLEY_SETTINGS: Mapping[str, Setting] = {
    "threshold": Setting(
        0.1, "rise that is an alarm, as a share of the first loss", low=0, low_open=True
    ),
    "tolerance": Setting(
        0.0, "rise a step that is none, as a share of the first loss", low=0
    ),
    "averaged": Setting(
        False,
        "test the loss averaged over an epoch, not that of the minibatch",
        choices=(False, True),
    ),
}


class PageHinkley:
    """A test for catastrophes in the losses of minibatches (Page, Biometrika, 1954).

    With losses `x_t` in units of the first one and their means `xbar_t` so far,
    `U_t = U_{t-1} + x_t - xbar_t - tolerance`; the alarm is
    `U_t - min_{s <= t} U_s > threshold`, or a loss that is not finite. After an alarm
    the test begins anew, in the same unit. With `averaged`, `x_t` is the mean of all
    losses so far, and from an epoch on their exponential average over one.

    Its part of the state, `(..., 1)`: `ph_unit`, `ph_count`, `ph_loss` (the last
    `x_t`), `ph_mean`, `ph_sum` (`U_t`) and `ph_least`.

    Args:
        rule: A rule with `PAGE_HINKLEY_SETTINGS`.
    """

    def __init__(self, rule: Rule) -> None:
        self._threshold = rule.number("threshold")
        self._tolerance = rule.number("tolerance")
        self._least_share = 1 / max(rule.run.steps_per_epoch, 1)
        if not rule.given["averaged"]:
            self._least_share = 1.0

    def init(self, w: Tensor) -> State:
        """Return the test's part of the state for weights `w`, shape `(..., P)`."""
        zero = torch.zeros_like(w[..., :1], dtype=torch.float64)
        names = ("ph_count", "ph_loss", "ph_mean", "ph_sum", "ph_least")
        state = {name: zero.clone() for name in names}
        return {**state, "ph_unit": torch.full_like(zero, torch.nan)}

    def alarm(self, loss: Tensor, state: State) -> Tensor:
        """Take the next loss and return which lanes have an alarm, `(..., 1)`."""
        loss = loss.double()
        unit = state["ph_unit"]
        unit = torch.where(torch.isfinite(unit), unit, loss.abs())
        count = state["ph_count"] + 1
        share = (1 / count).clamp(min=self._least_share)
        seen = state["ph_loss"] + share * (loss - state["ph_loss"])
        mean = state["ph_mean"] + (seen - state["ph_mean"]) / count
        total = state["ph_sum"] + seen - mean - self._tolerance * unit
        least = total.minimum(state["ph_least"])
        risen = total - least > self._threshold * unit
        alarm = risen | ~torch.isfinite(loss)
        state["ph_unit"] = unit
        after = (count, seen, mean, total, least)
        names = ("ph_count", "ph_loss", "ph_mean", "ph_sum", "ph_least")
        for name, value in zip(names, after, strict=True):
            state[name] = torch.where(alarm, 0.0, value)
        return alarm
