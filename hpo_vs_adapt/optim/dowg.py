"""DoWG: the rate is a distance over gradients weighted by distances."""

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
from hpo_vs_adapt.optim.reductions import distance, norm
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["DoWG"]


class DoWG(Rule):
    """Distance over weighted gradients.

    With `x_0` the weights at the start: `r_t^2 = max(r_(t-1)^2, ||x_t - x_0||^2)`,
    `v_t = v_(t-1) + r_t^2 ||g_t||^2` and `w <- w - lr r_t^2 / (sqrt(v_t) + eps) g_t`
    (Algorithm 1). As in the authors' code `eps` is also the first `r^2`.

    The state has `start`, `(..., P)`, and `r2`, `v`, `lr` (of the last step, without
    the schedule) and `rejected`, all `(..., 1)`.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(
            1.0, "multiplies the rate; 1: as published", low=0, low_open=True
        ),
        "eps": Setting(
            1e-4, "first squared distance, and added to the root", low=0, low_open=True
        ),
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Khaled, Mishchenko, Jin, DoWG unleashed, NeurIPS 2023, arXiv 2305.16284"
    )
    defaults = "the authors' code"
    space: ClassVar[Mapping[str, Range]] = {"eps": Range(1e-8, 0.01)}
    space_from = "ours"
    extra_memory = "1"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base, self._rate = SGDDirection(self), LearntRate(self)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        state = {**self._base.init(w, layout), **self._rate.init()}
        eps = self.number("eps").clone()
        return {**state, "start": w.clone(), "r2": eps, "v": torch.zeros_like(eps)}

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        g = self._base.gradient(w, g, state)
        r2 = torch.maximum(state["r2"], distance(w, state["start"]).square())
        v = state["v"] + r2 * norm(g).square()
        state["r2"], state["v"] = r2, v
        lr = self.number("lr") * r2 / (v.sqrt() + self.number("eps"))
        self._rate.learn(state, lr)
        w.addcmul_(g, -self._rate.now(state))
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        rejected = state["rejected"]
        distance = state["r2"].sqrt()
        return {
            "lr": self._rate.now(state),
            "distance": distance,
            "rejected": rejected,
        }
