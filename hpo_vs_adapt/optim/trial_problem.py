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

__all__ = [
    "LAYOUT",
    "Problem",
    "ProblemOracle",
    "ZeroOracle",
    "copied",
    "count_scalar_reads",
    "steps",
]

_HELD_OUT = 10_000  # numbers of steps whose minibatches training does not see

LAYOUT = Layout(
    ("0.weight", "0.bias", "1.weight", "1.bias"), ((5, 3), (5,), (2, 5), (2,))
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Noisy quadratics, one a lane: `sum_i h_i (w_i - 1 + n_i / h_i)^2 / 2`.

    Every step has noise `n` of its own, which shifts the gradient `h_i (w_i - 1)`.

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
        return self._curvature(w) * (w - 1) + self._noise(w, step)

    def loss(self, w: Tensor, step: int) -> Tensor:
        """Return the loss of the minibatch of a step, `(..., 1)`; its least is 0."""
        g = self.gradient(w, step)
        return (g * g / self._curvature(w)).sum(-1, keepdim=True) / 2

    def oracle(self, w: Tensor, step: int) -> ProblemOracle:
        """Return the minibatch of a step whose own gradient was taken at `w`."""
        return ProblemOracle(self, step, self.loss(w, step))

    def lane(self, row: int) -> Problem:
        """Return the problem of one lane."""
        return Problem((self.seeds[row],), self.dtype)

    def _curvature(self, w: Tensor) -> Tensor:
        return torch.linspace(0.5, 3, w.shape[-1], dtype=self.dtype)

    def _noise(self, w: Tensor, step: int) -> Tensor:
        return 0.1 * self._draw(step).reshape(w.shape)

    def _draw(self, purpose: int | str) -> Tensor:
        rows = []
        for seed in self.seeds:
            source = torch.Generator().manual_seed(derive(seed, purpose))
            rows.append(torch.randn(sum(LAYOUT.sizes), generator=source))
        return torch.stack(rows).to(self.dtype)


class ProblemOracle(Oracle):
    """A minibatch of the problem, to be evaluated again.

    Args:
        problem: Whose minibatch it is.
        step: Its number.
        loss: Of the step's own gradient, shape `(..., 1)`.
    """

    def __init__(self, problem: Problem, step: int, loss: Tensor) -> None:
        self._problem, self._step, self._loss = problem, step, loss

    @property
    @override
    def loss(self) -> Tensor:
        return self._loss

    @override
    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:
        problem, step = self._problem, self._step
        return problem.loss(w, step), problem.gradient(w, step)

    @override
    def forward(self, w: Tensor, wanted: Tensor | None = None) -> Tensor:
        return self._problem.loss(w, self._step)

    @override
    def held_out(self, w: Tensor) -> tuple[Tensor, Tensor]:
        problem, step = self._problem, self._step + _HELD_OUT
        return problem.loss(w, step), problem.gradient(w, step)

    @override
    def lane(self, row: int) -> Oracle:
        return ProblemOracle(self._problem.lane(row), self._step, self._loss[row])


class ZeroOracle(ProblemOracle):
    """A minibatch whose loss is 0 and flat everywhere.

    Args:
        w: Weights, shape `(..., P)`.
    """

    def __init__(self, w: Tensor) -> None:
        self._loss = torch.zeros_like(w[..., :1])

    @override
    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return self._loss, torch.zeros_like(w)

    @override
    def forward(self, w: Tensor, wanted: Tensor | None = None) -> Tensor:
        return self._loss

    @override
    def held_out(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return self(w)

    @override
    def lane(self, row: int) -> Oracle:
        return ZeroOracle(self._loss[row])


def copied(rule: Rule, w: Tensor, state: State) -> tuple[Tensor, State]:
    """Return copies of weights and state that share no memory with them."""
    w = w.clone()
    saved = {name: tensor.clone() for name, tensor in rule.save(state).items()}
    return w, rule.resume(w, saved)


def steps(
    rule: Rule, problem: Problem, w: Tensor, state: State, which: Sequence[int]
) -> tuple[Tensor, State]:
    """Return weights and state after the numbered steps, computed on copies."""
    w, state = copied(rule, w, state)
    for step in which:
        oracle = problem.oracle(w, step)
        w, state = rule.update(w, problem.gradient(w, step), state, oracle)
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
