"""Loops that somebody would write around a library's optimizer, and the same hosted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hpo_vs_adapt.optim.base import Rule, Run, State, build_rule
from hpo_vs_adapt.optim.trial_problem import LAYOUT, Problem

RUN = Run(steps=40, steps_per_epoch=10)


def parameters(w: Tensor) -> list[nn.Parameter]:
    """Return weights `(P,)` as the tensors of the problem's model."""
    parts = torch.split(w.clone(), LAYOUT.sizes)
    return [
        nn.Parameter(part.view(shape).clone())
        for part, shape in zip(parts, LAYOUT.shapes, strict=True)
    ]


def flat(tensors: list[nn.Parameter]) -> Tensor:
    """Return the tensors of the model as weights `(P,)`."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def put_gradients(tensors: list[nn.Parameter], g: Tensor) -> None:
    """Give the tensors their parts of a gradient, shape `(P,)`."""
    for tensor, part in zip(tensors, torch.split(g, LAYOUT.sizes), strict=True):
        tensor.grad = part.view(tensor.shape).clone()


def bare_steps(
    make: Callable[[list[nn.Parameter]], Optimizer],
    steps: int,
    dtype: torch.dtype = torch.float64,
    step: Callable[[Optimizer, Tensor], object] = lambda optimizer, _: optimizer.step(),
) -> Iterator[tuple[Tensor, Optimizer]]:
    """Yield weights and optimizer after each step on the noisy problem, no adapter.

    Args:
        make: Builds the optimizer.
        steps: How many.
        dtype: Precision.
        step: Takes a step, given the minibatch's loss.
    """
    problem = Problem((0,), dtype)
    tensors = parameters(problem.start()[0])
    optimizer = make(tensors)
    for number in range(steps):
        w = flat(tensors)
        put_gradients(tensors, problem.gradient(w, number))
        step(optimizer, problem.loss(w, number).reshape(()))
        yield flat(tensors), optimizer


def hosted_steps(
    rule: type[Rule], settings: dict, steps: int, dtype: torch.dtype = torch.float64
) -> Iterator[tuple[Tensor, Rule, State]]:
    """Yield weights, rule and state after each step on the same problem, hosted."""
    problem = Problem((0,), dtype)
    built = build_rule(rule, [settings], RUN, dtype)
    w = problem.start()
    state = built.init(w, LAYOUT)
    for number in range(steps):
        g, oracle = problem.gradient(w, number), problem.oracle(w.clone(), number)
        w, state = built.update(w, g, state, oracle)
        yield w[0].clone(), built, state
