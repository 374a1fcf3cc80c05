"""Windows: sums of the directions of the last steps, and of those before them."""

from __future__ import annotations

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import State
from hpo_vs_adapt.optim.reductions import dot, norm

__all__ = ["Windows"]


class Windows:
    """The directions applied in the last `K` steps and in the `K` before, summed.

    They stand for the displacements of the weights divided by the rate, which drown in
    rounding where rates are small. Under a schedule the displacement is divided by the
    window's mean rate: `u = sum_t f_t u_t / mean_t f_t` with the schedule's factors `f`
    (Retsinas, Sfikas, Filntisis, Maragos, ICASSP 2023, have constant rates).

    Its part of the state: `window` (the sum so far) and `previous` (the last full one),
    `(..., P)`, and the sums of their factors, `window_factors` and `previous_factors`,
    `(..., 1)`.

    Args:
        every: `K`, whole numbers, shape `(..., 1)`.
    """

    def __init__(self, every: Tensor) -> None:
        self.every = every

    def init(self, w: Tensor) -> State:
        """Return two empty windows."""
        state = {}
        for name in ("window", "previous"):
            state[name] = torch.zeros_like(w)
            state[f"{name}_factors"] = torch.zeros_like(w[..., :1])
        return state

    def add(self, u: Tensor, scale: Tensor, factor: Tensor, state: State) -> None:
        """Add a step `factor * scale * u` to the window.

        Args:
            u: Direction, shape `(..., P)`.
            scale: Its length's factor, `(..., 1)`.
            factor: What the schedule made of the step, `(..., 1)`; 0 leaves it out.
            state: The rule's state.
        """
        state["window"].addcmul_(u, scale * factor)
        state["window_factors"] += factor

    def product(self, state: State) -> Tensor:
        """Return `<u_old, u_new>`, `(..., 1)`; 0 as long as there is no `u_old`."""
        product = dot(state["previous"], state["window"])
        return product * (
            self._inverse_mean("previous", state) * self._inverse_mean("window", state)
        )

    def old_length(self, state: State) -> Tensor:
        """Return `||u_old||`, `(..., 1)`; 0 as long as there is no `u_old`."""
        return norm(state["previous"]) * self._inverse_mean("previous", state)

    def new_length(self, state: State) -> Tensor:
        """Return `||u_new||`, `(..., 1)`."""
        return norm(state["window"]) * self._inverse_mean("window", state)

    def slide(self, due: Tensor, state: State) -> None:
        """Begin a new window in the lanes where it is due, shape `(..., 1)`."""
        # As arithmetic: `torch.where` with a mask `(..., 1)` is four times slower.
        taken = due.to(state["window"].dtype)
        for ending in ("", "_factors"):
            window = state["window" + ending]
            state["previous" + ending].lerp_(window, taken)
            window.mul_(1 - taken)

    def _inverse_mean(self, name: str, state: State) -> Tensor:
        """Return 1 over a window's mean factor; 1 where nothing was added."""
        total = state[f"{name}_factors"]
        return torch.where(total > 0, self.every / total, 1.0)
