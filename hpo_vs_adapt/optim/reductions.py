"""Inner products and norms, read in blocks so that nothing of their size is written."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "add_up",
    "blocks",
    "combine_norms",
    "compare",
    "distance",
    "dot",
    "norm",
    "overwrite",
]

_BLOCK = 2**17
"""Entries of a lane, however many lanes: other blocks round differently.

Measured on a CPU for 11 million in float32: a product written to fresh memory and
summed takes 46 ms, in blocks that stay in the cache 8 ms; the norm of the whole errs by
4e-4, that of blocks by 1e-7.
"""


def blocks(a: Tensor) -> list[slice]:
    """Return the blocks of the last dimension; on a GPU one, for fewer launches."""
    size = a.shape[-1]
    length = _BLOCK if a.device.type == "cpu" else max(size, 1)
    return [slice(begin, begin + length) for begin in range(0, max(size, 1), length)]


def add_up(parts: list[Tensor]) -> Tensor:
    """Return the sum of what blocks gave, all `(..., 1)`."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1).sum(-1, keepdim=True)


def combine_norms(parts: list[Tensor]) -> Tensor:
    """Return the norm of the whole from those of its blocks, all `(..., 1)`."""
    return parts[0] if len(parts) == 1 else _norm(torch.cat(parts, -1))


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner products, shape `(..., 1)`.

    A product and a sum round alike for any number of lanes; `matmul` and `einsum` do
    not.
    """
    return add_up([(a[..., p] * b[..., p]).sum(-1, keepdim=True) for p in blocks(a)])


def norm(a: Tensor) -> Tensor:
    """Return the Euclidean norms, shape `(..., 1)`."""
    return combine_norms([_norm(a[..., p]) for p in blocks(a)])


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the norms of `a - b`, shape `(..., 1)`."""
    return combine_norms([_norm(a[..., p] - b[..., p]) for p in blocks(a)])


def compare(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return `<a, b>`, `||a - b||` and `||a||`, read once, all of shape `(..., 1)`."""
    products, distances, norms = [], [], []
    for place in blocks(a):
        one, other = a[..., place], b[..., place]
        products.append((one * other).sum(-1, keepdim=True))
        distances.append(_norm(one - other))
        norms.append(_norm(one))
    return add_up(products), combine_norms(distances), combine_norms(norms)


def overwrite(a: Tensor, b: Tensor) -> Tensor:
    """Copy `b` onto `a`, and return the norms of what that changes, `(..., 1)`."""
    distances = []
    for place in blocks(a):
        one, other = a[..., place], b[..., place]
        distances.append(_norm(one - other))
        one.copy_(other)
    return combine_norms(distances)


def _norm(a: Tensor) -> Tensor:
    return torch.linalg.vector_norm(a, dim=-1, keepdim=True)
