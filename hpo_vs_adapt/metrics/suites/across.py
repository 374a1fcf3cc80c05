"""Arms over all workloads of a study: profiles, mean ratios, who improves on whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.checks import check_columns
from hpo_vs_adapt.metrics.suites.profiles import (
    data_profile,
    leave_one_out_scores,
    profile_scores,
)

__all__ = ["ACROSS_COLUMNS", "ALPHAS", "across_workloads", "budget_profiles"]

ALPHAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Budgets of data profiles, in ordinary trainings."""

ACROSS_COLUMNS = (
    "arm",
    "workloads",  # of the study
    "tried",  # on how many of them the arm has trials
    "solved",  # on how many it met the target
    "score",  # performance-profile score, 0 to 1
    "score_low",  # least and greatest if one of the others had not competed
    "score_high",
    "mean_ratio",  # geometric, of bills to the reference's
    "in_how_many",  # workloads that mean is over
    *(f"within_{alpha:g}" for alpha in ALPHAS),  # share solved for so many trainings
)
"""Columns of `across_workloads`; shares of 1, ratios without a unit."""


def across_workloads(
    bills: pd.DataFrame,
    budgets: Mapping[str, float],
    reference: str | None = None,
    r_max: float = 4.0,
) -> pd.DataFrame:
    """Return how each arm does over all workloads, its tuning counted.

    - ``score``: `profile_scores` of bills. It depends on who competes: `score_low` and
      `score_high` are its least and greatest value over `leave_one_out_scores`.
    - ``within_a``: `data_profile` at a ordinary trainings (`budgets`): the share of
      workloads whose bill is at most a times the budget there, whoever competes.
    - ``mean_ratio = exp(mean over workloads of log(bill / reference's bill))``, over
      those where both met the target, of which there are `in_how_many`: an arm that
      solves only what is easy may have a good mean of few. Means over different
      workloads don't rank arms.

    These describe this suite of workloads; how sure each bill is stands in `ranking`.

    Args:
        bills: Columns `workload, arm, trials, bill`, as from `arm_bills`; where a
            bill is NaN or ``inf`` the target was never met.
        budgets: What one ordinary training costs on each workload, in the unit of the
            bills, above 0.
        reference: Arm that `mean_ratio` is relative to; None: it is NaN.
        r_max: Ratio from which on an arm scores nothing.

    Returns:
        Columns `ACROSS_COLUMNS`, one row an arm, best score first, then by name. A
        workload on which an arm has no trial counts as not solved by it: compare
        `tried` with `workloads`. Where all bills are infinite nobody scores. Leaving
        out competitors says nothing of an arm that has none: bounds are then its score.
        A bill of 0 is in no mean ratio.

    Raises:
        ValueError: If a column or a budget is missing, an arm has two bills on a
            workload, a bill is negative, a budget is not finite and above 0, or
            `r_max` is not above 1.

    Dolan and Moré, 2002; Gould and Scott, 2016; Moré and Wild, 2009: see
    `profile_scores`, `leave_one_out_scores` and `data_profile`.
    """
    times = _times(bills)
    table = pd.DataFrame(index=times.index)
    table["workloads"] = times.shape[1]
    table["tried"] = bills[bills["trials"] > 0].groupby("arm").size()
    table["tried"] = table["tried"].fillna(0).astype(int)
    table["solved"] = np.isfinite(times).sum(axis=1)
    table["score"] = profile_scores(times, r_max)
    others = leave_one_out_scores(times, r_max).groupby("method")["score"]
    for name, bound in (("score_low", others.min()), ("score_high", others.max())):
        table[name] = bound.reindex(table.index).astype(float).fillna(table["score"])
    ratios = _log_ratios(times, reference)
    table["mean_ratio"] = np.exp(ratios.mean(axis=1))
    table["in_how_many"] = ratios.notna().sum(axis=1)
    shares = data_profile(_trainings(times, budgets), ALPHAS)
    shares.columns = pd.Index([f"within_{alpha:g}" for alpha in ALPHAS])
    table = table.join(shares).reset_index()
    table = table.sort_values(["score", "arm"], ascending=[False, True])
    return table.reset_index(drop=True)[list(ACROSS_COLUMNS)]


def budget_profiles(
    bills: pd.DataFrame, budgets: Mapping[str, float], alphas: Sequence[float] = ALPHAS
) -> pd.DataFrame:
    """Return the share of workloads each arm solves within so many trainings.

    Args:
        bills: As in `across_workloads`.
        budgets: As in `across_workloads`.
        alphas: Budgets in ordinary trainings, not negative.

    Returns:
        Columns `arm, alpha, share`, one row per arm and budget, sorted: `data_profile`
        for drawing.

    Raises:
        ValueError: As in `across_workloads`, or if one of `alphas` is negative or NaN.
    """
    levels = sorted(dict.fromkeys(alphas))
    shares = data_profile(_trainings(_times(bills), budgets), levels)
    shares.columns = pd.Index(levels)
    found = shares.reset_index().melt("arm", var_name="alpha", value_name="share")
    found = found.astype({"alpha": float, "share": float})
    return found.sort_values(["arm", "alpha"], ignore_index=True)


def _times(bills: pd.DataFrame) -> pd.DataFrame:
    """Return bills, arms by workloads, ``inf`` where the target was never met."""
    needed = ("workload", "arm", "trials", "bill")
    check_columns("bills", bills, needed, "arm_bills")
    twice = bills[bills.duplicated(["workload", "arm"])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(
            "`bills` must have one row per workload and arm; "
            f"got two of {first['arm']!r} on {first['workload']!r}."
        )
    times = bills.astype({"bill": float}).pivot(
        index="arm", columns="workload", values="bill"
    )
    return times.fillna(math.inf)


def _trainings(times: pd.DataFrame, budgets: Mapping[str, float]) -> pd.DataFrame:
    for workload in times.columns:
        budget = budgets.get(workload, math.nan)
        if not 0 < budget < math.inf:
            raise ValueError(
                "`budgets` must be finite and above 0 for every workload; "
                f"got {budget!r} for {workload!r}."
            )
    return times.div([budgets[name] for name in times.columns], axis=1)


def _log_ratios(times: pd.DataFrame, reference: str | None) -> pd.DataFrame:
    """Return log ratios to the reference, NaN where one of the two has none."""
    known = times.where(np.isfinite(times) & (times > 0))
    logs = np.log(known.to_numpy(dtype=float))
    table = pd.DataFrame(logs, index=times.index, columns=times.columns)
    if reference not in table.index:
        return table * math.nan
    return table.sub(table.loc[reference], axis=1)
