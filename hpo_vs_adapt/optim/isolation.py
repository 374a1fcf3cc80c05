"""Foreign code that leaves the process as it found it."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hpo_vs_adapt.seeds import derive

__all__ = ["isolated", "seed_everything", "stream_of"]


@contextlib.contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """Run a block with gradients enabled, as a training loop's own code runs.

    Afterwards, and after an exception too, autograd's mode and the global generators of
    Python, NumPy and torch are what they were before: a library that seeds one of them,
    or forgets to enable gradients again, changes no later trial of the process.

    Args:
        device: Where the weights are; its generator is restored too.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # theirs
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices), torch.enable_grad():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002  # what a library may have seeded


def seed_everything(*labels: int | str) -> None:
    """Seed the global generators of Python, NumPy and torch, inside `isolated`.

    Args:
        *labels: What the seed is for, as for `seeds.derive`.
    """
    seed = derive(*labels)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  # the generator that libraries use
    torch.manual_seed(seed)


def stream_of(w: Tensor) -> int:
    """Return a seed that follows from a lane's initial weights, shape `(P,)`.

    So lanes with other training seeds draw other numbers, and a lane draws the same in
    any pack.
    """
    digest = hashlib.blake2b(w.detach().cpu().numpy().tobytes(), digest_size=7)
    return int.from_bytes(digest.digest(), "big")
