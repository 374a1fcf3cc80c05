"""One lane of a pack as a library's optimizer sees it: parameters with gradients."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hpo_vs_adapt.optim.base import Oracle, State
from hpo_vs_adapt.optim.snapshots import (
    open_snapshot,
    stack_bytes,
    take_snapshot,
    unstack_bytes,
)

__all__ = ["Guest", "Live", "MakeOptimizers", "Point", "rows", "switching"]

MakeOptimizers: TypeAlias = Callable[[list[nn.Parameter]], list[Optimizer]]
"""Returns new optimizers that share the parameters out among them."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a step starts; nothing in it changes before the step is done.

    Args:
        w: The lane's weights, shape `(P,)`.
        g: Gradient of the minibatch there, shape `(P,)`.
        oracle: The lane's minibatch at other weights.
    """

    w: Tensor
    g: Tensor
    oracle: Oracle

    @property
    def loss(self) -> Tensor:
        """Loss of the minibatch there, without dimensions."""
        return self.oracle.loss.detach().reshape(())


class Guest:
    """Optimizers of one lane, on parameters that are views of its own flat vector.

    Weights and gradient are copied in and out: a vector of the lane's own begins at an
    aligned address, whatever its row in the pack (BLAS may round by alignment), and a
    library that changes gradients in place changes nobody else's.

    Args:
        w: Weights, shape `(P,)`.
        shapes: Shapes of the model's tensors.
        make: Builds the optimizers.

    Attributes:
        parameters: One a tensor of the model; each has a gradient, which is zero where
            the loss does not depend on it.
        optimizers: What `make` returned.
    """

    def __init__(
        self, w: Tensor, shapes: Sequence[tuple[int, ...]], make: MakeOptimizers
    ) -> None:
        self._weights = w.detach().clone(memory_format=torch.contiguous_format)
        self._gradient = torch.zeros_like(self._weights)
        self._shapes = tuple(tuple(shape) for shape in shapes)
        self._places = self._views(self._weights)
        self._slopes = self._views(self._gradient)
        self.parameters = [nn.Parameter(place) for place in self._places]
        self.put_gradient(self._gradient)
        self.optimizers = make(self.parameters)

    def put(self, w: Tensor) -> None:
        """Take over weights, shape `(P,)`."""
        self._weights.copy_(w)

    def put_gradient(self, g: Tensor) -> None:
        """Take over a gradient, shape `(P,)`, also where one was taken away."""
        self._gradient.copy_(g)
        for parameter, slope in zip(self.parameters, self._slopes, strict=True):
            if parameter.grad is not slope:
                parameter.grad = slope

    def gather(self) -> Tensor:
        """Return the present weights, also where a parameter was given new memory."""
        for parameter, place in zip(self.parameters, self._places, strict=True):
            if parameter.data_ptr() != place.data_ptr():
                place.copy_(parameter.detach())
                parameter.data = place
        return self._weights

    def closure(self, point: Point) -> Callable[[], Tensor]:
        """Return a closure that evaluates the minibatch at the present weights.

        It leaves the gradient on the parameters and returns the loss, without
        dimensions. Where the step starts it costs nothing; elsewhere the oracle is
        asked, and charges.
        """

        def evaluate() -> Tensor:
            w = self.gather()
            if torch.equal(w, point.w):
                self.put_gradient(point.g)
                return point.loss
            loss, g = point.oracle(w)
            self.put_gradient(g)
            return loss.detach().reshape(())

        return evaluate

    def evaluated(self, w: Tensor) -> Tensor:
        """Return the weights that the optimizers' `eval()` makes of `w`, `(P,)`.

        Their `train()` then brings them back into the mode that they step in; what
        rounding does to the lane's own copy of the weights does not matter.
        """
        self.put(w)
        for optimizer in self.optimizers:
            switching(optimizer).eval()
        shown = self.gather().clone()
        for optimizer in self.optimizers:
            switching(optimizer).train()
        return shown

    def snapshot(self) -> bytes:
        """Return all that is needed to go on on other weights: shapes and optimizers.

        Raises:
            ValueError: If an optimizer holds what cannot be saved.
        """
        shapes = json.dumps(self._shapes).encode()
        return shapes + b"\n" + take_snapshot(self.optimizers, self.parameters)

    @classmethod
    def reopened(cls, w: Tensor, snapshot: bytes, make: MakeOptimizers) -> Guest:
        """Return what `snapshot` was taken of, at weights `w`, shape `(P,)`."""
        shapes, _, optimizers = snapshot.partition(b"\n")
        guest = cls(w, json.loads(shapes), make)
        open_snapshot(optimizers, guest.optimizers, guest.parameters)
        return guest

    def _views(self, flat: Tensor) -> list[Tensor]:
        sizes = [torch.Size(shape).numel() for shape in self._shapes]
        parts = torch.split(flat, sizes)
        return [part.view(s) for part, s in zip(parts, self._shapes, strict=True)]


class Live(State):
    """A state that also holds what is no tensor: the lanes' optimizers.

    In a checkpoint they are `snapshot`, uint8 of shape `(..., bytes)`, and
    `snapshot_bytes`, how many of them count, `(..., 1)`.

    Args:
        tensors: `step`, `(..., 1)`, and what else is kept beside the optimizers.
        guests: One a lane.
    """

    def __init__(self, tensors: State, guests: list[Guest]) -> None:
        super().__init__(tensors)
        self.guests = guests

    def saved(self) -> State:
        """Return all of it as tensors, lanes first.

        Raises:
            ValueError: If an optimizer holds what cannot be saved.
        """
        step = self["step"]
        snapshots, sizes = stack_bytes([guest.snapshot() for guest in self.guests])
        shape = (*step.shape[:-1], snapshots.shape[-1])
        return {
            **self,
            "snapshot": snapshots.reshape(shape).to(step.device),
            "snapshot_bytes": sizes.reshape(step.shape).to(step.device),
        }

    @classmethod
    def opened(
        cls, w: Tensor, saved: State, maker: Callable[[int], MakeOptimizers]
    ) -> Live:
        """Return what `saved` was taken of, at weights `w`, shape `(..., P)`.

        Args:
            w: Weights of the lanes.
            saved: What `saved` returned.
            maker: Returns what builds the optimizers of a lane.
        """
        tensors = dict(saved)
        padded, sizes = tensors.pop("snapshot"), tensors.pop("snapshot_bytes")
        snapshots = unstack_bytes(rows(padded), sizes)
        guests = [
            Guest.reopened(row, snapshots[lane], maker(lane))
            for lane, row in enumerate(rows(w))
        ]
        return cls(tensors, guests)


def rows(tensor: Tensor) -> Tensor:
    """Return a tensor with lanes first, also that of a lane without a pack."""
    return tensor.unsqueeze(0) if tensor.dim() == 1 else tensor


def switching(optimizer: Optimizer) -> Any:
    """Return an optimizer whose declaration says that it has `train` and `eval`."""
    return optimizer
