"""A count of steps that the host knows without asking the device."""

from __future__ import annotations

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import State

__all__ = ["Clock"]


class Clock:
    """A count that lanes of a pack share, since they take the same steps.

    In a state it is the length of an empty tensor, `(..., count, 0)`, which the host
    reads without waiting; in a checkpoint a number of each lane, `(..., 1)`.

    Args:
        name: Of the tensor.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def set(self, state: State, w: Tensor, count: int) -> None:
        """Set the count; the lanes are those of the weights `w`, `(..., P)`."""
        state[self._name] = w.new_empty((*w.shape[:-1], count, 0))

    def read(self, state: State) -> int:
        """Return the count."""
        return state[self._name].shape[-2]

    def save(self, state: State) -> State:
        """Return the state with the count as a number of each lane.

        A state that was saved is returned as it is.
        """
        empty = state[self._name]
        if empty.numel():
            return state
        shape = (*empty.shape[:-2], 1)
        count = torch.full(shape, self.read(state), device=empty.device)
        return {**state, self._name: count}

    def resume(self, w: Tensor, saved: State) -> State:
        """Return what `save` was given."""
        state = dict(saved)
        self.set(state, w, int(saved[self._name].flatten()[0]))
        return state
