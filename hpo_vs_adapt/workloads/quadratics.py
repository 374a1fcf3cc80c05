"""Quadratics with a given spectrum, and least squares with one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.workloads import functions
from hpo_vs_adapt.workloads.base import SPLIT_SEED, Arrays
from hpo_vs_adapt.workloads.synthetic import Synthetic

__all__ = ["LeastSquares", "NoisyLeastSquares", "NoisyQuadratic", "Quadratic"]

_DIMENSION = 20
_SPECTRUM = tuple(float(h) for h in np.geomspace(1, 100, _DIMENSION))
# From start to optimum. From (1, ..., 1), Adam's first step of rate 1 would end there.
_AWAY = tuple(float(x) for x in np.linspace(1.5, 0.5, _DIMENSION))


class Quadratic(Synthetic):
    """A quadratic of 20 coordinates whose curvatures go from 1 to 100, evenly in log.

    `f(x) = sum_i h_i x_i^2 / 2`, to the origin from (1.5, ..., 0.5), evenly spaced.
    Budget: 100 steps. Plain SGD is stable up to the rate 2 / 100. A quadratic of your
    own is a subclass with its `spectrum`, `start` and `optimum`, all equally long, and
    a target.

    Attributes:
        spectrum: Eigenvalues `h` of the Hessian.
    """

    target = 0.1
    spectrum: ClassVar[tuple[float, ...]] = _SPECTRUM
    start = _AWAY
    optimum = (0.0,) * _DIMENSION

    @override
    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        spectrum = outputs.new_tensor(self.spectrum)
        away = outputs - outputs.new_tensor(self.optimum)
        return functions.quadratic(away, spectrum).mean()


class NoisyQuadratic(Quadratic):
    """The quadratic of 20 coordinates, evaluated with noise of 0.1 a coordinate."""

    target = 0.2
    noise = 0.1


class NoisyLeastSquares(Synthetic):
    """Least squares: 20 weights, 512 noisy measurements, in batches of 16.

    `f(w) = mean_k (a_k . w - b_k)^2 / 2` with `b = A w* + e`; the features have
    variances from 1 to 0.01, evenly in log, and the errors a standard deviation of 1.
    The part of `e` that weights could explain is taken out, so that the solution of the
    training samples is `w*` itself, coordinates from 1.5 to 0.5. From the origin.
    Budget: 10 passes of 32 steps.
    """

    target = 0.2
    epochs = 10
    batch_size = 16
    samples = 512
    held_out = 64
    start = (0.0,) * _DIMENSION
    optimum = _AWAY

    @override
    def load(self, data: Path | None) -> Arrays:
        """Return samples without noise of their own, and `(a, b)` as their targets."""
        count = self.samples + 2 * self.held_out
        source = np.random.default_rng(SPLIT_SEED)
        scale = np.sqrt(np.geomspace(1, 0.01, _DIMENSION))
        a = source.normal(size=(count, _DIMENSION)) * scale
        errors = source.normal(size=count)
        training = slice(0, self.samples)
        explained = np.linalg.lstsq(a[training], errors[training], rcond=None)[0]
        errors[training] -= a[training] @ explained
        b = a @ np.array(self.optimum) + errors
        return Arrays(
            np.zeros((count, _DIMENSION), np.float32), np.column_stack([a, b])
        )

    @override
    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        a, b = y[..., :-1], y[..., -1]
        residuals = (a * outputs).sum(-1) - b
        return (residuals * residuals).mean() / 2


class LeastSquares(NoisyLeastSquares):
    """Least squares: the same 20 weights, all 512 measurements in one batch: no noise.

    Budget: 100 passes of one step.
    """

    target = 0.1
    epochs = 100
    batch_size = 512
