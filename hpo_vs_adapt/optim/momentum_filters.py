"""Filters of the bases: heavy balls for SGD, means over a second moment for Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import Layout, Rule, State
from hpo_vs_adapt.optim.filters import Filters, cut_pieces, of_piece

__all__ = ["FILTERS", "AdamFilters", "AdamWFilters", "HeavyBallFilters"]


class HeavyBallFilters(Filters):
    """Heavy balls as `torch.optim.SGD` keeps them: `b_j <- m_j b_j + g`.

    The score is `<g, b_j>` over the norm of the filter.
    """

    @override
    def refresh(self, g: Tensor, against: Tensor | None, state: State) -> list[Tensor]:
        self._advance(state)
        norms = self._inverse_norms(state)
        scores = []
        for i, blocks in enumerate(cut_pieces(state)):
            dots: list[Tensor] = []
            for inner, place in blocks:
                buffers = self._buffers(state, i, inner)
                if against is not None and self._exclude_current:
                    dots.append(self._products(buffers, against[..., place]))
                for buffer, momentum in zip(buffers, self.momenta, strict=True):
                    torch.add(g[..., place], buffer, alpha=momentum, out=buffer)
                if against is not None and not self._exclude_current:
                    dots.append(self._products(buffers, against[..., place]))
            if dots:
                scores.append(sum(dots[1:], dots[0]) * norms)
        return self._without_current(scores)

    @override
    def move(
        self, w: Tensor, g: Tensor, state: State, lr: Tensor, choice: Tensor
    ) -> None:
        rates = [-lr * self.factor(choice) * share for share in self._chosen(choice)]
        for i, blocks in enumerate(cut_pieces(state)):
            own = [of_piece(rate, i) for rate in rates]
            for inner, place in blocks:
                moving = w[..., place]
                buffers = self._buffers(state, i, inner)
                for buffer, rate in zip(buffers, own, strict=True):
                    moving.addcmul_(buffer, rate)

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
        self._advance(state)
        state["beta2_power"].mul_(self._beta2)
        root2 = self._root2(state).to(g.dtype)
        floor = self._eps * root2
        units = self._inverse_norms(state) * self._per_mean(state)
        scores = []
        for i, blocks in enumerate(cut_pieces(state)):
            dots: list[Tensor] = []
            inverses: list[Tensor] = []
            for inner, place in blocks:
                newest, means = g[..., place], self._buffers(state, i, inner)
                square = state["square"][..., place].mul_(self._beta2)
                square.addcmul_(newest, newest, value=1 - self._beta2)
                below = torch.sqrt(square).add_(floor)  # den, times the root of b2
                scaled = None if against is None else against[..., place] / below
                if scaled is not None and self._exclude_current:
                    dots.append(self._products(means, scaled))
                for mean, beta in zip(means, self.momenta, strict=True):
                    mean.lerp_(newest, 1 - beta)
                if scaled is not None and not self._exclude_current:
                    dots.append(self._products(means, scaled))
                if scaled is not None:
                    inverses.append(below.reciprocal().sum(-1, keepdim=True))
                newest.copy_(below)  # for the move
            if dots:
                weight = sum(inverses[1:], inverses[0]) * root2 / blocks[-1][0].stop
                scores.append(sum(dots[1:], dots[0]) * units / weight.sqrt())
        return self._without_current(scores)

    @override
    def move(
        self, w: Tensor, g: Tensor, state: State, lr: Tensor, choice: Tensor
    ) -> None:
        chosen = self._chosen(choice)
        root2 = self._root2(state)
        scales = [
            (root2 / (1 - state[f"power_{j}"])).to(w.dtype) * share
            for j, share in enumerate(chosen)
        ]
        scale = sum(scales[1:], scales[0])
        rate = -lr * self.factor(choice) * scale
        for i, blocks in enumerate(cut_pieces(state)):
            own = [of_piece(share, i) for share in chosen]
            for inner, place in blocks:
                means = self._buffers(state, i, inner)
                u = means[0] * own[0]
                for mean, share in zip(means[1:], own[1:], strict=True):
                    u.addcmul_(mean, share)
                u.div_(g[..., place])
                self._add_decay(w, u, state, of_piece(scale, i), place)
                w[..., place].addcmul_(u, of_piece(rate, i))

    @override
    def _size(self, momentum: float) -> float:
        return math.sqrt((1 - momentum) / (1 + momentum))

    def _add_decay(
        self, w: Tensor, u: Tensor, state: State, scale: Tensor, place: slice
    ) -> None:
        """Add decoupled decay to a block of the step."""

    def _root2(self, state: State) -> Tensor:
        return (1 - state["beta2_power"]).sqrt_()

    def _per_mean(self, state: State) -> Tensor:
        """Return what turns `<g / below, m_j>` into the score's inner product."""
        root2 = self._root2(state)
        if self._norm == "readme_literal":
            candidates = range(len(self.momenta))
            units = [root2 / (1 - state[f"power_{j}"]) for j in candidates]
        else:
            units = [root2 / (1 - beta) for beta in self.momenta]
        return torch.cat(units, -1).to(self._momenta.dtype)


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
