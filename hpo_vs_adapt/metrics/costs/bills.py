"""What a study's arms cost: bills with their intervals, and ratios to a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.checks import check_confidence
from hpo_vs_adapt.metrics.basics.cost import expected_running_time
from hpo_vs_adapt.metrics.basics.passes import (
    arm_passes,
    pass_parts,
    priced,
    role_rows,
)
from hpo_vs_adapt.metrics.costs.arm_counts import arm_counts, best_metrics
from hpo_vs_adapt.metrics.costs.plans import list_parts, plan_parts
from hpo_vs_adapt.metrics.uncertainty.intervals import (
    ert_interval,
    first_probability,
    log_bill_draws,
)

__all__ = ["BILL_COLUMNS", "arm_bills", "reference_ratios"]

_ARM = ["workload", "arm"]

BILL_COLUMNS = (
    "workload",
    "arm",
    "kind",  # tuned, adaptive, fixed; empty where it is not known
    "complete",  # all that is planned is done, retrains included
    "trials",  # of the policy: retrains and sweeps are in no count
    "hits",
    "failures",
    "passes",
    "pass_hits",
    "bill",
    "bill_low",
    "bill_high",
    "full_plan",
    "full_plan_low",
    "full_plan_high",
    "all_trials",
    "all_trials_low",
    "all_trials_high",
    "cost_per_run",
    "cost_per_run_low",
    "cost_per_run_high",
    "best_metric",
    "first_probability",
)
"""Columns of `arm_bills`; costs in the unit of the trials, NaN where never met."""


def arm_bills(
    trials: pd.DataFrame,
    progress: pd.DataFrame | None = None,
    *,
    kinds: Mapping[str, str] | None = None,
    modes: Mapping[str, str] | None = None,
    failure_price: float = 1.0,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what each arm's policy costs on each workload, and how sure that is.

    - ``bill`` = spending of all passes / passes that end in a hit (`arm_passes`).
    - ``full_plan`` = the same over executions of the full plan (`full_plans`), which
      end with a retrain of the winner; ``all_trials`` without that retrain.
    - ``cost_per_run`` = ERT of the winner's retrains (tuned), or of the arm's seeds.
    - Intervals: `ert_interval`. Retrains that share a record are one observation.
    - ``best_metric``: mean over seeds (arms without `tune`) or over streams of the best
      validation metric; trials that crashed before an evaluation have none.
    - ``first_probability``: `first_probability`.

    An arm's row, its first probability apart, does not depend on the other arms.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`.
        progress: Columns `workload, arm, role, planned, done`: gives rows (and their
            order) to arms that have no trial yet, and `complete`. Without it every arm
            is taken to be complete.
        kinds: Kind of each arm, for arms that have no trial yet.
        modes: Mode of each workload's metric, ``max`` where it is not named.
        failure_price: Share of its spending that a trial, or a retrain, that misses the
            target is charged, from 0 to 1 (`arm_passes`).
        confidence: Of the intervals.
        seed: Of the bootstrap and of the draws.

    Returns:
        Columns `BILL_COLUMNS`, one row per workload and arm. Costs are NaN where the
        target was never met, bounds also where one pass alone is known.

    Raises:
        ValueError: As in `arm_passes` and `ert_interval`.
    """
    policy, retrains = role_rows(trials, "policy"), role_rows(trials, "retrain")
    passes = priced(pass_parts(policy), failure_price)
    estimates = {
        "bill": passes,
        "full_plan": priced(plan_parts(policy, retrains), failure_price),
        "all_trials": priced(list_parts(policy), failure_price),
        "cost_per_run": _runs(policy, retrains, failure_price),
    }
    bills = _arms(policy, progress)
    known = {**dict(zip(policy["arm"], policy["kind"], strict=True)), **(kinds or {})}
    bills["kind"] = [known.get(arm, "") for arm in bills["arm"]]
    bills["complete"] = _complete(bills, progress)
    bills = arm_counts(bills, policy, passes)
    for name, table in estimates.items():
        estimated = _estimates(table, name, confidence, seed)
        bills = bills.merge(estimated, on=_ARM, how="left")
    bills = bills.merge(best_metrics(policy, modes or {}), on=_ARM, how="left")
    bills = bills.merge(first_probability(passes, seed=seed), on=_ARM, how="left")
    return bills[list(BILL_COLUMNS)]


def reference_ratios(
    trials: pd.DataFrame,
    reference: str,
    *,
    failure_price: float = 1.0,
    confidence: float = 0.95,
    samples: int = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return each arm's bill in multiples of the reference arm's, tuning counted.

    The interval holds the quantiles of the difference of two independent draws of log
    bills (`log_ert_quantiles`). Luck that arms share through their seeds is ignored, so
    it is rather too wide than too narrow. A ratio does not depend on third arms.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`.
        reference: Name of the arm that is 1.
        failure_price: As in `arm_passes`, for both arms.
        confidence: Probability that an interval is meant to cover.
        samples: Draws.
        seed: Of the draws.

    Returns:
        Columns `workload, arm, ratio, low, high`, one row per workload and arm, sorted.
        All NaN where the arm or the reference never met the target, or the reference's
        bill is 0; bounds also where the arm's is, or one of them has a single pass. The
        reference itself is exactly 1.

    Raises:
        ValueError: As in `arm_passes`, or if `confidence` is not between 0 and 1.
    """
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    groups = _by_arm(arm_passes(trials, failure_price))
    bases = {
        workload: (
            _ert(group["cost"], group["hit"]),
            log_bill_draws(group, workload, arm, samples, seed),
        )
        for (workload, arm), group in groups.items()
        if arm == reference
    }
    rows: list[tuple[str, str, float, float, float]] = []
    for (workload, arm), passes in groups.items():
        base, theirs = bases.get(workload, (math.nan, np.empty(0)))
        bill = _ert(passes["cost"], passes["hit"])
        if math.isnan(bill) or math.isnan(base):
            rows.append((workload, arm, math.nan, math.nan, math.nan))
        elif arm == reference:
            rows.append((workload, arm, 1.0, 1.0, 1.0))
        elif not base:  # nothing is a multiple of a bill of 0
            rows.append((workload, arm, math.nan, math.nan, math.nan))
        else:
            ours = log_bill_draws(passes, workload, arm, samples, seed)
            low, high = np.exp(_difference_bounds(ours, theirs, tail))
            rows.append((workload, arm, bill / base, float(low), float(high)))
    return pd.DataFrame(rows, columns=["workload", "arm", "ratio", "low", "high"])


def _by_arm(table: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    groups = table.groupby(_ARM, sort=True)
    return {(str(workload), str(arm)): group for (workload, arm), group in groups}


def _arms(policy: pd.DataFrame, progress: pd.DataFrame | None) -> pd.DataFrame:
    """Return workload and arm of every row, as `progress` orders them if given."""
    named = policy[_ARM].astype(str)
    if progress is not None:
        planned = progress.loc[progress["role"] == "policy", _ARM].astype(str)
        named = pd.concat([planned, named])
    return named.drop_duplicates(ignore_index=True)


def _complete(arms: pd.DataFrame, progress: pd.DataFrame | None) -> list[bool]:
    if progress is None:
        return [True] * len(arms)
    open_ = progress[(progress["role"] != "sweep")]
    open_ = open_[open_["done"] < open_["planned"]]
    waiting = set(zip(open_["workload"], open_["arm"], strict=True))
    return [
        one not in waiting for one in zip(arms["workload"], arms["arm"], strict=True)
    ]


def _runs(
    policy: pd.DataFrame, retrains: pd.DataFrame, failure_price: float
) -> pd.DataFrame:
    """Return what runs cost, those that share a record added up: one observation."""
    runs = pd.concat([policy[policy["by"] == "single"], retrains])
    spent = runs["contribution"]
    runs = runs.assign(cost=spent.where(runs["hit"], failure_price * spent))
    groups = runs.groupby([*_ARM, "key"], sort=True, as_index=False)
    return groups.agg(cost=("cost", "sum"), hit=("hit", "sum"))


def _ert(cost: ArrayLike, hit: ArrayLike) -> float:
    bill = expected_running_time(cost, hit)
    return bill if math.isfinite(bill) else math.nan


def _estimates(
    passes: pd.DataFrame, name: str, confidence: float, seed: int
) -> pd.DataFrame:
    """Return `workload, arm`, the ERT as column `name`, and the interval's bounds."""
    rows = []
    for place, group in _by_arm(passes).items():
        cost, hit = group["cost"].to_numpy(), group["hit"].to_numpy()
        bounds = ert_interval(cost, hit, confidence, seed)
        rows.append((*place, _ert(cost, hit), *bounds))
    return pd.DataFrame(rows, columns=[*_ARM, name, f"{name}_low", f"{name}_high"])


def _difference_bounds(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], tail: float
) -> tuple[float, float]:
    """Return the outer quantiles of the differences; inf - inf may be anything."""
    if np.isnan(ours).any() or np.isnan(theirs).any():
        return math.nan, math.nan
    unknown = np.isinf(ours) & np.isinf(theirs)
    known = np.where(unknown, 0.0, ours) - np.where(unknown, 0.0, theirs)
    low = np.where(unknown, -np.inf, known)
    high = np.where(unknown, np.inf, known)
    return (
        float(np.quantile(low, tail, method="inverted_cdf")),
        float(np.quantile(high, 1 - tail, method="inverted_cdf")),
    )
