"""The minibatch of a step, to be evaluated again at other weights, and charged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.engines.packs.meter import Meter
from hpo_vs_adapt.engines.packs.vectorised import Buffers, VectorisedModel
from hpo_vs_adapt.optim.base import Oracle
from hpo_vs_adapt.records.ledger import Purpose

__all__ = ["Minibatch"]

Samples = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Minibatch(Oracle):
    """What a rule may ask of a step's minibatch, for all lanes of a pack.

    Args:
        model: Model of the workload.
        buffers: The lanes' buffers; only copies of them change.
        x: Inputs, shape `(lanes, b, ...)`.
        y: Targets, shape `(lanes, b, ...)`.
        noise: Seed of the dropout masks, those of the step's own gradient.
        own_loss: Loss of the step's own gradient, shape `(lanes, 1)`.
        meter: What is charged.
        draw_held_out: Returns inputs and targets of samples that training does not see.
    """

    model: VectorisedModel
    buffers: Buffers
    x: Tensor
    y: Tensor
    noise: int | None
    own_loss: Tensor
    meter: Meter
    draw_held_out: Callable[[], Samples]

    @property
    @override
    def loss(self) -> Tensor:
        return self.own_loss

    @override
    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:
        self.meter.charge(Purpose.SECOND_GRADIENT, self.x.shape[1])
        return self._gradient(w, (self.x, self.y))

    @override
    def forward(self, w: Tensor, wanted: Tensor | None = None) -> Tensor:
        self.meter.charge(Purpose.LINE_SEARCH, self.x.shape[1], wanted)
        return self.model.losses(w, self._copied(), self.x, self.y, self.noise)

    @override
    def held_out(self, w: Tensor) -> tuple[Tensor, Tensor]:
        samples = self.draw_held_out()
        self.meter.charge(Purpose.HELD_OUT, samples[0].shape[1])
        return self._gradient(w, samples)

    @override
    def lane(self, row: int) -> Oracle:
        return _Lane(self, row)

    def gradient_of(self, row: int, w: Tensor, samples: Samples) -> Samples:
        """Return loss `(1,)` and gradient `(P,)` of one lane's samples at `w`."""
        twice = torch.tensor([row, row], device=w.device)
        x, y = (part.index_select(0, twice) for part in samples)
        loss, g = self.model.gradient(
            w.expand(2, -1), self._copied(twice), x, y, self.noise
        )
        return loss[0], g[0]

    def loss_of(self, row: int, w: Tensor) -> Tensor:
        """Return the loss `(1,)` of one lane's minibatch at `w`, shape `(P,)`."""
        twice = torch.tensor([row, row], device=w.device)
        x, y = (part.index_select(0, twice) for part in (self.x, self.y))
        both = self.model.losses(w.expand(2, -1), self._copied(twice), x, y, self.noise)
        return both[0]

    def _gradient(self, w: Tensor, samples: Samples) -> tuple[Tensor, Tensor]:
        return self.model.gradient(w, self._copied(), *samples, self.noise)

    def _copied(self, rows: Tensor | None = None) -> Buffers:
        if rows is None:
            return {name: tensor.clone() for name, tensor in self.buffers.items()}
        return {n: tensor.index_select(0, rows) for n, tensor in self.buffers.items()}


class _Lane(Oracle):
    """The same for one lane, computed twice over: see `_LEAST_ROWS` in `train`."""

    def __init__(self, pack: Minibatch, row: int) -> None:
        self._pack, self._row = pack, row

    @property
    @override
    def loss(self) -> Tensor:
        return self._pack.own_loss[self._row]

    @override
    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:
        pack = self._pack
        pack.meter.charge(Purpose.SECOND_GRADIENT, pack.x.shape[1], self._row)
        return pack.gradient_of(self._row, w, (pack.x, pack.y))

    @override
    def forward(self, w: Tensor, wanted: Tensor | None = None) -> Tensor:
        pack = self._pack
        charged: Tensor | int = self._row
        if wanted is not None:
            charged = wanted.new_zeros(len(pack.x))
            charged[self._row] = wanted.reshape(())
        pack.meter.charge(Purpose.LINE_SEARCH, pack.x.shape[1], charged)
        return pack.loss_of(self._row, w)

    @override
    def held_out(self, w: Tensor) -> tuple[Tensor, Tensor]:
        samples = self._pack.draw_held_out()
        self._pack.meter.charge(Purpose.HELD_OUT, samples[0].shape[1], self._row)
        return self._pack.gradient_of(self._row, w, samples)

    @override
    def lane(self, row: int) -> Oracle:
        return self
