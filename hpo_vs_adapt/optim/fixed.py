"""The rules that adapt nothing: SGD, Adam and AdamW, with a schedule if asked for."""

from __future__ import annotations

from abc import abstractmethod
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
from hpo_vs_adapt.optim.directions import (
    ADAM_SETTINGS,
    DECAY_SETTINGS,
    MOMENTUM_SETTINGS,
    AdamDirection,
    AdamWDirection,
    Direction,
    SGDDirection,
)
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS, Schedule

__all__ = ["SGD", "Adam", "AdamW"]

_LR = {"lr": Setting(1e-3, "rate", low=0, low_open=True)}


class _Fixed(Rule):
    """A base direction at a scheduled rate: `w <- w - lr factor(t) u`."""

    adapts = "nothing"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._lr = self.number("lr")
        self._direction = self._make_direction()
        self._schedule = Schedule(self)

    @abstractmethod
    def _make_direction(self) -> Direction: ...

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        step = w.new_zeros((*w.shape[:-1], 1), dtype=torch.int64)
        return {**self._direction.init(w, layout), "step": step}

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        lr = self._scheduled(state)
        g = self._direction.gradient(w, g, state)
        u, scale = self._direction.step(w, g, state)
        state["step"] += 1
        return w.addcmul_(u, -lr * scale), state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {"lr": self._scheduled(state), **self._direction.observe(state)}

    def _scheduled(self, state: State) -> Tensor:
        if self._schedule.constant:
            return self._lr
        return self._lr * self._schedule.factor(state["step"])


class SGD(_Fixed):
    """Stochastic gradient descent, as `torch.optim.SGD`."""

    settings: ClassVar[Mapping[str, Setting]] = {
        **_LR,
        **MOMENTUM_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    reference = "Robbins & Monro, A stochastic approximation method, 1951"
    defaults = "library (torch)"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-4, 1)}
    space_from = "ours"
    extra_memory = "0, 1 with momentum"

    @override
    def _make_direction(self) -> Direction:
        return SGDDirection(self)


class Adam(_Fixed):
    """Adam with coupled (L2) weight decay, as `torch.optim.Adam`."""

    settings: ClassVar[Mapping[str, Setting]] = {
        **_LR,
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    reference = "Kingma & Ba, Adam, ICLR 2015"
    defaults = "paper"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-5, 0.1)}
    space_from = "ours"
    extra_memory = "2"

    @override
    def _make_direction(self) -> Direction:
        return AdamDirection(self)


class AdamW(_Fixed):
    """Adam with decoupled weight decay, as `torch.optim.AdamW`."""

    settings: ClassVar[Mapping[str, Setting]] = {
        **_LR,
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
        "weight_decay": Setting(1e-2, "decoupled weight decay, times the rate", low=0),
        **SCHEDULE_SETTINGS,
    }
    reference = "Loshchilov & Hutter, Decoupled weight decay, ICLR 2019"
    defaults = "library (torch)"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-5, 0.1)}
    space_from = "ours"
    extra_memory = "2"

    @override
    def _make_direction(self) -> Direction:
        return AdamWDirection(self)
