"""Simulated random walks, kept on disk so that each is simulated once a machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

from hpo_vs_adapt.optim.random_walk import RandomWalk, simulate_walk
from hpo_vs_adapt.partial_files import partial_name

__all__ = ["cache_directory", "find_walk"]

_SIMULATION = 1  # version of `simulate_walk`: another one, other results


def cache_directory() -> Path:
    """Return where walks are kept: the user's cache, as the XDG rule has it."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = named if named.is_absolute() else Path("~/.cache").expanduser()
    return root / "hpo_vs_adapt" / "random_walks"


def find_walk(
    size: int, c: float, betas: tuple[float, float], directory: Path | None = None
) -> RandomWalk:
    """Return `simulate_walk` of the arguments, from disk if it is there.

    A file's name is the hash of the arguments, it appears whole or not at all, and one
    that is damaged is written anew. Without a disk to write to the walk is simulated:
    the value never depends on what was kept.

    Args:
        size: Number of parameters of a tensor.
        c: Share of the newest step in the path.
        betas: Decay of Adam's averages.
        directory: Where walks are kept; None: `cache_directory`.
    """
    asked = repr((_SIMULATION, size, c, betas))
    try:
        path = (directory or cache_directory()) / f"{_digest(asked)}.json"
    except RuntimeError:  # a user without a home
        return simulate_walk(size, c, betas)
    walk = _read(path, asked)
    if walk is None:
        walk = simulate_walk(size, c, betas)
        _write(path, asked, walk)
    return walk


def _read(path: Path, asked: str) -> RandomWalk | None:
    """Return the walk in a file; None if there is none that can be believed."""
    try:
        kept = json.loads(path.read_text())
        walk = RandomWalk(mu=kept["mu"], sigma=kept["sigma"])
        seal = kept["seal"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return walk if seal == _seal(asked, walk) else None


def _write(path: Path, asked: str, walk: RandomWalk) -> None:
    partial = path.parent / partial_name()
    kept = {**dataclasses.asdict(walk), "seal": _seal(asked, walk)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(json.dumps(kept))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError:
        return  # keeping it only saves time


def _seal(asked: str, walk: RandomWalk) -> str:
    """Return a hash by which a file shows that it is whole and meant for `asked`."""
    return _digest(f"{asked} {walk.mu!r} {walk.sigma!r}")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
