"""What a workload is: data, model, loss, metric, target and budget."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["ACCURACY", "Arrays", "Dataset", "Metric", "Workload"]

SPLIT_SEED = 20260101
"""Seed of every workload's train / validation / test split; never a trial's seed."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A validation metric.

    Args:
        name: As the report names it.
        mode: ``max`` if a higher value is better, else ``min``.
        low: Least possible value, or None.
        high: Largest possible value, or None.
    """

    name: str
    mode: str
    low: float | None = None
    high: float | None = None


ACCURACY = Metric("accuracy", "max", 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Arrays:
    """What a workload loads: samples as they are at the source.

    Args:
        x: Inputs, shape `(n, ...)`.
        y: Targets, shape `(n,)` or `(n, ...)`; class numbers are int64.
        test: Indices of the source's own test samples, or None if it has none.
    """

    x: NDArray[np.generic]
    y: NDArray[np.generic]
    test: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples ready for training, and which are for what.

    Args:
        x: Inputs, shape `(n, ...)`, float32.
        y: Targets, shape `(n, ...)`.
        train: Indices of the training samples.
        validation: Indices on which targets are judged; the test samples under
            ``split: paper``, which has no validation set.
        test: Indices of the test samples.
        version: Hash of all of the above.
    """

    x: NDArray[np.float32]
    y: NDArray[np.generic]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    version: str


class Workload(ABC):
    """One training problem with its target and budget.

    A subclass gives `load` and `model`, and the class attributes; it keeps no state.

    Attributes:
        target: Validation metric to reach.
        target_source: How the target was set.
        epochs: Budget in passes over the training data.
        batch_size: Samples a step.
        metric: What `score` returns.
        validation_size: Number or share of the training samples kept for validation.
        test_size: Number or share of all samples kept for the test, where the source
            has no test samples of its own.
        vectorise: Whether lanes may be trained in one vectorised run; False steps the
            lanes of a pack one by one (for models whose lanes disturb each other's bits).
        random_training: Whether the forward pass draws random numbers (dropout); its
            packs are then formed per training seed.
    """

    target: ClassVar[float]
    target_source: ClassVar[str] = "set by the user"
    epochs: ClassVar[float]
    batch_size: ClassVar[int] = 64
    metric: ClassVar[Metric] = ACCURACY
    validation_size: ClassVar[float] = 0.2
    test_size: ClassVar[float] = 0.2
    vectorise: ClassVar[bool] = True
    random_training: ClassVar[bool] = False

    @abstractmethod
    def load(self, data: Path | None) -> Arrays:
        """Return the samples, from `data` if the study names a place."""

    @abstractmethod
    def model(self) -> nn.Module:
        """Return a new model; its random initial weights follow torch's generator."""

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar."""
        return nn.functional.cross_entropy(outputs, y)

    def score(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the metric of a whole set from all its outputs, a scalar."""
        return (outputs.argmax(-1) == y).to(torch.float32).mean()

    def prepare(self, x: NDArray[np.generic], train: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the inputs as the model takes them: standardised by the training split.

        Every feature is shifted and scaled by its mean and standard deviation over the
        training samples; a constant feature is only shifted.
        """
        x = x.astype(np.float32)
        mean, scale = x[train].mean(0), x[train].std(0)
        return (x - mean) / np.where(scale > 0, scale, 1).astype(np.float32)

    def prepare_paper(
        self, x: NDArray[np.generic], train: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the inputs of ``split: paper``; raw unless a workload says otherwise."""
        return x.astype(np.float32)

    def dataset(
        self, data: Path | None = None, split: str = "default", seed: int = 0
    ) -> Dataset:
        """Return the samples, split and prepared.

        Args:
            data: Where the source's files are, or None for the usual places.
            split: ``default``: train, validation and test, the same for every seed.
                ``paper``: the source's protocol: all training samples, no validation;
                where the source has no test samples, a random 80/20 split by `seed`.
            seed: Training seed; only `paper` splits may depend on it.
        """
        arrays = self.load(data)
        if split == "paper":
            train, test = self._paper_split(arrays, seed)
            validation = test
            x = self.prepare_paper(arrays.x, train)
        else:
            train, validation, test = self._default_split(arrays)
            x = self.prepare(arrays.x, train)
        return Dataset(x, arrays.y, train, validation, test, _version(x, arrays.y, train, validation, test))

    def splits_by_seed(self, split: str) -> bool:
        """Whether trials with different seeds train on different samples."""
        return split == "paper"

    def _default_split(
        self, arrays: Arrays
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        order = np.random.default_rng(SPLIT_SEED).permutation(len(arrays.y))
        if arrays.test is None:
            test, rest = np.split(order, [_count(self.test_size, len(order))])
        else:
            test, rest = arrays.test, order[~np.isin(order, arrays.test)]
        validation, train = np.split(rest, [_count(self.validation_size, len(rest))])
        return train, validation, test

    def _paper_split(
        self, arrays: Arrays, seed: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if arrays.test is not None:
            everything = np.arange(len(arrays.y))
            return everything[~np.isin(everything, arrays.test)], arrays.test
        order = np.random.default_rng([SPLIT_SEED, seed]).permutation(len(arrays.y))
        test, train = np.split(order, [_count(0.2, len(order))])
        return train, test


def _count(size: float, of: int) -> int:
    return round(size * of) if size < 1 else int(size)


def _version(*arrays: NDArray[np.generic]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
