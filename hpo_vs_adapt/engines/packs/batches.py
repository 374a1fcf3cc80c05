"""Minibatches: a data set on the device, and the order in which each lane sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo_vs_adapt.seeds import generator
from hpo_vs_adapt.workloads.base import Dataset

__all__ = ["Batches", "DeviceData", "set_aside", "steps_per_epoch"]


@dataclass(frozen=True, slots=True)
class DeviceData:
    """A data set as tensors on the device that trains.

    Args:
        x: Inputs, shape `(n, ...)`.
        y: Targets, shape `(n, ...)`.
        train: Indices of the training samples.
        validation: Inputs and targets on which targets are judged.
        test: Inputs and targets of the test.
    """

    x: Tensor
    y: Tensor
    train: Tensor
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @classmethod
    def of(
        cls, data: Dataset, device: torch.device | str, dtype: torch.dtype
    ) -> DeviceData:
        """Copy a data set to a device, floating-point arrays in `dtype`."""
        x = torch.tensor(data.x).to(device=device, dtype=dtype)
        y = torch.tensor(data.y).to(device)
        if y.is_floating_point():
            y = y.to(dtype)
        train, validation, test = (
            torch.tensor(part).to(device)
            for part in (data.train, data.validation, data.test)
        )
        return cls(x, y, train, (x[validation], y[validation]), (x[test], y[test]))


def set_aside(data: DeviceData, share: float) -> tuple[DeviceData, DeviceData]:
    """Return the data without a share of their training samples, and with it alone.

    It is the same for every trial: drawn by a fixed seed, never by a trial's. Without
    a share, both are the data as they are.
    """
    if not share:
        return data, data
    n = len(data.train)
    order = torch.randperm(n, generator=generator(0, "held out")).to(data.train.device)
    held = max(1, round(share * n))
    parts = (order[held:].sort().values, order[:held].sort().values)
    kept, held_out = (dataclasses.replace(data, train=data.train[p]) for p in parts)
    return kept, held_out


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """Return the steps of one pass; the last partial batch is dropped.

    Raises:
        ValueError: If there are fewer samples than one batch takes.
    """
    if batch_size > samples:
        raise ValueError(
            f"`batch_size` must be at most the number of training samples, {samples}; "
            f"got {batch_size}."
        )
    return samples // batch_size


class Batches:
    """The minibatches of a pack's lanes, each a function of seed and step alone.

    Args:
        data: Where the samples are.
        batch_size: Samples a step.
        seeds: Training seeds of the lanes; the same seed gives the same batches.
    """

    def __init__(self, data: DeviceData, batch_size: int, seeds: Sequence[int]) -> None:
        self._data = data
        self._batch_size = batch_size
        self._seeds = tuple(seeds)
        self._epoch_steps = steps_per_epoch(len(data.train), batch_size)
        self._epoch = -1
        self._order = torch.empty(0)

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Return inputs and targets of a step, shape `(lanes, batch_size, ...)`."""
        epoch, place = divmod(step, self._epoch_steps)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffled(epoch)
        first = place * self._batch_size
        rows = self._order[:, first : first + self._batch_size]
        return self._data.x[rows], self._data.y[rows]

    def _shuffled(self, epoch: int) -> Tensor:
        """Return the samples of an epoch in each lane's order, shape `(lanes, n)`."""
        n = len(self._data.train)
        orders = {
            seed: torch.randperm(n, generator=generator(seed, f"batches/{epoch}"))
            for seed in dict.fromkeys(self._seeds)
        }
        order = torch.stack([orders[seed] for seed in self._seeds])
        return self._data.train[order.to(self._data.train.device)]
