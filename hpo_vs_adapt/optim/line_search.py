"""SLS: the rate of every step by backtracking on the step's own minibatch."""

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

__all__ = ["SLS"]

_MOST_TRIALS = 100  # a step, as in the authors' code


class SLS(Rule):
    """Stochastic line search with the Armijo condition.

    A step tries the last step's rate, times `growth` an epoch and at most `lr_max`
    (the paper's reset option 2), and multiplies it by `backtrack` until
    `f(w - lr g) <= f(w) - c lr ||g||^2` on the step's minibatch, 100 times at most;
    then `w <- w - lr g`. Every trial is a forward pass, charged to the lanes that
    still search. Whether any does is read back once a trial: the passes to come cannot
    be started before it is known that they are needed.

    The state has `lr` (found last, without the schedule), `trials` (forward passes of
    all steps) and `rejected`, all `(..., 1)`.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1.0, "rate tried first", low=0, low_open=True),
        "lr_max": Setting(10.0, "largest rate tried", low=0, low_open=True),
        "c": Setting(0.1, "share of the linear decrease asked for", 0, 1, True, True),
        "backtrack": Setting(0.9, "factor of a failed trial", 0, 1, True, True),
        "growth": Setting(2.0, "factor of the rate in an epoch", low=1),
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Vaswani, Mishkin, Laradji, Schmidt, Gidel, Lacoste-Julien, Painless "
        "stochastic gradient, NeurIPS 2019"
    )
    defaults = "the authors' code"
    space: ClassVar[Mapping[str, Range]] = {"c": Range(0.05, 0.8)}
    space_from = "ours"
    exemptions: ClassVar[Mapping[str, str]] = {
        "check_nothing_is_read_back": "how many passes a search takes is decided by "
        "their losses, so the host must learn whether a lane still searches"
    }
    extra_gradients = "0; forward passes, 1 to 100"
    extra_memory = "1"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._rate = LearntRate(self)
        self._growth = factor_of_a_step(self.number("growth"), run)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        state = self._rate.init()
        return {**state, "trials": torch.zeros_like(state["lr"])}

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        self._rate.learn(state, self._search(w, g, state, oracle))
        w.addcmul_(g, -self._rate.now(state))
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        scalars = {name: state[name] for name in ("trials", "rejected")}
        return {"lr": self._rate.now(state), **scalars}

    def _search(self, w: Tensor, g: Tensor, state: State, oracle: Oracle) -> Tensor:
        lr = (state["lr"] * self._growth).minimum(self.number("lr_max"))
        square = torch.linalg.vector_norm(g, dim=-1, keepdim=True).square_()
        slope = self.number("c") * square
        searching = torch.isfinite(oracle.loss - slope) & (square > 0)
        for _ in range(_MOST_TRIALS):
            if not bool(searching.any()):
                break
            loss = oracle.forward(torch.addcmul(w, g, -lr), searching)
            state["trials"] += searching
            # NaN meets nothing, and the search goes on.
            searching = searching & ~(loss <= oracle.loss - lr * slope)
            lr = torch.where(searching, lr * self.number("backtrack"), lr)
        return lr
