"""SPS_max: the stochastic Polyak rate, bounded."""

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
from hpo_vs_adapt.optim.rates import LearntRate, factor_of_a_step
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["SPS"]


class SPS(Rule):
    """Stochastic Polyak rate with a bound.

    `lr_t = min((f(w) - lower_bound) / (c ||g||^2), bound_t)` for the minibatch's loss
    `f`, and `w <- w - lr_t g`. The bound is the last rate times `growth` an epoch (the
    smoothing of the paper's experiments), and at most `lr_max` (the paper's gamma_b,
    alone with `growth: null`). A loss at or below the lower bound takes no step.

    The state has `lr` (of the last step, without the schedule) and `rejected`, both
    `(..., 1)`.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1.0, "rate that the first bound starts from", 0, low_open=True),
        "lr_max": Setting(
            None, "largest rate; null: any", low=0, low_open=True, optional=True
        ),
        "c": Setting(0.5, "divides the rate", low=0, low_open=True),
        "growth": Setting(
            2.0, "factor of the bound in an epoch; null: lr_max alone", 1, optional=True
        ),
        "lower_bound": Setting(0.0, "least loss that a minibatch can have"),
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Loizou, Vaswani, Laradji, Lacoste-Julien, Stochastic Polyak step-size for "
        "SGD, AISTATS 2021"
    )
    defaults = "the authors' code"
    space: ClassVar[Mapping[str, Range]] = {"c": Range(0.1, 2)}
    space_from = "ours"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._rate = LearntRate(self)
        growth, most = settings["growth"], settings["lr_max"]
        unbounded = torch.full_like(self.number("c"), torch.inf)
        self._most = most if isinstance(most, Tensor) else unbounded
        self._growth = unbounded
        if isinstance(growth, Tensor):
            self._growth = factor_of_a_step(growth, run)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        return self._rate.init()

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        square = torch.linalg.vector_norm(g, dim=-1, keepdim=True).square_()
        gap = oracle.loss - self.number("lower_bound")
        bound = (state["lr"] * self._growth).minimum(self._most)
        moves = (gap > 0) & (square > 0)
        # Without a gradient the rate stays: a rate of 0 would be every later bound.
        polyak = (gap / (self.number("c") * square)).minimum(bound)
        self._rate.learn(state, torch.where(moves, polyak, state["lr"]))
        w.addcmul_(g, -self._rate.now(state) * moves)
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {"lr": self._rate.now(state), "rejected": state["rejected"]}
