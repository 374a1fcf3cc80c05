"""A random forest on an arm's trials, and how well it foretells others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.sensitivity.tunings import FEWEST, TREES

__all__ = ["Forest", "cross_validated"]

_FOLDS = 5


class Forest:
    """Bagged regression trees (Breiman, "Random Forests", Machine Learning 2001).

    What scikit-learn's forest does around its trees takes four times as long as they.

    Args:
        columns: Hyperparameters, shape `(n, m)`.
        metric: What they came to, shape `(n,)`.
        seed: Of the resampling.
    """

    def __init__(
        self, columns: NDArray[np.float64], metric: NDArray[np.float64], seed: int
    ) -> None:
        from sklearn.tree import DecisionTreeRegressor

        rng = np.random.default_rng(seed)
        rows, given = len(metric), columns.astype(np.float32)
        drawn = rng.integers(rows, size=(TREES, rows))
        self._trees = [
            DecisionTreeRegressor(random_state=place).fit(
                given,
                metric,
                sample_weight=np.bincount(own, minlength=rows),
                check_input=False,
            )
            for place, own in enumerate(drawn)
        ]

    def __call__(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the metric expected of hyperparameters, shape `(k,)`.

        Args:
            columns: Shape `(k, m)`.
        """
        given = columns.astype(np.float32)
        foretold = [tree.predict(given, check_input=False) for tree in self._trees]
        return np.mean(foretold, axis=0)


def cross_validated(
    columns: NDArray[np.float64], metric: NDArray[np.float64], seed: int
) -> float:
    """Return R^2 of predictions for configurations that were held out, in 5 folds.

    Args:
        columns: As of `Forest`, and so is `metric`.
        metric: Not all the same.
        seed: Of the forests and of the folds.

    Returns:
        1 for perfect predictions, 0 for no better than the mean, or less; NaN with
        fewer than 4 configurations.
    """
    configuration = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
    number = int(configuration.max()) + 1
    if number < FEWEST:
        return math.nan
    # The seeds of one configuration stay together, else it would not be unseen.
    deal = np.random.default_rng(seed).permutation(number) % min(_FOLDS, number)
    fold = deal[configuration]
    foretold = np.empty_like(metric)
    for held_out in range(min(_FOLDS, number)):
        rest = fold != held_out
        forest = Forest(columns[rest], metric[rest], seed)
        foretold[~rest] = forest(columns[~rest])
    left = ((metric - foretold) ** 2).sum()
    return float(1 - left / ((metric - metric.mean()) ** 2).sum())
