"""Functions of two variables that optimizers are tried on, and the quadratic.

Each takes points, shape `(..., n)`, and returns values, shape `(...)`. Powers are
written as products: `torch.pow` gives other bits in packs of another size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "ackley",
    "beale",
    "eggholder",
    "himmelblau",
    "quadratic",
    "rosenbrock",
    "three_hump_camel",
]

_TINY = 1e-12  # where a root has no derivative, it is taken to be flat


def quadratic(points: Tensor, spectrum: Tensor) -> Tensor:
    """Return `sum_i h_i x_i^2 / 2`; the minimum is 0 at the origin.

    Args:
        points: Shape `(..., n)`.
        spectrum: Eigenvalues `h` of the Hessian, shape `(n,)`.
    """
    return (spectrum * points * points).sum(-1) / 2


def rosenbrock(points: Tensor) -> Tensor:
    """Return `(1 - x)^2 + 100 (y - x^2)^2`; the minimum is 0 at (1, 1)."""
    x, y = points.unbind(-1)
    return _square(1 - x) + 100 * _square(y - x * x)


def himmelblau(points: Tensor) -> Tensor:
    """Return `(x^2 + y - 11)^2 + (x + y^2 - 7)^2`; one of four minima is at (3, 2)."""
    x, y = points.unbind(-1)
    return _square(x * x + y - 11) + _square(x + y * y - 7)


def beale(points: Tensor) -> Tensor:
    """Return Beale's function, `sum_k (c_k - x + x y^k)^2`, c = 1.5, 2.25, 2.625.

    The minimum is 0 at (3, 0.5).
    """
    x, y = points.unbind(-1)
    first = _square(1.5 - x + x * y)
    return (
        first + _square(2.25 - x + x * y * y) + _square(2.625 - x + x * (y * (y * y)))
    )


def eggholder(points: Tensor) -> Tensor:
    """Return `-z sin sqrt|x / 2 + z| - x sin sqrt|x - z|` with `z = y + 47`.

    The minimum within 512 of the origin is -959.6407 at (512, 404.2319).
    """
    x, y = points.unbind(-1)
    z = y + 47
    return -z * torch.sin(_root(x / 2 + z)) - x * torch.sin(_root(x - z))


def three_hump_camel(points: Tensor) -> Tensor:
    """Return `2 x^2 - 1.05 x^4 + x^6 / 6 + x y + y^2`; the minimum is 0 at (0, 0)."""
    x, y = points.unbind(-1)
    square = x * x
    return (
        2 * square
        - 1.05 * square * square
        + square * square * square / 6
        + x * y
        + y * y
    )


def ackley(points: Tensor) -> Tensor:
    """Return Ackley's function of two variables; the minimum is 0 at (0, 0).

    `-20 exp(-0.2 sqrt((x^2 + y^2) / 2)) - exp((cos 2 pi x + cos 2 pi y) / 2) + 20 + e`.
    """
    # The derivative of this norm at the origin is 0; that of a root would be NaN.
    distance = torch.linalg.vector_norm(points, dim=-1) / math.sqrt(2)
    waves = torch.cos(2 * math.pi * points).mean(-1)
    return -20 * torch.exp(-0.2 * distance) - torch.exp(waves) + 20 + math.e


def _square(x: Tensor) -> Tensor:
    return x * x


def _root(x: Tensor) -> Tensor:
    return x.abs().clamp(min=_TINY).sqrt()
