"""What a workload is: data, model, loss, metric, target and budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpo_vs_adapt.workloads.samples import (
    Arrays,
    DataError,
    Dataset,
    hash_of,
    standardise,
)

__all__ = [
    "ACCURACY",
    "Arrays",
    "DataError",
    "Dataset",
    "Metric",
    "Workload",
    "standardise",
]

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

    def meets(self, value: float, target: float) -> bool:
        """Whether a value reaches a target; NaN never does."""
        return value >= target if self.mode == "max" else value <= target


ACCURACY = Metric("accuracy", "max", 0.0, 1.0)


TUNED_TARGET = (
    "median over tuned SGD and Adam, constant rate and cosine, of the median best "
    "validation accuracy of fresh seeds, rounded down "
    "(python -m hpo_vs_adapt.workloads.targets)"
)
"""How the targets of this package's own workloads were set."""


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
            lanes of a pack one by one (where equal lanes would get unequal bits).
        random_training: Whether the forward pass draws random numbers (dropout); its
            packs are then formed per training seed.
        random_start: Whether the initial weights follow the seed; False where the
            problem names its start.
        clip_norm: Norm to which gradients are clipped, or None; part of the problem,
            so that it holds for every gradient that a rule sees.
        box: Least and largest weights, to which they are clamped after each step, or
            None for all numbers.
        flops: FLOPs of a sample, of the forward pass and of both passes, or None to
            count them; for models whose work PyTorch's counter does not know.
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
    random_start: ClassVar[bool] = True
    clip_norm: ClassVar[float | None] = None
    box: ClassVar[tuple[tuple[float, ...], tuple[float, ...]] | None] = None
    flops: ClassVar[tuple[float, float] | None] = None

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
        correct = outputs.argmax(-1) == y
        # In float32 an accuracy of 0.95 is less than a target of 0.95.
        return correct.sum().to(torch.float64) / correct.numel()

    def prepare(
        self, x: NDArray[np.generic], train: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the inputs as the model takes them: standardised by the training set.

        Every feature is shifted and scaled by its mean and standard deviation over the
        training samples; a constant feature is only shifted.
        """
        return standardise(x, train)

    def prepare_paper(
        self, x: NDArray[np.generic], train: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the inputs of ``split: paper``, here as they are at the source."""
        return x.astype(np.float32)

    def dataset(
        self, data: Path | None = None, split: str = "default", seed: int = 0
    ) -> Dataset:
        """Return `split_arrays` of what `read` returns."""
        return self.split_arrays(self.read(data), split, seed)

    def split_arrays(
        self, arrays: Arrays, split: str = "default", seed: int = 0
    ) -> Dataset:
        """Return the samples, split and prepared.

        Args:
            arrays: What `read` returned.
            split: ``default``: train, validation and test, the same for every seed.
                ``paper``: the source's protocol: all training samples, no validation;
                where the source has no test samples, a random 80/20 split by `seed`.
            seed: Training seed; only `paper` splits may depend on it.

        Raises:
            DataError: If the data are missing, damaged or do not fit together.
            ValueError: If `split` is neither.
        """
        if split not in ("default", "paper"):
            raise ValueError(f"`split` must be 'default' or 'paper'; got {split!r}.")
        if split == "paper":
            train, test = self._paper_split(arrays, seed)
            validation = test
            x = self.prepare_paper(arrays.x, train)
        else:
            train, validation, test = self._default_split(arrays)
            x = self.prepare(arrays.x, train)
        parts = {"training": train, "validation": validation, "test": test}
        for name, part in parts.items():
            if len(part) == 0:
                raise DataError(
                    f"{type(self).__name__} has no {name} samples: {len(arrays.y)} in "
                    "all are too few for its `validation_size` and `test_size`."
                )
        version = hash_of(x, arrays.y, train, validation, test)
        return Dataset(x, arrays.y, train, validation, test, version)

    def splits_by_seed(self, split: str) -> bool:
        """Whether trials with different seeds train on different samples.

        A workload whose source has test samples of its own answers False.
        """
        return split == "paper"

    def read(self, data: Path | None = None) -> Arrays:
        """Return the samples, targets as torch wants them: int64 or float32.

        Args:
            data: Where the source's files are, or None for the usual places.

        Raises:
            DataError: If the data are missing, damaged or do not fit together.
        """
        arrays = self.load(data)
        if len(arrays.x) != len(arrays.y):
            raise DataError(
                f"`load` of {type(self).__name__} must return as many targets as "
                f"inputs; got {len(arrays.y)} targets and {len(arrays.x)} inputs."
            )
        kind = np.int64 if arrays.y.dtype.kind in "biu" else np.float32
        return Arrays(arrays.x, arrays.y.astype(kind), arrays.test)

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
