"""The path scheme of 2017: each layer's rate follows the path of its raw gradients."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import groupby
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
    AdamDirection,
    Direction,
    SGDDirection,
)
from hpo_vs_adapt.optim.page_hinkley import PAGE_HINKLEY_SETTINGS, PageHinkley
from hpo_vs_adapt.optim.rates import LearntRate
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["ALeRA", "AgAdam", "SALeRA"]

_LEAST_NORM = 1e-6  # a gradient below it has no direction

_PATH_SETTINGS: Mapping[str, Setting] = {
    "lr": Setting(1e-3, "rate of the first step", low=0, low_open=True),
    "memory": Setting(
        0.1, "share of the newest gradient in the path", 0, 1, low_open=True
    ),
    "gain": Setting(3e-4, "how fast a layer's rate follows its path; 0: never", low=0),
}


class _PathScheme(Rule):
    """A rate for each layer: the weights and the bias of one module.

    With a layer's gradient `g` of dimension `dim`, `alpha` the `memory` and `C` the
    `gain`, at step `n` from 1:

    - `u = g / ||g||`, or 0 if `||g|| <= 1e-6`; `p <- (1 - alpha) p + alpha u`;
    - `mu_n = alpha / (2 - alpha) (1 - (1 - alpha)^(2 n))`, the mean of `||p||^2` for
      gradients without direction, and `sd = alpha / sqrt(dim)`;
    - `factor <- factor exp(C / sd (||p||^2 - mu_n))`, and the step is taken with the
      new rate, `lr factor` times the base's direction.

    The state has the base's tensors, `path.i`, `(..., dim)`, and `factor.i` for the
    layer that begins with tensor `i` of the model, `forgotten`, which is
    `(1 - alpha)^(2 n)`, and those of `LearntRate`, whose `rejected` counts rates of
    layers that were not finite; all but the paths `(..., 1)`.
    """

    adapts = "rate"
    reference = (
        "Schoenauer-Sebag, Schoenauer, Sebag, Stochastic Gradient Descent: Going As "
        "Fast As Possible But Not Faster, 2017, arXiv 1709.01427"
    )
    defaults = "ours, calibrated on digits"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-6, 1)}
    space_from = "ours"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base = self._make_base()
        self._rate = LearntRate(self)
        self._memory, self._gain = self.number("memory"), self.number("gain")

    @abstractmethod
    def _make_base(self) -> Direction: ...

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        state = {**self._base.init(w, layout), **self._rate.init()}
        for i, size in _layers(layout):
            state[f"path.{i}"] = w.new_zeros((*w.shape[:-1], size))
            state[f"factor.{i}"] = torch.ones_like(w[..., :1])
        # Powers are multiplied up in float64: 1 - 0.999^2 has 4 digits in float32.
        state["forgotten"] = torch.ones_like(w[..., :1], dtype=torch.float64)
        return state

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        g = self._base.gradient(w, g, state)
        self._follow_paths(g, state, torch.ones_like(self._memory))
        self._step(w, g, state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        factors = torch.cat([state[f"factor.{i}"] for i, _ in _places(state)], -1)
        lr = self._rate.now(state)
        return {
            "lr": lr * factors.mean(-1, keepdim=True),
            "lr_smallest": lr * factors.amin(-1, keepdim=True),
            "lr_largest": lr * factors.amax(-1, keepdim=True),
            "rejected": state["rejected"],
        }

    def _follow_paths(self, g: Tensor, state: State, share: Tensor) -> None:
        """Bring paths and factors of all layers up to date.

        Args:
            g: Gradient, shape `(..., P)`.
            state: The rule's state.
            share: 1 for lanes that take the step, 0 for others, shape `(..., 1)`.
        """
        memory = self._memory * share
        kept = (1 - memory.double()).square()
        expected = 1 - state["forgotten"].mul_(kept)
        mu = self._memory / (2 - self._memory) * expected.to(g.dtype)
        for i, place in _places(state):
            path, newest = state[f"path.{i}"], g[..., place]
            norm = torch.linalg.vector_norm(newest, dim=-1, keepdim=True)
            inverse = torch.where(norm > _LEAST_NORM, 1 / norm, 0)
            path.mul_(1 - memory).addcmul_(newest, memory * inverse)
            square = torch.linalg.vector_norm(path, dim=-1, keepdim=True).square_()
            per_sd = self._gain * math.sqrt(path.shape[-1]) / self._memory
            old = state[f"factor.{i}"]
            new = old * torch.exp(share * per_sd * (square - mu))
            finite = torch.isfinite(new * state["lr"])
            state["rejected"] += ~finite
            state[f"factor.{i}"] = torch.where(finite, new, old)

    def _step(self, w: Tensor, g: Tensor, state: State) -> None:
        u, scale = self._base.step(w, g, state)
        lr = -self._rate.now(state) * scale
        for i, place in _places(state):
            w[..., place].addcmul_(u[..., place], lr * state[f"factor.{i}"])
        self._rate.advance(state)


class ALeRA(_PathScheme):
    """SGD with a rate for each layer that follows the path of the layer's gradients."""

    settings: ClassVar[Mapping[str, Setting]] = {
        **_PATH_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    extra_memory = "1"

    @override
    def _make_base(self) -> Direction:
        return SGDDirection(self)


class AgAdam(_PathScheme):
    """Adam with ALeRA's rates: the path is of raw gradients, the step is Adam's.

    This is the inconsistency that CLARA corrects.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        **_PATH_SETTINGS,
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    extra_memory = "3"

    @override
    def _make_base(self) -> Direction:
        return AdamDirection(self)


class SALeRA(_PathScheme):
    """ALeRA that goes back when the loss explodes.

    On an alarm of the Page-Hinkley test on the minibatch's loss the weights return to
    those before the last step, all rates are halved, and no step is taken: paths and
    layers' factors stay.

    The state has also `previous`, `(..., P)`, `alarms` (how many there were) and those
    of `PageHinkley`.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        **_PATH_SETTINGS,
        **PAGE_HINKLEY_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    extra_memory = "2"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._test = PageHinkley(self)

    @override
    def _make_base(self) -> Direction:
        return SGDDirection(self)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        return {
            **super().init(w, layout),
            **self._test.init(w),
            "previous": w.clone(),
            "alarms": torch.zeros_like(w[..., :1]),
        }

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        alarm = self._test.alarm(oracle.loss, state)
        state["alarms"] += alarm
        w.copy_(torch.where(alarm, state["previous"], w))
        state["previous"].copy_(w)
        g = self._base.gradient(w, g, state).masked_fill_(alarm, 0)
        self._rate.learn(state, torch.where(alarm, 0.5, 1.0) * state["lr"])
        self._follow_paths(g, state, (~alarm).to(w.dtype))
        self._step(w, g, state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {**super().observe(state), "alarms": state["alarms"]}


def _layers(layout: Layout) -> Iterator[tuple[int, int]]:
    """Yield each layer's first tensor and size: tensors in a row, of one module."""
    tensors = enumerate(zip(layout.names, layout.sizes, strict=True))
    for _, group in groupby(tensors, key=lambda each: each[1][0].rpartition(".")[0]):
        layer = list(group)
        yield layer[0][0], sum(size for _, (_, size) in layer)


def _places(state: State) -> list[tuple[int, slice]]:
    """Return each layer's first tensor and place, whatever order a checkpoint has."""
    firsts = sorted(int(name[5:]) for name in state if name.startswith("path."))
    places, begin = [], 0
    for i in firsts:
        end = begin + state[f"path.{i}"].shape[-1]
        places.append((i, slice(begin, end)))
        begin = end
    return places
