"""Steps of the torch optimizers, as ratios to those of torch.optim.

Parameters are ResNet-18's 62 tensors, at their own widths (11.7 million) and at widths
for a million and for a tenth of one. Optimizers take their steps in turn; each round
gives a ratio to the step of SGD with momentum and of Adam (both foreach) in that round,
and the median of the rounds counts, since what else the machine does changes from round
to round. Gradients are there before a step, so that a second one costs what surrounds
it: weights are moved in, the gradient is copied out. GALA's step stands with it and
without; the aim is for its own work.

The floor is the traffic that an update of float32 parameters cannot do without, every
scalar known before the step that it decides, over that of the reference: 20 bytes a
parameter for momentum, 28 for Adam. No eager code reaches it, the references do not
either.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchvision.models import resnet18

from hpo_vs_adapt.optim import (
    CLARA,
    GALA,
    GAP,
    TLR,
    AdaGradNorm,
    DoWG,
    Hypergradient,
)
from hpo_vs_adapt.optim.minibatches import Minibatch

THREADS = 2
WIDTHS = {0.1: 0.0895, 1.0: 0.291, 11.7: 1.0}
"""Shares of ResNet-18's channels, by millions of parameters."""

ROUNDS = 15
STEPS = {0.1: 10, 1.0: 5, 11.7: 1}
"""Steps that an optimizer takes in a row in a round."""

LR = 1e-6  # the weights hardly move: every step is like the others


@dataclass(frozen=True, slots=True)
class Case:
    """An optimizer to time.

    Args:
        make: Returns it for parameters.
        floor: Bytes a parameter and step.
        aim: Largest ratio to momentum at 11.7 million parameters; None: no aim.
        closure: Whether its step is given a closure.
        apart: Whether what surrounds second gradients is left out.
    """

    make: Callable[[Sequence[nn.Parameter]], Optimizer]
    floor: float
    aim: float | None = None
    closure: bool = False
    apart: bool = False


MOMENTUM, ADAM = "SGD, momentum (torch.optim)", "Adam (torch.optim)"
CASES = {
    MOMENTUM: Case(lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, foreach=True), 20),
    ADAM: Case(lambda p: torch.optim.Adam(p, lr=LR, foreach=True), 28),
    "CLARA": Case(lambda p: CLARA(p, lr=LR), 24, 3),
    "CLARA, Adam": Case(lambda p: CLARA(p, lr=LR, base="adam"), 44),
    "GALA, momentum": Case(lambda p: GALA(p, lr=LR, lr_max=LR), 28, None, True),
    "GALA, second gradient apart": Case(
        lambda p: GALA(p, lr=LR, lr_max=LR), 28, 3, True, True
    ),
    "GALA, Adam": Case(
        lambda p: GALA(p, lr=LR, base="adam", lr_max=LR), 36, None, True
    ),
    "GAP, 2 candidates": Case(lambda p: GAP(p, lr=LR, candidates=(0.5, 0.9)), 32, 3),
    "GAP, 2 candidates, Adam": Case(
        lambda p: GAP(p, lr=LR, candidates=(0.5, 0.9), base="adam"), 44
    ),
    "TLR": Case(lambda p: TLR(p, lr=LR, gamma=0.0), 12.2, 1.5),
    "TLR, momentum": Case(lambda p: TLR(p, lr=LR, gamma=0.0, momentum=0.9), 20.2),
    "Hypergradient": Case(lambda p: Hypergradient(p, lr=LR, hyper_lr=0.0), 20),
    "DoWG": Case(lambda p: DoWG(p, lr=LR), 24),
    "AdaGrad-Norm": Case(lambda p: AdaGradNorm(p, lr=LR), 16),
}


def shapes(width: float) -> list[tuple[int, ...]]:
    """Return the shapes of ResNet-18's parameters with a share of its channels."""
    with torch.device("meta"):
        model = resnet18()
    return [
        # Kernels and the image's colours stay.
        tuple(max(1, round(width * n)) if n > 7 else n for n in p.shape)
        for p in model.parameters()
    ]


class Timed:
    """An optimizer with parameters of its own, and the time that its steps take.

    Args:
        case: What makes it.
        gradients: Gradients of every step.
    """

    def __init__(self, case: Case, gradients: Sequence[Tensor]) -> None:
        self._gradients, self._apart = gradients, case.apart
        self._params = [
            nn.Parameter(0.01 * torch.randn(g.shape, generator=_noise()))
            for g in gradients
        ]
        self._loss = torch.zeros(())
        self._optimizer = case.make(self._params)
        self._arguments = (self._closure,) if case.closure else ()
        self._closure()

    def step(self, times: int) -> float:
        """Take some steps; return the seconds of one."""
        with _second_gradients() as spent:
            started = time.perf_counter()
            for _ in range(times):
                self._optimizer.step(*self._arguments)
            whole = time.perf_counter() - started
        return (whole - (sum(spent) if self._apart else 0.0)) / times

    def _closure(self) -> Tensor:
        for p, gradient in zip(self._params, self._gradients, strict=True):
            p.grad = gradient
        return self._loss


@contextmanager
def _second_gradients() -> Iterator[list[float]]:
    """Note the seconds of each second evaluation of a minibatch."""
    spent: list[float] = []
    evaluate = Minibatch.at

    def timed(self: Minibatch, *arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return evaluate(self, *arguments, **named)
        finally:
            spent.append(time.perf_counter() - started)

    Minibatch.at = timed
    try:
        yield spent
    finally:
        Minibatch.at = evaluate


def _noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def measure(millions: float) -> dict[str, list[float]]:
    """Return the seconds of a step, one a round, by optimizer."""
    gradients = [
        0.01 * torch.randn(shape, generator=_noise())
        for shape in shapes(WIDTHS[millions])
    ]
    timed = {name: Timed(case, gradients) for name, case in CASES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    names = list(timed)
    for name in names:
        timed[name].step(2)
    for turn in range(ROUNDS):
        begin = turn % len(names)
        for name in names[begin:] + names[:begin]:
            seconds[name].append(timed[name].step(STEPS[millions]))
    return seconds


def ratio(seconds: dict[str, list[float]], name: str, reference: str) -> float:
    """Return the median over the rounds of a step's time over the reference's."""
    pairs = zip(seconds[name], seconds[reference], strict=True)
    return statistics.median(own / other for own, other in pairs)


def main() -> None:
    """Time all optimizers and print the ratios."""
    torch.set_num_threads(THREADS)
    for millions in WIDTHS:
        seconds = measure(millions)
        size = sum(torch.Size(shape).numel() for shape in shapes(WIDTHS[millions]))
        print(f"\n{size:,} parameters in 62 tensors, {THREADS} threads")
        print(f"{'':<28}{'step':>10}{'/ momentum':>12}{'(floor)':>9}", end="")
        print(f"{'/ Adam':>8}{'(floor)':>9}")
        for name, case in CASES.items():
            step = statistics.median(seconds[name])
            columns = [
                f"{name:<28}{1e3 * step:>7.2f} ms",
                f"{ratio(seconds, name, MOMENTUM):>10.2f} x",
                f"{case.floor / CASES[MOMENTUM].floor:>9.2f}",
                f"{ratio(seconds, name, ADAM):>6.2f} x",
                f"{case.floor / CASES[ADAM].floor:>9.2f}",
            ]
            aimed = case.aim is not None and millions == max(WIDTHS)
            print("".join(columns) + (f"  aim {case.aim} x" if aimed else ""))


if __name__ == "__main__":
    main()
