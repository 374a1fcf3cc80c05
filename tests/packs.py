"""Packs for tests: real workloads, few steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache

import pandas as pd
import torch

from hpo_vs_adapt.engines.packs.batches import DeviceData, steps_per_epoch
from hpo_vs_adapt.engines.packs.flops import count_flops
from hpo_vs_adapt.engines.packs.pack import LaneResult, Pack
from hpo_vs_adapt.optim import RULES, Rule
from hpo_vs_adapt.records.trials import TrialSpec, Value
from hpo_vs_adapt.workloads import WORKLOADS
from hpo_vs_adapt.workloads.base import Dataset, Workload


@cache
def dataset(name: str) -> Dataset:
    """Return a workload's data, few enough samples that evaluations are quick."""
    data = WORKLOADS[name]().dataset()
    return dataclasses.replace(
        data,
        train=data.train[:2000],
        validation=data.validation[:200],
        test=data.test[:200],
    )


def trial(
    workload: str = "digits_mlp",
    rule: str = "sgd",
    seed: int = 0,
    steps: int = 12,
    every: int = 4,
    batch_size: int = 16,
    precision: str = "float32",
    stop_at: float | None = None,
    **settings: Value,
) -> TrialSpec:
    """Return a trial of so many steps."""
    epoch = steps_per_epoch(len(dataset(workload).train), batch_size)
    return TrialSpec(
        workload=workload,
        rule=rule,
        settings=tuple(sorted(settings.items())),
        batch_size=batch_size,
        seed=seed,
        epochs=steps / epoch,
        evaluate_every=every,
        precision=precision,
        stop_at=stop_at,
    )


def make_pack(
    specs: Sequence[TrialSpec],
    workload: Workload | None = None,
    rule: type[Rule] | None = None,
) -> Pack:
    """Return a pack of these trials, which share all that a pack must share."""
    first = specs[0]
    workload = workload or WORKLOADS[first.workload]()
    data = dataset(first.workload)
    on_device = DeviceData.of(data, "cpu", getattr(torch, first.precision))
    few = data.train[:4]
    flops = count_flops(workload, torch.tensor(data.x[few]), torch.tensor(data.y[few]))
    return Pack(workload, rule or RULES[first.rule], specs, on_device, flops)


def run(pack: Pack) -> dict[int, LaneResult]:
    """Train a pack to its end and return its lanes' results."""
    results = []
    while not pack.done:
        results += pack.advance()
    return {result.lane: result for result in results}


def numbers(result: LaneResult) -> pd.DataFrame:
    """Return a curve without its seconds, which no two runs share."""
    return result.curve.drop(columns="seconds")
