"""Filters of the bases: heavy balls for SGD, means over a second moment for Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import Layout, Rule, State
from hpo_vs_adapt.optim.filters import Blocks, Filters, inner_products

__all__ = ["FILTERS", "AdamFilters", "AdamWFilters", "HeavyBallFilters"]


class HeavyBallFilters(Filters):
    """Heavy balls as `torch.optim.SGD` keeps them: `b_j <- m_j b_j + g`.

    The score is `<g, b_j>` over the norm of the filter.
    """

    @override
    def _feed(
        self, g: Tensor, against: Tensor | None, state: State, i: int, blocks: Blocks
    ) -> Tensor | None:
        dots: list[Tensor] = []
        for inner, place in blocks:
            buffers = self._buffers(state, i, inner)
            if against is not None and self._exclude_current:
                dots.append(self._old_dots(buffers, against[..., place]))
            for buffer, momentum in zip(buffers, self.momenta, strict=True):
                buffer.mul_(momentum).add_(g[..., place])
            if against is not None and not self._exclude_current:
                dots.append(inner_products(buffers, against[..., place]))
        return sum(dots[1:], dots[0]) if dots else None

    @override
    def _move(
        self,
        w: Tensor,
        g: Tensor,
        state: State,
        lr: Tensor,
        chosen: Sequence[Tensor],
        i: int,
        blocks: Blocks,
    ) -> None:
        rates = [-lr * share for share in chosen]
        for inner, place in blocks:
            for buffer, rate in zip(self._buffers(state, i, inner), rates, strict=True):
                w[..., place].addcmul_(buffer, rate)

    @override
    def _size(self, momentum: float) -> float:
        return 1 / math.sqrt(1 - momentum * momentum)


class AdamFilters(Filters):
    """Adam's means, one a candidate, over one second moment; decay coupled.

    `m_j <- beta_j m_j + (1 - beta_j) g`. With `den = sqrt(v_hat) + eps` and `W` the
    mean of `1 / den` over a piece, the score is `<g, m_j / (1 - beta_j) / den>` over
    `sqrt(W)` and over the norm of the filter `beta_j^k`; read literally
    (`readme_literal`), it has `m_j / (1 - beta_j^t)` in the place of
    `m_j / (1 - beta_j)`.

    The state has also `square`, which is `v`, and `beta2_power`.
    """

    def __init__(self, rule: Rule, momenta: Sequence[float]) -> None:
        super().__init__(rule, momenta)
        self._beta2 = cast("float", rule.given["beta2"])
        self._eps = rule.number("eps")

    @override
    def init(self, w: Tensor, layout: Layout, pieces: Sequence[int]) -> State:
        return {
            **super().init(w, layout, pieces),
            "square": torch.zeros_like(w),
            "beta2_power": torch.ones_like(w[..., :1], dtype=torch.float64),
        }

    @override
    def refresh(self, g: Tensor, against: Tensor | None, state: State) -> list[Tensor]:
        state["beta2_power"].mul_(self._beta2)
        return super().refresh(g, against, state)

    @override
    def _feed(
        self, g: Tensor, against: Tensor | None, state: State, i: int, blocks: Blocks
    ) -> Tensor | None:
        root2 = self._root2(state)
        floor = self._eps * root2.to(g.dtype)
        dots: list[Tensor] = []
        weights: list[Tensor] = []
        for inner, place in blocks:
            newest, means = g[..., place], self._buffers(state, i, inner)
            square = state["square"][..., place].mul_(self._beta2)
            square.addcmul_(newest, newest, value=1 - self._beta2)
            below = torch.sqrt(square).add_(floor)  # den, times the root of b2
            scaled = None if against is None else against[..., place] / below
            if scaled is not None and self._exclude_current:
                dots.append(self._old_dots(means, scaled))
            for mean, beta in zip(means, self.momenta, strict=True):
                mean.lerp_(newest, 1 - beta)
            if scaled is not None:
                if not self._exclude_current:
                    dots.append(inner_products(means, scaled))
                weights.append(below.reciprocal().sum(-1, keepdim=True))
            newest.copy_(below)  # for the move
        if not dots:
            return None
        entries = blocks[-1][0].stop
        weight = sum(weights[1:], weights[0]) * root2.to(g.dtype) / entries
        return sum(dots[1:], dots[0]) * self._unbiased(state) / weight.sqrt()

    @override
    def _move(
        self,
        w: Tensor,
        g: Tensor,
        state: State,
        lr: Tensor,
        chosen: Sequence[Tensor],
        i: int,
        blocks: Blocks,
    ) -> None:
        scales = [
            (self._root2(state) / (1 - state[f"power_{j}"])).to(w.dtype) * share
            for j, share in enumerate(chosen)
        ]
        scale = sum(scales[1:], scales[0])
        for inner, place in blocks:
            means = self._buffers(state, i, inner)
            u = means[0] * chosen[0]
            for mean, share in zip(means[1:], chosen[1:], strict=True):
                u.addcmul_(mean, share)
            u.div_(g[..., place])
            self._add_decay(w, u, state, scale, place)
            w[..., place].addcmul_(u, -lr * scale)

    @override
    def _size(self, momentum: float) -> float:
        return math.sqrt((1 - momentum) / (1 + momentum))

    def _add_decay(
        self, w: Tensor, u: Tensor, state: State, scale: Tensor, place: slice
    ) -> None:
        """Add decoupled decay to a block of the step."""

    def _root2(self, state: State) -> Tensor:
        return (1 - state["beta2_power"]).sqrt_()

    def _unbiased(self, state: State) -> Tensor:
        """Return what turns means into sums, and their scale, `(..., candidates)`."""
        root2 = self._root2(state)
        if self._norm == "readme_literal":
            powers = range(len(self.momenta))
            scales = [root2 / (1 - state[f"power_{j}"]) for j in powers]
        else:
            scales = [root2 / (1 - beta) for beta in self.momenta]
        return torch.cat(scales, -1).to(self._momenta.dtype)


class AdamWFilters(AdamFilters):
    """Adam's filters with decoupled decay, as `torch.optim.AdamW`."""

    coupled = False

    def __init__(self, rule: Rule, momenta: Sequence[float]) -> None:
        super().__init__(rule, momenta)
        self._weight_decay = rule.number("weight_decay")
        self._decays = bool((self._weight_decay != 0).any())

    @override
    def _add_decay(
        self, w: Tensor, u: Tensor, state: State, scale: Tensor, place: slice
    ) -> None:
        if not self._decays:
            return
        decaying = w[..., place]
        if "decay_mask" in state:
            decaying = decaying * state["decay_mask"][..., place]
        u.addcmul_(decaying, self._weight_decay / scale)


FILTERS: Mapping[str, type[Filters]] = {
    "sgd": HeavyBallFilters,
    "adam": AdamFilters,
    "adamw": AdamWFilters,
}
"""The filters of a base, by the word of the setting `base`."""
