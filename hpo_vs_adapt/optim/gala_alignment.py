"""What GALA compares the gradient with, and the length of the step that it judges."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import Rule, State
from hpo_vs_adapt.optim.bases import LastDirection
from hpo_vs_adapt.optim.reductions import (
    add_up,
    blocks,
    combine_norms,
    compare,
    distance,
    norm,
)

__all__ = ["Alignment", "alignment_of"]


class Alignment(ABC):
    """The terms `a_n` and `q_n` of GALA's quadratics.

    In each step `measure` is called before the base's step and `renew` after it.

    Args:
        rule: A rule with the settings `base` and those of the bases.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    @abstractmethod
    def init(self, w: Tensor, base: State) -> State:
        """Return the alignment's part of the state, beside that of the base."""

    @abstractmethod
    def measure(
        self, g: Tensor, h: Tensor, state: State
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a_n` and `q_n` of the last step and `||g - h||`, shape `(..., 1)`.

        Args:
            g: Gradient at the weights, shape `(..., P)`.
            h: Gradient of the same minibatch at the weights before.
            state: The rule's state.
        """

    @abstractmethod
    def renew(self, u: Tensor, state: State) -> None:
        """Take note of the coming step, whose direction is `u` but for its scale."""

    @abstractmethod
    def coming(self, state: State) -> Tensor:
        """Return `q` of the coming step, shape `(..., 1)`."""


class _SameBatch(Alignment):
    """`a_n = <g, h>`, `q_n = ||g_{n-1}||^2`: the form of SGD, raw gradients."""

    @override
    def init(self, w: Tensor, base: State) -> State:
        return {"squared_length": torch.zeros_like(w[..., :1])}

    @override
    def measure(
        self, g: Tensor, h: Tensor, state: State
    ) -> tuple[Tensor, Tensor, Tensor]:
        squared = state["squared_length"]
        a, changed, length = compare(g, h)
        state["squared_length"] = length.square_()
        return a, squared, changed

    @override
    def renew(self, u: Tensor, state: State) -> None:
        pass

    @override
    def coming(self, state: State) -> Tensor:
        return state["squared_length"]


class _PreconditionedBatch(Alignment):
    """`a_n = <g, P h>`, `q_n = ||P g_{n-1}||^2`, `P` Adam's of the last step."""

    @override
    def init(self, w: Tensor, base: State) -> State:
        squared = torch.zeros_like(w[..., :1])
        return {"squared_length": squared, "gradient": torch.zeros_like(w)}

    @override
    def measure(
        self, g: Tensor, h: Tensor, state: State
    ) -> tuple[Tensor, Tensor, Tensor]:
        state["gradient"].copy_(g)
        products = [
            (g[..., place] * h[..., place] / self._below(place, state)).sum(
                -1, keepdim=True
            )
            for place in blocks(g)
        ]
        return add_up(products), state["squared_length"], distance(g, h)

    @override
    def renew(self, u: Tensor, state: State) -> None:
        g = state["gradient"]
        parts = [norm(g[..., place] / self._below(place, state)) for place in blocks(g)]
        state["squared_length"] = combine_norms(parts).square_()

    @override
    def coming(self, state: State) -> Tensor:
        return state["squared_length"]

    def _below(self, place: slice, state: State) -> Tensor:
        """Return a block of `sqrt(vhat) + eps`; before the first step `vhat` is 0."""
        correction = 1 - state["beta2_power"]
        correction = torch.where(correction > 0, correction, 1.0).sqrt_()
        root = torch.sqrt(state["square"][..., place])
        return root.div_(correction.to(root.dtype)).add_(self._rule.number("eps"))


class _Direction(Alignment):
    """`a_n = <g, u_{n-1}>`, `q_n = ||u_{n-1}||^2`, `u` the base's directions."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._last = LastDirection(rule)

    @override
    def init(self, w: Tensor, base: State) -> State:
        return self._last.init(w, base)

    @override
    def measure(
        self, g: Tensor, h: Tensor, state: State
    ) -> tuple[Tensor, Tensor, Tensor]:
        a, length = self._last.compare(g, state)
        return a, length.square(), distance(g, h)

    @override
    def renew(self, u: Tensor, state: State) -> None:
        self._last.keep(u, state)

    @override
    def coming(self, state: State) -> Tensor:
        return self._last.length(state).square()


def alignment_of(rule: Rule) -> Alignment:
    """Return the alignment that the settings `align` and `base` name."""
    adam = rule.given["base"] != "sgd"
    align = rule.given["align"] or ("direction" if adam else "same_batch")
    if align == "direction":
        return _Direction(rule)
    return _PreconditionedBatch(rule) if adam else _SameBatch(rule)
