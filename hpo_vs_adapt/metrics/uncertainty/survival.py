"""The share of trials that have not met the target yet, as spending goes on."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hpo_vs_adapt.metrics.basics.checks import check_confidence, equal_arrays

__all__ = ["SURVIVAL_COLUMNS", "restricted_mean", "survival"]

SURVIVAL_COLUMNS = ("cost", "at_risk", "survival", "low", "high")
"""Columns of `survival`; `cost` in the unit of the times, the last three are shares."""


def survival(
    times: ArrayLike, hits: ArrayLike, confidence: float = 0.95
) -> pd.DataFrame:
    """Return the Kaplan-Meier estimate of the share that has not met the target.

    ``S(t) = prod over t_i <= t of (1 - d_i / n_i)`` with d_i hits at t_i among the n_i
    trials still at risk; ``1 - S(t)`` is the probability to have met the target by t.
    A trial that hits at the cost at which another is lost comes first.

    A miss is one of two things, and which one it is changes the estimate:

    - *lost*: it ended at a finite time, without a hit, for a reason that says nothing
      of when it would have hit (the study was stopped). It counts up to its time.
    - *a miss by policy*: it diverged, crashed, was pruned, or will not be given more
      budget. It never hits: its time is ``inf``, and it stays at risk for ever. With
      the time at which it diverged instead it would be left out from there on, and the
      method that loses its bad trials early would look the better for it.

    Args:
        times: Cost at which each trial hit or was lost, in one unit, ``inf`` for a miss
            by policy, shape `(n,)`.
        hits: Whether each trial met the target, shape `(n,)`.
        confidence: Of the bounds, at each cost by itself.

    Returns:
        Columns `SURVIVAL_COLUMNS`, one row per finite time, sorted; S is 1 before the
        first and constant between rows. `low` and `high` are the exponential Greenwood
        (log-log) interval, which stays between 0 and 1. That is not defined where S is
        1 or 0: until the first hit `low` is the share that so many trials without a hit
        leave possible, ``((1 - confidence) / 2)^(1 / at_risk)``; when all have hit
        `high` stays what it was, or is one less the same share of all trials.
        No trial, or none with a finite time: no row.

    Raises:
        ValueError: If the shapes differ, a time is NaN or negative, a hit has no finite
            time, or `confidence` is not between 0 and 1.

    Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations", JASA
    1958; exponential Greenwood: Kalbfleisch and Prentice, "The Statistical Analysis of
    Failure Time Data", 1980; bounds without or with hits alone: Clopper and Pearson,
    Biometrika 1934.
    """
    check_confidence(confidence)
    ended, met = _checked(times, hits)
    if not np.isfinite(ended).any():
        return pd.DataFrame(columns=list(SURVIVAL_COLUMNS), dtype=np.float64)
    estimate = _estimate(ended, met)
    with warnings.catch_warnings():
        # Where S is 1 or 0; these bounds are filled in below.
        warnings.filterwarnings("ignore", "The confidence interval is undefined")
        interval = estimate.confidence_interval(confidence, method="log-log")
    rows = np.isfinite(estimate.quantiles) & (estimate.quantiles <= _last(ended))
    cost, share = estimate.quantiles[rows], estimate.probabilities[rows]
    low, high = interval.low.probabilities[rows], interval.high.probabilities[rows]
    at_risk = ended.size - np.searchsorted(np.sort(ended), cost, side="left")
    tail = (1 - confidence) / 2
    low = np.where(share == 1, tail ** (1 / at_risk), np.where(share == 0, 0.0, low))
    high = np.where(share == 1, 1.0, high)
    if share[-1] == 0:
        alone = share.size == 1
        high[-1] = 1 - tail ** (1 / ended.size) if alone else high[-2]
    found = (cost, at_risk, share, low, high)
    return pd.DataFrame(dict(zip(SURVIVAL_COLUMNS, found, strict=True)))


def restricted_mean(times: ArrayLike, hits: ArrayLike, horizon: float) -> float:
    """Return the mean cost to target up to a horizon.

    ``RMST(horizon) = integral of S(t) from 0 to the horizon``: what a trial costs on
    average that ends when it hits or at the horizon. Without a trial lost before the
    horizon it is ``mean(min(T, horizon))``.

    Compare methods at one horizon that all were followed up to, by difference or ratio.

    Args:
        times: Cost at which each trial hit or was lost, ``inf`` for a miss by policy
            (see `survival` for the difference), shape `(n,)`.
        hits: Whether each trial met the target, shape `(n,)`.
        horizon: Where to stop, in the unit of `times`, finite and not negative.

    Returns:
        In the unit of `times`; NaN without a trial.

    Raises:
        ValueError: As in `survival`; if `horizon` is not finite or negative; or if it
            lies beyond the last trial's time and that trial was lost, so that nothing
            is known of S there.

    Royston and Parmar, "Restricted Mean Survival Time", BMC Medical Research
    Methodology, 2013.
    """
    ended, met = _checked(times, hits)
    if not 0 <= horizon < math.inf:
        raise ValueError(f"`horizon` must be finite, not negative; got {horizon!r}.")
    if not ended.size:
        return math.nan
    last = float(ended.max())
    if horizon > last and not met[ended == last].all():
        raise ValueError(
            f"`horizon` must be at most {last!r}, where the last trial was lost; "
            f"got {horizon!r}. Give misses by policy the time inf."
        )
    estimate = _estimate(ended, met)
    inside = estimate.quantiles < horizon
    edges = np.concatenate([[0.0], estimate.quantiles[inside], [horizon]])
    shares = np.concatenate([[1.0], estimate.probabilities[inside]])
    return math.fsum(shares * np.diff(edges))


def _checked(
    times: ArrayLike, hits: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    ended, met = equal_arrays("`times` and `hits`", times, hits)
    if not np.isin(met, (0, 1)).all():
        raise ValueError(f"`hits` must be true or false; got {met.tolist()!r}.")
    if not (ended >= 0).all():
        raise ValueError(
            f"`times` must not be negative or NaN; got {ended.tolist()!r}. "
            "A trial that can never hit has the time inf."
        )
    if np.isinf(ended[met == 1]).any():
        raise ValueError("`times` must be finite where `hits` is true; got inf.")
    return ended, met == 1


def _last(ended: NDArray[np.float64]) -> float:
    return float(ended[np.isfinite(ended)].max())


def _estimate(ended: NDArray[np.float64], met: NDArray[np.bool_]) -> Any:
    """Return SciPy's survival function; misses by policy are lost after all others."""
    finite = np.isfinite(ended)
    beyond = 2 * _last(ended) + 1 if finite.any() else 1.0
    known = np.where(finite, ended, beyond)
    sample = stats.CensoredData.right_censored(known, ~met)
    return stats.ecdf(sample).sf
