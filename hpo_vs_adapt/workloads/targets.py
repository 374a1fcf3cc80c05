"""How the targets were set: ``python -m hpo_vs_adapt.workloads.targets NAME``.

Rules without adaptation are tuned on a small grid of rates at the workload's budget;
the best rate of each, by validation, is trained again with fresh seeds. The target is
the median over the rules of the median over these seeds of a run's best validation
accuracy, with one validation sample to spare, rounded down, and then lowered until
seeds that had no part in it mostly reach it. The test samples are never looked at.
After AlgoPerf (Dahl et al., "Benchmarking neural network training algorithms", arXiv
2306.07179), which takes the median over tuned algorithms too.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from hpo_vs_adapt.seeds import derive, generator
from hpo_vs_adapt.workloads import WORKLOADS
from hpo_vs_adapt.workloads.base import TUNED_TARGET, Workload

__all__ = ["RULES", "Budget", "Samples", "TunedRule", "find_target", "train", "tune"]

EVALUATIONS = 20  # of one run, at equal distances
MOSTLY = 2 / 3  # share of confirming runs that must reach the target


@dataclass(frozen=True, slots=True)
class TunedRule:
    """A rule without adaptation, and the rates it is tried at, likely ones inside."""

    name: str
    rates: tuple[float, ...]
    adam: bool = False
    cosine: bool = False

    def optimizer(self, model: nn.Module, lr: float) -> Optimizer:
        """Return torch's own optimizer for the model."""
        if self.adam:
            return torch.optim.Adam(model.parameters(), lr)
        return torch.optim.SGD(model.parameters(), lr, momentum=0.9)


SGD_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
ADAM_RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)

RULES = (
    TunedRule("sgd, momentum 0.9", SGD_RATES),
    TunedRule("sgd, momentum 0.9, cosine", SGD_RATES, cosine=True),
    TunedRule("adam", ADAM_RATES, adam=True),
    TunedRule("adam, cosine", ADAM_RATES, adam=True, cosine=True),
)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is spent on finding a target.

    Args:
        points: Rates tried per rule, around the middle of its grid.
        tuning_seeds: Runs of each rate.
        seeds: Fresh runs of each rule's best rate, and again as many to confirm.
    """

    points: int = 7
    tuning_seeds: int = 2
    seeds: int = 5


@dataclass(frozen=True, slots=True)
class Samples:
    """Training and validation samples of a workload as tensors."""

    x: Tensor
    y: Tensor
    validation_x: Tensor
    validation_y: Tensor

    @classmethod
    def of(cls, workload: Workload) -> Samples:
        """Return the samples of the workload's default split."""
        data = workload.dataset()
        parts = (
            torch.from_numpy(array[part])
            for part in (data.train, data.validation)
            for array in (data.x, data.y)
        )
        return cls(*parts)


def train(
    workload: Workload, samples: Samples, rule: TunedRule, lr: float, seed: int
) -> float:
    """Train once over the workload's budget; return the best validation accuracy."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "target"))
        model = workload.model()
        optimizer = rule.optimizer(model, lr)
        per_epoch = len(samples.y) // workload.batch_size
        steps = round(workload.epochs * per_epoch)
        schedule = CosineAnnealingLR(optimizer, steps) if rule.cosine else None
        order, batches = torch.empty(0), generator(seed, "batches")
        every, best = max(1, steps // EVALUATIONS), 0.0
        for step in range(steps):
            if step % per_epoch == 0:
                order = torch.randperm(len(samples.y), generator=batches)
            start = step % per_epoch * workload.batch_size
            batch = order[start : start + workload.batch_size]
            optimizer.zero_grad()
            loss = workload.loss(model(samples.x[batch]), samples.y[batch])
            torch.autograd.backward(loss)
            optimizer.step()
            if schedule is not None:
                schedule.step()
            if (step + 1) % every == 0 or step + 1 == steps:
                best = max(best, _validate(workload, model, samples))
    return best


def tune(
    workload: Workload, samples: Samples, rule: TunedRule, budget: Budget
) -> float:
    """Return the rate with the best mean accuracy, the lower one of two equals."""
    skipped = (len(rule.rates) - budget.points) // 2
    rates = rule.rates[skipped : skipped + budget.points]
    seeds = [derive("tuning", number) for number in range(budget.tuning_seeds)]
    return max(
        rates,
        key=lambda lr: sum(train(workload, samples, rule, lr, seed) for seed in seeds),
    )


def find_target(
    medians: Sequence[float], confirming: Sequence[float], validation: int
) -> float:
    """Return the target that follows from tuned rules.

    Args:
        medians: Of each rule, the median accuracy of its fresh runs.
        confirming: Accuracies of further fresh runs of all rules.
        validation: Number of validation samples.

    Returns:
        The median of `medians`, but with one sample to spare, rounded down to a
        hundredth, and lowered by hundredths until `MOSTLY` of the `confirming` runs
        reach it.
    """
    aim = min(statistics.median(medians), 1 - 1 / validation)
    # The small term keeps an aim of 0.97 at 97 hundredths.
    hundredths = math.floor(aim * 100 + 1e-9)
    needed = math.ceil(MOSTLY * len(confirming) - 1e-9)
    while sum(value >= hundredths / 100 for value in confirming) < needed:
        hundredths -= 1
    return hundredths / 100


def _validate(workload: Workload, model: nn.Module, samples: Samples) -> float:
    model.eval()
    with torch.no_grad():
        score = workload.score(model(samples.validation_x), samples.validation_y)
    model.train()
    return score.item()


def _fresh(
    name: str, rule: TunedRule, lr: float, samples: Samples, seeds: Sequence[int]
) -> list[float]:
    workload = WORKLOADS[name]()
    return sorted(train(workload, samples, rule, lr, seed) for seed in seeds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Find the target of one workload and write out what it follows from."""
    options = _parser().parse_args(arguments)
    budget = Budget(options.points, options.tuning_seeds, options.seeds)
    workload = WORKLOADS[options.name]()
    samples = Samples.of(workload)
    fresh = [derive("fresh", number) for number in range(budget.seeds)]
    further = [derive("confirming", number) for number in range(budget.seeds)]
    medians: list[float] = []
    confirming: list[float] = []
    for rule in RULES:
        lr = tune(workload, samples, rule, budget)
        runs = _fresh(options.name, rule, lr, samples, fresh)
        medians.append(statistics.median(runs))
        confirming += _fresh(options.name, rule, lr, samples, further)
        low, high = runs[0], runs[-1]
        sys.stdout.write(
            f"{rule.name}: lr {lr:g}, median {medians[-1]:.4f} ({low:.4f}-{high:.4f})\n"
        )
        sys.stdout.flush()
    target = find_target(medians, confirming, len(samples.validation_y))
    reached = sum(value >= target for value in confirming)
    sys.stdout.write(
        f"{options.name}: target {target:.2f}, from a median over rules of "
        f"{statistics.median(medians):.4f}; {reached} of {len(confirming)} further "
        "runs reach it\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hpo_vs_adapt.workloads.targets",
        description="Find the target of a workload from tuned rules.",
    )
    names = [n for n, cls in WORKLOADS.items() if cls.target_source is TUNED_TARGET]
    parser.add_argument("name", choices=sorted(names))
    default = Budget()
    parser.add_argument("--points", type=int, default=default.points)
    parser.add_argument("--tuning-seeds", type=int, default=default.tuning_seeds)
    parser.add_argument("--seeds", type=int, default=default.seeds)
    return parser


if __name__ == "__main__":
    main()
