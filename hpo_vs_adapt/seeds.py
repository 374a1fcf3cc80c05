"""Seeds and generators, one for each purpose, derived and never shared."""

from __future__ import annotations

import hashlib

import torch

__all__ = ["derive", "generator"]


def derive(*labels: int | str) -> int:
    """Return a seed in [0, 2**63) that depends on the labels and their order alone.

    Args:
        *labels: What the seed is for, for example ``derive(seed, "batches")``.
    """
    text = "\x1f".join(f"{type(label).__name__}:{label}" for label in labels)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a fresh CPU generator for one purpose of one training seed.

    Two trials with the same seed draw the same weights and the same batches, whatever
    their rules draw: every purpose has a generator of its own.
    """
    return torch.Generator().manual_seed(derive(seed, purpose))
