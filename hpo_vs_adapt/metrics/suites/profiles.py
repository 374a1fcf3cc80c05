"""Methods over many workloads: performance profiles and data profiles."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LEAVE_ONE_OUT_COLUMNS",
    "data_profile",
    "leave_one_out_scores",
    "profile_scores",
]

LEAVE_ONE_OUT_COLUMNS = ("left_out", "method", "score")
"""Columns of `leave_one_out_scores`; the score is a share of 1."""


def profile_scores(times: ArrayLike | pd.DataFrame, r_max: float = 4.0) -> pd.Series:
    """Return each method's performance-profile score over workloads.

    With the ratio ``r = t / (least t of the workload)`` and its profile ``rho(tau) =
    share of workloads with r <= tau``, the score is ``1 / (r_max - 1)`` times the
    integral of rho from 1 to r_max. In closed form, and exact:
    ``mean over workloads of max(0, r_max - r) / (r_max - 1)``. (The published AlgoPerf
    scores are a trapezoid rule on 100 points and differ in the third decimal.)

    A score depends on who else competes: without the best method the order of the
    others may change. Show `leave_one_out_scores` or `data_profile` beside it.

    Args:
        times: What each method (row) spends to meet the target of each workload
            (column), in one unit a workload, ``inf`` for never, shape `(n, m)`.
        r_max: Ratio from which on a method scores nothing, finite and above 1.

    Returns:
        `score`, between 0 and 1, indexed by the rows of `times`; 1 is to be the best
        everywhere, ties included. A method that never met the target scores 0 on the
        workload, all do if none met it: such a workload counts. A time of 0 has the
        ratio 1, and any other time there ``inf``. NaN without a workload.

    Raises:
        ValueError: If `times` has not two dimensions or holds a NaN or a negative
            number, or `r_max` is not finite and above 1.

    Dolan and Moré, "Benchmarking Optimization Software with Performance Profiles",
    Mathematical Programming, 2002; score: Dahl et al., 2023 (arXiv 2306.07179).
    """
    table = _checked(times)
    _check_ratio(r_max)
    return pd.Series(_scores(table.to_numpy(), r_max), table.index, name="score")


def leave_one_out_scores(
    times: ArrayLike | pd.DataFrame, r_max: float = 4.0
) -> pd.DataFrame:
    """Return what the methods score when one of them had not competed.

    Args:
        times: As in `profile_scores`.
        r_max: As in `profile_scores`.

    Returns:
        Columns `LEAVE_ONE_OUT_COLUMNS`, one row per ordered pair of methods, in the
        order of the rows of `times`. No row for fewer than two methods.

    Raises:
        ValueError: As in `profile_scores`.

    Gould and Scott, "A Note on Performance Profiles for Benchmarking Software", ACM
    Transactions on Mathematical Software, 2016.
    """
    table = _checked(times)
    _check_ratio(r_max)
    values, methods = table.to_numpy(), table.index
    parts = []
    for place, left_out in enumerate(methods):
        scores = _scores(np.delete(values, place, axis=0), r_max)
        others = methods.delete(place)
        part = {"left_out": [left_out] * len(others), "method": others, "score": scores}
        parts.append(pd.DataFrame(part))
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=list(LEAVE_ONE_OUT_COLUMNS))
    return pd.concat(filled, ignore_index=True)


def data_profile(times: ArrayLike | pd.DataFrame, budgets: ArrayLike) -> pd.DataFrame:
    """Return the share of workloads that each method has solved within a budget.

    ``d(b) = share of workloads with t <= b``. Unlike a performance profile it says the
    same of a method whoever else competes. Budgets mean most in ordinary trainings:
    divide each workload's times by what one training costs there, and a budget of 1 is
    one training of each.

    Args:
        times: As in `profile_scores`, in one unit for all workloads.
        budgets: In the unit of `times`, not negative, shape `(k,)`.

    Returns:
        Shares between 0 and 1, rows as those of `times`, one column per budget. A
        budget of ``inf`` counts what is solved at all. NaN without a workload.

    Raises:
        ValueError: If `times` has not two dimensions or holds a NaN or a negative
            number, or `budgets` has not one dimension or does.

    Moré and Wild, "Benchmarking Derivative-Free Optimization Algorithms", SIAM Journal
    on Optimization 20(1), 2009.
    """
    table = _checked(times)
    limits = np.asarray(budgets, dtype=np.float64)
    if limits.ndim != 1 or not (limits >= 0).all():
        raise ValueError(
            f"`budgets` must be a list of numbers, not negative; got {budgets!r}."
        )
    ordered = np.sort(table.to_numpy(), axis=1)
    finite = np.isfinite(ordered).sum(axis=1)
    shares = np.full((len(table), limits.size), math.nan)
    for place, row in enumerate(ordered):
        solved = np.searchsorted(row[: finite[place]], limits, side="right")
        shares[place] = solved / row.size if row.size else math.nan
    columns = pd.Index(limits, name="budget")
    return pd.DataFrame(shares, index=table.index, columns=columns)


def _scores(times: NDArray[np.float64], r_max: float) -> NDArray[np.float64]:
    if not times.shape[1]:
        return np.full(times.shape[0], math.nan)
    best = times.min(axis=0, initial=np.inf)
    # Where the best is 0 or inf the ratio would be 0 / 0 or inf / inf.
    usual = (best > 0) & np.isfinite(best)
    ratios = np.where((times == best) & np.isfinite(best), 1.0, np.inf)
    np.divide(times, best, where=usual, out=ratios)
    return np.asarray(np.maximum(0, r_max - ratios).mean(axis=1) / (r_max - 1))


def _checked(times: ArrayLike | pd.DataFrame) -> pd.DataFrame:
    values = np.asarray(times, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(
            "`times` must be a table of methods by workloads; "
            f"got shape {values.shape}."
        )
    if not (values >= 0).all():
        wrong = float(values[~(values >= 0)][0])
        raise ValueError(
            f"`times` must not be negative or NaN; got {wrong!r}. Give inf where a "
            "method never met the target, and leave out workloads it was not run on."
        )
    if isinstance(times, pd.DataFrame):
        return pd.DataFrame(values, index=times.index, columns=times.columns)
    return pd.DataFrame(values)


def _check_ratio(r_max: float) -> None:
    if not 1 < r_max < math.inf:
        raise ValueError(f"`r_max` must be finite and above 1; got {r_max!r}.")
