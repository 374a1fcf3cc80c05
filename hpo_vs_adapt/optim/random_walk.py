"""How long CLARA's path is when steps have no direction: the random walk of a base.

The path `p <- (1 - c) p + c uhat` sums normalised steps. Under white noise its squared
length has the mean `mu` and the standard deviation `sigma`, which tell apart noise from
steps that agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hpo_vs_adapt.seeds import derive

Array: TypeAlias = NDArray[np.float64]

__all__ = [
    "MU_TABLE",
    "SIGMA_TABLE",
    "SMALL",
    "RandomWalk",
    "published_sigma",
    "simulate_walk",
    "stationary_mu",
    "true_sigma",
]

MU_TABLE: Mapping[int, float] = {
    2: 0.5958,
    15: 0.6729,
    42: 0.6770,
    62: 0.6853,
    650: 0.6827,
    235_146: 0.6825,
    2_193_226: 0.6825,
    2_216_356: 0.6826,
}
"""The reference code's mu for Adam (c 0.2, beta1 0.9), by number of parameters."""

SIGMA_TABLE: Mapping[int, float] = {
    2: 0.2553,
    15: 0.0814,
    42: 0.0489,
    62: 0.0357,
    650: 0.0119,
    235_146: 0.0006,
    2_193_226: 0.0002,
    2_216_356: 0.0002,
}
"""The reference code's sigma for Adam, of the same simulations."""

SMALL = 50
"""Tensors with fewer parameters have a mu of their own with Adam."""

_DRAWS = 5_000_000  # random numbers of a simulation: mu to about 0.2 %
_MEMORIES = 14  # exp(-14): what is left of the start after so many time constants


@dataclass(frozen=True, slots=True)
class RandomWalk:
    """Squared length of the path under white noise.

    Args:
        mu: Its mean.
        sigma: Its standard deviation.
    """

    mu: float
    sigma: float


def stationary_mu(c: Tensor, beta: float) -> Tensor:
    """Return the mean squared path length under white noise.

    Consecutive normalised steps have correlation `beta^k` in high dimension, so
    `mu = c / (2 - c) * (1 + (1 - c) beta) / (1 - (1 - c) beta)`. For SGD (`beta` 0)
    this holds in every dimension.

    Args:
        c: Share of the newest step in the path, shape `(..., 1)`.
        beta: Decay of the average of gradients: Adam's beta1; 0 for SGD.
    """
    kept = (1 - c) * beta
    return c / (2 - c) * (1 + kept) / (1 - kept)


def true_sigma(c: float, beta: float, size: int) -> float:
    """Return the standard deviation of the squared path length under white noise.

    For SGD it is `2 mu (1 - c) / sqrt(size (1 + (1 - c)^2))`. In general the steps
    `k` ago have weights `w_k = c (1 - c)^k` and correlations `R_kl = beta^|k - l|`;
    with `a = R w`, the fluctuations of the steps and of their norms give, to first
    order in `1 / size`, the variance `2 / size tr((A R)^2)`, `A = w w^T - diag(w a)`:
    within 1 % from size 50 on for Adam at c 0.2.

    Args:
        c: Share of the newest step in the path.
        beta: Decay of the average of gradients: Adam's beta1; 0 for SGD.
        size: Number of parameters.
    """
    past = np.arange(1 if c == 1 else math.ceil(2 * _MEMORIES / -math.log1p(-c)))
    weights: Array = np.asarray(c * (1 - c) ** past, dtype=np.float64)
    correlated = _both_ways(weights, beta)
    own = weights * correlated
    squared = float(weights @ correlated) ** 2
    crossed = float(own @ correlated**2)
    return math.sqrt(
        2 / size * (squared - 2 * crossed + float(own @ _both_ways(own, beta * beta)))
    )


def published_sigma(c: float, size: int) -> float:
    """Return the reference code's sigma for SGD: the true one over `sqrt(2)`.

    `sqrt(2) mu (1 - c) / sqrt(((1 - c)^2 + 1) size)`.

    Args:
        c: Share of the newest step in the path.
        size: Number of parameters.
    """
    mu = c / (2 - c)
    return math.sqrt(2) * mu * (1 - c) / math.sqrt(((1 - c) ** 2 + 1) * size)


def simulate_walk(size: int, c: float, betas: tuple[float, float]) -> RandomWalk:
    """Return mean and deviation of Adam's squared path length in few dimensions.

    Monte Carlo: Adam's averages start as they are after very many steps (the second
    moment as a gamma variable of its mean and variance there), the path runs in, and
    is measured over twice that time. The seed follows from the arguments, the work is
    one thread's, and the result is rounded far below its error: every process finds
    the same.

    Args:
        size: Number of parameters of a tensor.
        c: Share of the newest step in the path.
        betas: Decay of Adam's averages.
    """
    beta1, beta2 = betas
    running_in = math.ceil(_MEMORIES / min(c, 1 - beta1))
    steps = 3 * running_in
    walks = max(8, _DRAWS // (steps * size))
    source = np.random.Generator(np.random.PCG64(_seed(size, c, betas)))
    shape = (walks, size)
    mean = source.standard_normal(shape) * math.sqrt((1 - beta1) / (1 + beta1))
    shapes = (1 + beta2) / (2 * (1 - beta2))
    square = source.standard_gamma(shapes, shape) / shapes
    path = np.zeros(shape)
    total, total_square = 0.0, 0.0
    for step in range(steps):
        g = source.standard_normal(shape)
        mean += (1 - beta1) * (g - mean)
        square += (1 - beta2) * (g * g - square)
        u = mean / np.sqrt(square)
        u /= np.sqrt((u * u).sum(1, keepdims=True))
        path += c * (u - path)
        if step >= running_in:
            length = (path * path).sum(1)
            total += float(length.sum())
            total_square += float((length * length).sum())
    count = walks * (steps - running_in)
    mu = total / count
    sigma = math.sqrt(max(total_square / count - mu * mu, 0.0))
    return RandomWalk(round(mu, 6), round(sigma, 6))


def _seed(size: int, c: float, betas: tuple[float, float]) -> int:
    return derive("random walk", size, *map(repr, (c, *betas)))


def _both_ways(values: Array, decay: float) -> Array:
    """Return `sum_l decay^|k - l| values_l` for every `k`."""
    past = np.arange(len(values))
    spectrum = np.fft.rfft(values, 3 * len(values))
    kernel = np.fft.rfft(float(decay) ** np.abs(past), 3 * len(values))
    forwards = spectrum * kernel
    backwards = spectrum * kernel.conj()
    both = np.fft.irfft(forwards + backwards, 3 * len(values))[: len(values)]
    return both - values
