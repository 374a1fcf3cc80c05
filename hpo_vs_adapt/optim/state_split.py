"""What in a rule's state belongs to which parameter of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Layout, Rule, State
from hpo_vs_adapt.optim.parameter_vector import ParameterVector

__all__ = ["MASTER", "Kept", "StateSplit"]

Kept = dict[Tensor, dict[str, Tensor]]
"""State by parameter, in the parameter's shape: what is in no vector."""

MASTER = "master"
"""Name of the master of a parameter of low precision."""

_SIZES = (64, 128)
_SAMPLE = Layout(("0", "1"), tuple((size,) for size in _SIZES))


@dataclass(frozen=True, slots=True)
class StateSplit:
    """Which tensors of a state, as `Rule.save` has it, are cut by parameter, and how.

    Args:
        whole: Names of those as long as the weights, `(P,)`.
        stems: Names, without their `.i`, of those that tensor `i` of the model has.
    """

    whole: frozenset[str]
    stems: frozenset[str]

    @classmethod
    def of(cls, rule: Rule) -> tuple[Self, State]:
        """Return the split of a rule's states and a state to look at, in float64."""
        size = sum(_SIZES)
        state = rule.init(torch.zeros(size, dtype=torch.float64), _SAMPLE)
        whole, stems = set(), set()
        for name, tensor in rule.save(state).items():
            stem, _, i = name.rpartition(".")
            if i in ("0", "1") and tensor.shape[-1] in (1, _SIZES[int(i)]):
                stems.add(stem)
            elif tensor.shape[-1] == size:
                whole.add(name)
        return cls(frozenset(whole), frozenset(stems)), state

    def scalars(self, state: State) -> State:
        """Return what belongs to no parameter; the schedule is not the rule's own."""
        return {
            name: tensor
            for name, tensor in state.items()
            if name not in self.whole
            and name.rpartition(".")[0] not in self.stems
            and name != "schedule"
        }

    def by_parameter(self, vector: ParameterVector, state: State) -> Kept:
        """Return copies of what a state has of each parameter."""
        kept: Kept = {p: {} for p in vector.params}
        for p, name, piece in self._pieces(vector, state):
            kept[p][name] = piece.clone(memory_format=torch.contiguous_format)
        for p, master in vector.masters():
            kept[p][MASTER] = master.clone(memory_format=torch.contiguous_format)
        return kept

    def restore(
        self,
        kept: Sequence[Mapping[str, Tensor]],
        vector: ParameterVector,
        state: State,
    ) -> None:
        """Write what `by_parameter` returned for the vector's parameters, in order."""
        parts = dict(zip(vector.params, kept, strict=True))
        for p, name, piece in self._pieces(vector, state):
            if name in parts[p]:
                piece.copy_(parts[p][name])

    def _pieces(
        self, vector: ParameterVector, state: State
    ) -> Iterator[tuple[Tensor, str, Tensor]]:
        for name in self.whole:
            for i, piece in enumerate(vector.pieces(state[name])):
                yield vector.params[i], name, piece
        for stem in self.stems:
            for i, p in enumerate(vector.params):
                yield p, stem, vector.piece(i, state[f"{stem}.{i}"])
