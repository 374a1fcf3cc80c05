"""AdaGrad-Norm: one rate for all weights, over the root of the gradients' squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import (
    Layout,
    Oracle,
    Range,
    Rule,
    Run,
    Setting,
    Stacked,
    State,
)
from hpo_vs_adapt.optim.directions import DECAY_SETTINGS, SGDDirection
from hpo_vs_adapt.optim.rates import LearntRate
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["AdaGradNorm"]


class AdaGradNorm(Rule):
    """AdaGrad with a single rate.

    `b_(t+1)^2 = b_t^2 + ||g_t||^2` and `w <- w - lr / b_(t+1) g_t` (Algorithm 1, whose
    eta is `lr`).

    The state has `b2` (the square of `b`), `lr` (the setting over `b`, without the
    schedule) and `rejected`, all `(..., 1)`.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1.0, "rate where b is 1", low=0, low_open=True),
        "b0": Setting(0.1, "b before the first step", low=0, low_open=True),
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Ward, Wu, Bottou, AdaGrad stepsizes: sharp convergence over nonconvex "
        "landscapes, ICML 2019"
    )
    defaults = "ours"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.01, 10)}
    space_from = "ours"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base, self._rate = SGDDirection(self), LearntRate(self)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        state = {**self._base.init(w, layout), **self._rate.init()}
        b0 = self.number("b0")
        return {**state, "b2": b0.square(), "lr": state["lr"] / b0}

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        g = self._base.gradient(w, g, state)
        norm = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
        b2 = state["b2"].addcmul_(norm, norm)
        self._rate.learn(state, self.number("lr") / b2.sqrt())
        w.addcmul_(g, -self._rate.now(state))
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {"lr": self._rate.now(state), "rejected": state["rejected"]}
