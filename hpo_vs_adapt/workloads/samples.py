"""Samples of a workload: as they come from the source and as they are trained on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "DataError", "Dataset", "hash_of", "standardise"]


class DataError(ValueError):
    """A workload's data are missing, damaged or do not fit together."""


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


def standardise(
    x: NDArray[np.generic], train: NDArray[np.int64], *, per_feature: bool = True
) -> NDArray[np.float32]:
    """Return inputs with mean 0 and standard deviation 1 over the training samples.

    Args:
        x: Inputs, shape `(n, ...)`.
        train: Indices of the training samples.
        per_feature: Whether every feature has a mean and a standard deviation of its
            own; if not, all features share them, which keeps a signal's or an image's
            shape and does not blow up pixels that are hardly ever set. What does not
            vary is only shifted.
    """
    axis = 0 if per_feature else None
    scaled = x.astype(np.float32)
    mean = scaled[train].mean(axis, dtype=np.float64)
    scaled -= np.asarray(mean, np.float32)
    scale = np.sqrt(np.square(scaled[train]).mean(axis, dtype=np.float64))
    scaled /= np.asarray(np.where(scale > 0, scale, 1), np.float32)
    return scaled


def hash_of(*arrays: NDArray[np.generic]) -> str:
    """Return a hash of the arrays' values, types and shapes, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
