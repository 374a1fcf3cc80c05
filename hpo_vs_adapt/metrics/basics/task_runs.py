"""Runs of two methods on the same tasks, and who wins how many of their pairs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.direction import Direction, Mode

__all__ = ["Runs", "check_known", "paired_tasks", "place_counts", "share_won"]

Runs: TypeAlias = ArrayLike | Mapping[Hashable, ArrayLike]
"""Runs of one task `(n,)`, of several `(n, tasks)`, or by task, unequally many."""


def paired_tasks(
    a: Runs, b: Runs, mode: Mode
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the runs of both by the name of their task, so that higher is better.

    Args:
        a: Runs of one method.
        b: Runs of the other.
        mode: ``max`` if higher is better; for ``min`` all signs are turned.

    Returns:
        From the name of each task (the number of its column) to the sorted runs.

    Raises:
        ValueError: If a value is NaN, the tasks differ, or `mode` is unknown.
    """
    sign = Direction(mode).sign
    ours, theirs = _tasks("a", a), _tasks("b", b)
    if ours.keys() != theirs.keys():
        raise ValueError(
            "`a` and `b` must have runs of the same tasks; "
            f"got {sorted(ours)!r} and {sorted(theirs)!r}."
        )
    return {name: (sign * ours[name], sign * theirs[name]) for name in sorted(ours)}


def place_counts(places: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Return how often each of `size` values is in each row of runs.

    Args:
        places: Each run as the place of its value, from 0, shape `(m, n)`.
        size: Number of distinct values.

    Returns:
        Counts of shape `(m, size)`.
    """
    cells = places + size * np.arange(len(places))[:, None]
    counts = np.bincount(cells.ravel(), minlength=len(places) * size)
    return counts.reshape(len(places), size).astype(np.float64)


def share_won(
    ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of all pairs that `ours` wins, a tie counting half.

    Args:
        ours: Counts of each value, from the lowest, shape `(m, values)`.
        theirs: The same of the other method.

    Returns:
        Shares of shape `(m,)`.
    """
    below = np.cumsum(theirs, axis=1) - theirs / 2
    pairs = ours.sum(axis=1) * theirs.sum(axis=1)
    return np.asarray((ours * below).sum(axis=1) / pairs)


def check_known(name: str, values: NDArray[np.float64]) -> None:
    """Refuse NaN.

    Raises:
        ValueError: If there is one.
    """
    if np.isnan(values).any():
        raise ValueError(
            f"`{name}` must not hold NaN; got {int(np.isnan(values).sum())} of them. "
            "Give a run that failed the worst value there is."
        )


def _tasks(name: str, runs: Runs) -> dict[str, NDArray[np.float64]]:
    if isinstance(runs, Mapping):
        tasks = {str(task): np.asarray(one, np.float64) for task, one in runs.items()}
    else:
        table = np.asarray(runs, dtype=np.float64)
        columns = table[:, None] if table.ndim == 1 else table
        tasks = {str(task): one for task, one in enumerate(columns.T)}
    for one in tasks.values():
        if one.ndim != 1:
            raise ValueError(
                f"`{name}` must be runs, runs by tasks or a mapping of tasks to runs; "
                f"got runs of shape {one.shape}."
            )
        check_known(name, one)
    return {task: np.sort(one) for task, one in tasks.items()}
