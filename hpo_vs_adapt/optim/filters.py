"""Momentum filters side by side: one buffer a candidate, all fed the same gradients.

The weights move along one candidate's buffer; the alignment of each buffer with a
gradient says which. Work goes block by block, so that a block's gradient and buffers
come from memory once for all that is done with them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias, cast

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Layout, Rule, State, of_tensors
from hpo_vs_adapt.optim.directions import SGDDirection

__all__ = ["Filters", "cut_pieces", "of_piece"]

# Entries of a lane in a block: few calls, and all its buffers stay in the cache. It
# must not depend on the number of lanes: other blocks, other rounding.
_BLOCK = 1 << 17

_Blocks: TypeAlias = Sequence[tuple[slice, slice]]
"""Where the blocks of a piece lie: in the piece, and in the whole vector."""


class Filters(ABC):
    """Buffers of the candidates, cut into pieces: the model's tensors, or the whole.

    The state has `buffer_j.i` for candidate `j` and piece `i`, `(..., size)`, and
    `power_j`, which is `m_j^t` after `t` steps, `(..., 1)`.

    Args:
        rule: A rule with `DECAY_SETTINGS` and the settings `candidates`, `norm`,
            `exclude_current` and `lr_modulation`; for Adam also `beta2` and `eps`.
        momenta: The candidates that have a buffer.
    """

    coupled = True  # weight decay is part of the gradient (L2), not of the step

    def __init__(self, rule: Rule, momenta: Sequence[float]) -> None:
        self.momenta = momenta
        self._norm = rule.given["norm"]
        self._exclude_current = bool(rule.given["exclude_current"])
        self._decay = SGDDirection(rule)
        first, *_ = cast("tuple[float, ...]", rule.given["candidates"])
        modulated = bool(rule.given["lr_modulation"])
        self._momenta = rule.number("lr").new_tensor(momenta)
        self._factors = self._momenta.new_tensor(
            [self._size(first) / self._size(m) if modulated else 1.0 for m in momenta]
        )

    def init(self, w: Tensor, layout: Layout, pieces: Sequence[int]) -> State:
        """Return the filters' part of the state.

        Args:
            w: Weights, shape `(..., P)`.
            layout: The model's.
            pieces: Sizes of the pieces, which sum to `P`.
        """
        candidates = range(len(self.momenta))
        buffers = {
            f"buffer_{j}.{i}": w.new_zeros((*w.shape[:-1], size))
            for j in candidates
            for i, size in enumerate(pieces)
        }
        # Powers are multiplied up in float64: 1 - 0.999 has 4 digits in float32.
        one = torch.ones_like(w[..., :1], dtype=torch.float64)
        powers = {f"power_{j}": one.clone() for j in candidates}
        return {**self._decay.init(w, layout), **buffers, **powers}

    def gradient(self, w: Tensor, g: Tensor, state: State) -> Tensor:
        """Return the gradient of what is minimised: coupled decay added, in place."""
        return self._decay.gradient(w, g, state) if self.coupled else g

    @abstractmethod
    def refresh(self, g: Tensor, against: Tensor | None, state: State) -> list[Tensor]:
        """Feed a gradient to all buffers and return the candidates' scores.

        Args:
            g: What `gradient` returned, shape `(..., P)`; may be overwritten.
            against: Gradient that the buffers are compared with; None: no scores.
            state: The rule's state.

        Returns:
            For each piece, shape `(..., candidates)`; none without `against`.
        """

    @abstractmethod
    def move(
        self, w: Tensor, g: Tensor, state: State, lr: Tensor, choice: Tensor
    ) -> None:
        """Move the weights, in place, along the buffers of the chosen candidates.

        Args:
            w: Weights, shape `(..., P)`.
            g: As `refresh` left it.
            state: The rule's state.
            lr: Rate before its modulation, shape `(..., 1)`.
            choice: Chosen candidates, shape `(..., pieces)`, or `(..., 1)` for all.
        """

    def momentum(self, choice: Tensor) -> Tensor:
        """Return the momenta of chosen candidates, shape of `choice`."""
        return self._momenta[choice]

    def factor(self, choice: Tensor) -> Tensor:
        """Return by how much modulation multiplies the rate, shape of `choice`."""
        return self._factors[choice]

    @abstractmethod
    def _size(self, momentum: float) -> float:
        """Return the norm of the filter that the weights move along."""

    def _advance(self, state: State) -> None:
        """Count a step in the powers of the momenta."""
        for j, momentum in enumerate(self.momenta):
            state[f"power_{j}"].mul_(momentum)

    def _inverse_norms(self, state: State) -> Tensor:
        """Return one over the norms of the filters `m_j^k`, `(..., candidates)`."""
        squares = [1 - momentum * momentum for momentum in self.momenta]
        shares = self._momenta.new_tensor(squares, dtype=torch.float64)
        if self._norm == "exact":
            # sum_{k < t} m^(2 k) = (1 - m^(2 t)) / (1 - m^2), 1 at the first step
            powers = [state[f"power_{j}"] for j in range(len(squares))]
            shares = shares / (1 - torch.cat(powers, -1).square())
        return shares.sqrt().to(self._momenta.dtype)

    def _chosen(self, choice: Tensor) -> list[Tensor]:
        """Return for each candidate 1 where it is chosen, else 0; shape of `choice`.

        As arithmetic: `torch.where` with a mask `(..., 1)` is four times slower.
        """
        return [(choice == j).to(self._momenta.dtype) for j in range(len(self.momenta))]

    def _buffers(self, state: State, i: int, inner: slice) -> list[Tensor]:
        return [state[f"buffer_{j}.{i}"][..., inner] for j in range(len(self.momenta))]

    def _without_current(self, scores: Sequence[Tensor]) -> list[Tensor]:
        """Return scores of `m_j b_j`, not `b_j`, where buffers were scored unfed."""
        if not self._exclude_current:
            return list(scores)
        return [score * self._momenta for score in scores]

    def _products(self, buffers: Sequence[Tensor], against: Tensor) -> Tensor:
        """Return the inner product of each buffer, shape `(..., candidates)`."""
        if against.dim() == 1:
            return torch.stack([torch.dot(buffer, against) for buffer in buffers])
        # Lanes round alike wherever they stand in a pack: BLAS goes by the address.
        products = [(buffer * against).sum(-1, keepdim=True) for buffer in buffers]
        return torch.cat(products, -1)


def cut_pieces(state: State) -> list[_Blocks]:
    """Return the blocks of each piece."""
    pieces: list[_Blocks] = []
    begin = 0
    for buffer in of_tensors(state, "buffer_0"):
        size = buffer.shape[-1]
        cuts = [*range(0, size, _BLOCK), size]
        pieces.append(
            [
                (slice(low, high), slice(begin + low, begin + high))
                for low, high in pairwise(cuts)
            ]
        )
        begin += size
    return pieces


def of_piece(scalars: Tensor, i: int) -> Tensor:
    """Return the scalar of a piece, `(..., 1)`, from `(..., pieces)` or `(..., 1)`."""
    return scalars if scalars.shape[-1] == 1 else scalars[..., i : i + 1]
