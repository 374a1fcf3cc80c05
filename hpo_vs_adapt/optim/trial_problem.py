"""A small noisy problem to try rules on, and a count of what they read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from hpo_vs_adapt.optim.base import Layout, Oracle, Rule, State
from hpo_vs_adapt.seeds import derive

__all__ = ["LAYOUT", "Problem", "count_scalar_reads", "steps"]

LAYOUT = Layout(
    ("0.weight", "0.bias", "1.weight", "1.bias"), ((5, 3), (5,), (2, 5), (2,))
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Noisy quadratics, one a lane: `sum_i h_i (w_i - 1)^2 / 2`, with noise on `g`.

    Args:
        seeds: One a lane; the lanes' starts and noise follow from them alone.
        dtype: Precision of weights and gradients.
    """

    seeds: tuple[int, ...]
    dtype: torch.dtype = torch.float64

    def start(self) -> Tensor:
        """Return the initial weights, shape `(lanes, P)`."""
        return self._draw("start")

    def gradient(self, w: Tensor, step: int) -> Tensor:
        """Return the gradient of the minibatch of a step, shape of `w`."""
        curvature = torch.linspace(0.5, 3, w.shape[-1], dtype=self.dtype)
        return curvature * (w - 1) + 0.1 * self._draw(step).reshape(w.shape)

    def oracle(self, step: int) -> Oracle:
        """Return the minibatch of a step as a function of the weights."""

        def evaluate(w: Tensor) -> tuple[Tensor, Tensor]:
            g = self.gradient(w, step)
            return (g * g).sum(-1, keepdim=True), g

        return evaluate

    def _draw(self, purpose: int | str) -> Tensor:
        rows = []
        for seed in self.seeds:
            source = torch.Generator().manual_seed(derive(seed, purpose))
            rows.append(torch.randn(sum(LAYOUT.sizes), generator=source))
        return torch.stack(rows).to(self.dtype)


def steps(
    rule: Rule, problem: Problem, w: Tensor, state: State, which: Sequence[int]
) -> tuple[Tensor, State]:
    """Return weights and state after the numbered steps, computed on copies."""
    w, state = w.clone(), {name: tensor.clone() for name, tensor in state.items()}
    for step in which:
        g = problem.gradient(w, step)
        w, state = rule.update(w, g, state, problem.oracle(step))
    return w, state


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of torch
    """Counts the values that the host reads back."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.reads = 0

    @override
    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        self.reads += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def count_scalar_reads(work: Callable[[], object]) -> int:
    """Return how many values `work` reads back from tensors, one device sync each."""
    with _Counter() as counter:
        work()
    return counter.reads
