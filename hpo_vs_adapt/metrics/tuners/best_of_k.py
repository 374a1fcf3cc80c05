"""The best of k trials that were drawn at random: its mean, its median and a band."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from opda.nonparametric import EmpiricalDistribution
from scipy.special import gammaln

from hpo_vs_adapt.metrics.basics.checks import check_confidence

__all__ = ["BAND_COLUMNS", "Estimator", "best_of_k", "best_of_k_band"]

BAND_COLUMNS = ("k", "low", "median", "high")
"""Columns of `best_of_k_band`; all but `k` in the unit of the values."""

Estimator: TypeAlias = Literal["unbiased", "plugin"]
"""Draws without replacement from the values at hand, or with it."""

SIMULATED_UP_TO = 100
"""Values up to which a band's critical value is simulated; it takes up to 3 s."""


@overload
def best_of_k(values: ArrayLike, k: int, estimator: Estimator = ...) -> float: ...
@overload
def best_of_k(
    values: ArrayLike,
    k: Sequence[int] | NDArray[np.int64],
    estimator: Estimator = ...,
) -> NDArray[np.float64]: ...
def best_of_k(
    values: ArrayLike,
    k: int | Sequence[int] | NDArray[np.int64],
    estimator: Estimator = "unbiased",
) -> float | NDArray[np.float64]:
    """Return the expected largest of k values drawn at random.

    With the n values sorted, v_(1) <= ... <= v_(n):

    - ``unbiased``: ``sum_i v_(i) C(i - 1, k - 1) / C(n, k)``, the mean of the best over
      all subsets of size k. Its variance grows as k comes near n: stop a curve at about
      n / 2, or show `best_of_k_band`.
    - ``plugin``: ``sum_i v_(i) ((i / n)^k - ((i - 1) / n)^k)``, the same over draws
      with replacement. Defined for every k, and biased low.

    Both ask for independent trials: random search or a shuffled grid, not a tuner that
    learns. Give losses with their sign turned, and turn the result back.

    Args:
        values: One number a trial, the higher the better, shape `(n,)`. A trial that
            diverged counts with the worst value there is, which may be ``-inf``.
        k: Draws, at least 1; a number or shape `(m,)`.
        estimator: ``unbiased`` or ``plugin``.

    Returns:
        In the unit of `values`; a float for one k, shape `(m,)` for several. NaN
        without a value, and ``unbiased`` for k > n, of which the values say nothing.
        ``-inf`` where the best may be a value of ``-inf``.

    Raises:
        ValueError: If a value is NaN or ``+inf``, k is not a whole number of at least
            1, or `estimator` is unknown.

    Unbiased: Tang et al., "Showing Your Work Doesn't Always Work", ACL 2020 (arXiv
    2004.13705). Plug-in: Dodge et al., "Show Your Work", EMNLP 2019 (arXiv 1909.03004).
    Their errors: Dodge et al., 2021 (arXiv 2110.00613).
    """
    ordered = _sorted(values)
    draws = _checked_draws(k)
    if estimator not in ("unbiased", "plugin"):
        raise ValueError(
            f"`estimator` must be 'unbiased' or 'plugin'; got {estimator!r}."
        )
    shares = _unbiased if estimator == "unbiased" else _plugin
    weights = shares(ordered.size, np.atleast_1d(draws))
    # A value of -inf that is never the best does not count: 0 times -inf would be NaN.
    terms = np.multiply(
        weights, ordered, where=weights != 0, out=np.zeros_like(weights)
    )
    best = terms.sum(axis=1)
    known = draws <= ordered.size if estimator == "unbiased" else ordered.size > 0
    best = np.where(known, best, np.nan)
    return best if draws.ndim else float(best[0])


def best_of_k_band(
    values: ArrayLike,
    ks: Sequence[int] | NDArray[np.int64],
    confidence: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> pd.DataFrame:
    """Return the median of the best of k draws, with a band for all k at once.

    The best of k has the distribution function ``F^k``, so its median is the quantile
    ``0.5^(1 / k)`` of F, and a band of F that holds everywhere at once with the given
    probability is one of the whole curve. Free of assumptions on F: exact if it is
    continuous, wider than need be where values repeat. Up to 100 values the band is
    that of Learned-Miller and DeStefano, equal-tailed and narrow where the best values
    are, with a critical value from 100 000 simulations of fixed seed, made once for
    every number of values (3 s for 100, 0.3 s for 20); above it is Kolmogorov's and
    Smirnov's, whose upper bound ends at a smaller k.

    Args:
        values: One number a trial, the higher the better, shape `(n,)`; as in
            `best_of_k`, independent.
        ks: Draws, each at least 1, in any number and order.
        confidence: Probability that the band holds for all k together.
        bounds: What no value can fall below or exceed; (0, 1) for an accuracy.

    Returns:
        Columns `BAND_COLUMNS`, one row per entry of `ks`, in their order. Where the
        values say nothing of so large a k (or so small a one), a bound is that of
        `bounds`. Without a value both are, and the median is NaN.

    Raises:
        ValueError: If a value is NaN or outside `bounds`, a k is not a whole number of
            at least 1, or `confidence` is not between 0 and 1.

    Lourie, Cho and He, "Show Your Work with Confidence", NAACL 2024 (arXiv 2311.09480),
    by their package opda; it shows that bootstrap bands miss the curve far too often.
    """
    ordered = _sorted(values)
    draws = np.atleast_1d(_checked_draws(ks))
    check_confidence(confidence)
    floor, ceiling = bounds
    outside = ordered[~((ordered >= floor) & (ordered <= ceiling))]
    if outside.size:
        raise ValueError(
            f"`values` must be within {bounds!r}; got {float(outside[0])!r}."
        )
    if not ordered.size:
        table = {"k": draws, "low": floor, "median": math.nan, "high": ceiling}
        return pd.DataFrame(table, columns=list(BAND_COLUMNS))
    extended = np.concatenate([[floor], ordered, [ceiling]])
    columns = {"k": draws}
    curves = _rank_curves(ordered.size, confidence)
    for name, curve in zip(BAND_COLUMNS[1:], curves, strict=True):
        # A place before the first or after the last value (an infinite one) is a bound.
        places = np.clip(curve.quantile_tuning_curve(draws), -1, ordered.size)
        columns[name] = extended[places.astype(np.int64) + 1]
    return pd.DataFrame(columns)


@lru_cache(maxsize=256)
def _rank_curves(
    size: int, confidence: float
) -> tuple[EmpiricalDistribution, EmpiricalDistribution, EmpiricalDistribution]:
    """Return distributions of the places of `size` values, low curve to high curve.

    A band depends on values by their ranks alone; places have no ties to warn of.
    """
    few = size <= SIMULATED_UP_TO
    lower, middle, upper = EmpiricalDistribution.confidence_bands(
        np.arange(size, dtype=np.float64),
        confidence,
        generator=np.random.default_rng(0),
        method="ld_equal_tailed" if few else "ks",
        n_jobs=1,
    )
    # The more probability lies below, the lower is the best of k.
    return upper, middle, lower


def _unbiased(size: int, draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return C(i - 1, k - 1) / C(n, k), shape `(m, n)`; 0 for i < k."""
    place = np.arange(1, size + 1)
    k = draws[:, None]
    log = (
        *(gammaln(place), -gammaln(k), -gammaln(np.maximum(place - k, 0) + 1)),
        *(gammaln(k + 1), gammaln(np.maximum(size - k, 0) + 1), -gammaln(size + 1)),
    )
    possible = (place >= k) & (k <= size)
    return np.exp(sum(log), where=possible, out=np.zeros(possible.shape))


def _plugin(size: int, draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (i / n)^k - ((i - 1) / n)^k, shape `(m, n)`."""
    shares = np.arange(size + 1) / max(size, 1)
    return np.diff(shares ** draws[:, None].astype(np.float64), axis=1)


def _sorted(values: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"`values` must be one-dimensional; got shape {found.shape}.")
    wrong = found[np.isnan(found) | (found == np.inf)]
    if wrong.size:
        raise ValueError(
            f"`values` must be numbers, or -inf; got {float(wrong[0])!r}. "
            "Give a trial that diverged the worst value there is."
        )
    return np.sort(found)


def _checked_draws(k: int | Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    draws = np.asarray(k, dtype=np.float64)
    if (
        draws.ndim > 1
        or not (np.isfinite(draws) & (draws >= 1) & (np.floor(draws) == draws)).all()
    ):
        raise ValueError(f"`k` must be whole numbers of at least 1; got {k!r}.")
    return draws.astype(np.int64)
