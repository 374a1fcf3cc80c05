"""The choice among candidates by their scores, for the whole model or each tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, State, of_tensors

__all__ = ["Selection"]


class Selection:
    """Keeps the index of the chosen candidate, and what it takes to change it.

    The largest score is chosen, of equal ones the first. Scores of the whole model may
    be smoothed, `S <- score_ema S_old + (1 - score_ema) S` from the first scores on.
    With `patience` the choice changes only to a candidate whose raw score led so many
    times in a row. Scores that are all zero, or of which one is not finite, change
    nothing at all; the latter are counted in the state's `rejected`.

    The state has `choice`, `score_j` for candidate `j`, and with patience `challenger`
    and `streak`, all `(..., 1)`; tensor by tensor `choice.i`, `challenger.i` and
    `streak.i`, and no scores.

    Args:
        rule: A rule with the settings `score_ema` and `patience`.
        candidates: Number of them.
        tensor_wise: Whether each tensor has a choice of its own.
    """

    def __init__(self, rule: Rule, candidates: int, tensor_wise: bool) -> None:
        self._candidates = candidates
        self._tensor_wise = tensor_wise
        self._score_ema = rule.number("score_ema")
        self._patience = cast("int", rule.given["patience"])

    def init(self, w: Tensor, tensors: int) -> State:
        """Return the selection's part of the state: the first candidate is chosen."""
        places = range(tensors) if self._tensor_wise else [None]
        kept = ("choice", "challenger", "streak") if self._patience else ("choice",)
        state = {
            name if place is None else f"{name}.{place}": torch.zeros_like(
                w[..., :1], dtype=torch.int64
            )
            for name in kept
            for place in places
        }
        if not self._tensor_wise:
            for j in range(self._candidates):
                state[f"score_{j}"] = torch.full_like(w[..., :1], torch.nan)
        return state

    def choice(self, state: State) -> Tensor:
        """Return the chosen indices, shape `(..., 1)` or `(..., tensors)`."""
        return self._read("choice", state)

    def select(self, scores: Sequence[Tensor], state: State) -> None:
        """Choose anew.

        Args:
            scores: Of each piece of the model, shape `(..., candidates)`.
            state: The rule's state.
        """
        if self._tensor_wise:
            raw = torch.stack(tuple(scores), -2)
        else:
            # One by one: a sum over this dimension would round by the number of lanes.
            raw = sum(scores[1:], scores[0]).unsqueeze(-2)
        finite = torch.isfinite(raw).all(-1)
        counts = finite & (raw != 0).any(-1)
        state["rejected"] += (~finite).any(-1, keepdim=True)
        smooth = raw if self._tensor_wise else self._smooth(raw, counts, state)
        leader = smooth.argmax(-1)
        change = counts
        if self._patience:
            change = counts & self._has_led(leader, raw.argmax(-1), counts, state)
        choice = self._read("choice", state)
        self._write("choice", torch.where(change, leader, choice), state)

    def _smooth(self, raw: Tensor, counts: Tensor, state: State) -> Tensor:
        names = [f"score_{j}" for j in range(self._candidates)]
        old = torch.cat([state[name] for name in names], -1).unsqueeze(-2)
        ema = self._score_ema.unsqueeze(-1)
        new = torch.where(torch.isnan(old), raw, ema * old + (1 - ema) * raw)
        new = torch.where(counts.unsqueeze(-1), new, old)
        for j, name in enumerate(names):
            state[name] = new[..., 0, j : j + 1]
        return new

    def _has_led(
        self, leader: Tensor, raw_leader: Tensor, counts: Tensor, state: State
    ) -> Tensor:
        """Return whether the leader has also led by raw scores for long enough."""
        challenger = self._read("challenger", state)
        streak = self._read("streak", state)
        longer = torch.where(raw_leader == challenger, streak + 1, 1)
        streak = torch.where(counts, longer, streak)
        self._write("challenger", torch.where(counts, raw_leader, challenger), state)
        self._write("streak", streak, state)
        return (leader == raw_leader) & (streak >= self._patience)

    def _read(self, name: str, state: State) -> Tensor:
        if not self._tensor_wise:
            return state[name]
        return torch.cat(of_tensors(state, name), -1)

    def _write(self, name: str, values: Tensor, state: State) -> None:
        if not self._tensor_wise:
            state[name] = values
            return
        for i in range(values.shape[-1]):
            state[f"{name}.{i}"] = values[..., i : i + 1]
