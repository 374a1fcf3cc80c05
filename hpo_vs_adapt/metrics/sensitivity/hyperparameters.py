"""How much a method owes to tuning per workload, and how many of its knobs matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "SubsetCurve",
    "effective_dimension",
    "hyperparameter_sensitivity",
    "subset_curve",
]

_MOST = 20  # hyperparameters: all their subsets are looked at


@dataclass(frozen=True, slots=True)
class SubsetCurve:
    """How many hyperparameters are worth tuning on each workload.

    Args:
        dimension: Interpolated number of them that gives the asked share of the score
            of tuning all; NaN without a configuration.
        curve: Best score with k of them tuned, k from 0 to all.
        subsets: Which k, for each point of the curve.
    """

    dimension: float
    curve: tuple[float, ...]
    subsets: tuple[tuple[str, ...], ...]


def hyperparameter_sensitivity(
    scores: ArrayLike, normalise: bool = False
) -> tuple[float, float, float]:
    """Return how much better a method does when it is tuned for each environment.

    ``tuned = mean_e max_h score(h, e)``, ``default = max_h mean_e score(h, e)``,
    ``phi = tuned - default``: never negative, 0 where one configuration is best
    everywhere.

    Args:
        scores: Score of each configuration on each environment, mean over seeds, higher
            being better, shape `(configurations, environments)`. Configurations with a
            NaN were not run everywhere and are left out. Scores of different
            environments must be on one scale.
        normalise: Bring each environment to one scale first: ``(p - p_5) / (p_95 -
            p_5)`` with the percentiles of its column, not clipped; 0 where they are
            equal.

    Returns:
        `phi`, `tuned`, `default` in the unit of the scores; all NaN if no configuration
        was run everywhere.

    Raises:
        ValueError: If `scores` is not two-dimensional, or a score is infinite.

    Hyperparameter sensitivity: Adkins, Bowling & White, "A Method for Evaluating
    Hyperparameter Sensitivity in Reinforcement Learning", 2024 (arXiv 2412.07165).
    """
    complete = _complete(_checked(scores))
    if not complete.size:
        return math.nan, math.nan, math.nan
    if normalise:
        complete = _normalised(complete)
    tuned = float(complete.max(axis=0).mean())
    default = float(complete.mean(axis=1).max())
    return max(tuned - default, 0.0), tuned, default


def effective_dimension(
    configurations: pd.DataFrame, scores: ArrayLike, threshold: float = 0.95
) -> float:
    """Return how many hyperparameters must be tuned for most of what tuning all gives.

    It is the `dimension` of `subset_curve`, which takes the same arguments and raises
    the same errors: NaN without a configuration that was run everywhere.
    """
    return subset_curve(configurations, scores, threshold).dimension


def subset_curve(
    configurations: pd.DataFrame, scores: ArrayLike, threshold: float = 0.95
) -> SubsetCurve:
    """Return what tuning some of the hyperparameters gives, and how many are needed.

    The default is the configuration with the best mean score. ``P_k`` is the best mean
    over environments when a set of k hyperparameters is tuned for each environment and
    the others keep the default's values: the maximum over sets of ``mean_e max_h``.
    The dimension is the k, on the line between neighbouring points of that curve, where
    ``P_k = threshold * P_n``.

    Args:
        configurations: One row a configuration, one column a hyperparameter; a value
            that is missing equals another that is missing.
        scores: As in `hyperparameter_sensitivity`, row by row; higher is better, 0 is
            the worst that counts, since the threshold is a share.
        threshold: Share of the score with all tuned, above 0 and at most 1.

    Returns:
        The dimension, 0 if the default reaches the threshold, with the curve and the
        sets (of equally good ones that of the first columns). Without a configuration
        that was run everywhere, NaN and empty. Defaults that are equally good: the
        first by the text of its values, so the order of rows does not matter.

    Raises:
        ValueError: If `scores` is invalid or its rows are not those of
            `configurations`, `threshold` is out of range, there are more than 20
            hyperparameters, or the score with all tuned is not positive.

    Effective dimensionality: Adkins, Bowling & White, 2024 (arXiv 2412.07165).
    """
    if not 0 < threshold <= 1:
        raise ValueError(
            f"`threshold` must be above 0 and at most 1; got {threshold!r}."
        )
    found = _checked(scores)
    names = [str(name) for name in configurations.columns]
    if len(found) != len(configurations):
        raise ValueError(
            "`scores` must have one row for each of `configurations`; "
            f"got {len(found)!r} and {len(configurations)!r}."
        )
    if len(names) > _MOST:
        raise ValueError(
            f"`configurations` must have at most {_MOST} columns; got {len(names)!r}. "
            "Leave out hyperparameters that do not vary."
        )
    everywhere = np.flatnonzero(~np.isnan(found).any(axis=1))
    complete = found[everywhere]
    if not complete.size:
        return SubsetCurve(math.nan, (), ())
    best = _best_by_subset(configurations.iloc[everywhere], complete)
    curve, subsets = _by_size(best, len(names))
    if not curve[-1] > 0:
        raise ValueError(
            f"`scores` must be positive where all is tuned; got {float(curve[-1])!r}. "
            "Normalise them so that 0 is bad."
        )
    chosen = tuple(
        tuple(name for bit, name in enumerate(names) if subset >> bit & 1)
        for subset in subsets
    )
    dimension = _crossing(curve, threshold * curve[-1])
    return SubsetCurve(dimension, tuple(map(float, curve)), chosen)


def _checked(scores: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(scores, dtype=np.float64)
    if found.ndim != 2:
        raise ValueError(
            "`scores` must have the shape (configurations, environments); "
            f"got shape {found.shape}."
        )
    if np.isinf(found).any():
        raise ValueError(
            f"`scores` must be finite, or NaN where not run; got {found.tolist()!r}. "
            "Give a run that diverged the worst score of its environment."
        )
    return found


def _complete(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return scores[~np.isnan(scores).any(axis=1)]


def _normalised(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.percentile(scores, [5, 95], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.where(high > low, (scores - low) / spread, 0.0)


def _best_by_subset(
    configurations: pd.DataFrame, scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean tuned score for each set of hyperparameters, as bits."""
    means = scores.mean(axis=1)
    tied = np.flatnonzero(means == means.max())
    text = [repr(row) for row in configurations.itertuples(index=False, name=None)]
    default = min(tied, key=lambda place: text[place])
    moved = np.zeros(len(scores), dtype=np.int64)
    for bit in range(configurations.shape[1]):
        codes = pd.factorize(configurations.iloc[:, bit])[0]  # missing: all the same
        moved |= (codes != codes[default]).astype(np.int64) << bit
    number = configurations.shape[1]
    best = np.full((2**number, scores.shape[1]), -np.inf)
    np.maximum.at(best, moved, scores)
    # A set allows what its subsets allow: take the maximum bit by bit.
    for bit in range(number):
        pairs = best.reshape(-1, 2, 2**bit, scores.shape[1])
        pairs[:, 1] = np.maximum(pairs[:, 1], pairs[:, 0])
    return best.mean(axis=1)


def _by_size(
    best: NDArray[np.float64], number: int
) -> tuple[NDArray[np.float64], list[int]]:
    """Return the best mean score of each size of set, and the set that has it."""
    sets = np.arange(best.size)
    sizes = sum((sets >> bit & 1 for bit in range(number)), np.zeros_like(sets))
    chosen = [
        int(members[best[members].argmax()])
        for members in (np.flatnonzero(sizes == size) for size in range(number + 1))
    ]
    return best[chosen], chosen


def _crossing(curve: NDArray[np.float64], level: float) -> float:
    """Return where a curve that never falls reaches a level, on the line between."""
    above = int((curve >= level).argmax())
    if not above:
        return 0.0
    below = curve[above - 1]
    return float(above - 1 + (level - below) / (curve[above] - below))
