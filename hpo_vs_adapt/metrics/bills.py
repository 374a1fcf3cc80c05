"""What a study's arms cost: bills with their intervals, and ratios to a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.cost import expected_running_time
from hpo_vs_adapt.metrics.passes import arm_passes, full_plans, role_rows
from hpo_vs_adapt.metrics.statistics import (
    ert_interval,
    first_probability,
    log_bill_draws,
)

__all__ = ["BILL_COLUMNS", "arm_bills", "reference_ratios"]

_Groups: TypeAlias = dict[tuple[str, str], pd.DataFrame]

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
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what each arm's policy costs on each workload, and how sure that is.

    - ``bill`` = spending of all passes / passes that end in a hit (`arm_passes`).
    - ``full_plan`` = the same over executions of the full plan (`full_plans`).
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
        confidence: Of the intervals.
        seed: Of the bootstrap and of the draws.

    Returns:
        Columns `BILL_COLUMNS`, one row per workload and arm. Costs are NaN where the
        target was never met, bounds also where one pass alone is known.

    Raises:
        ValueError: As in `arm_passes` and `ert_interval`.
    """
    policy = role_rows(trials, "policy")
    runs = pd.concat([policy[policy["by"] == "single"], role_rows(trials, "retrain")])
    passes = arm_passes(trials)
    units = {
        "bill": _by_arm(passes),
        "full_plan": _by_arm(full_plans(trials)),
        "cost_per_run": _by_arm(_records(runs)),
    }
    policies = _by_arm(policy)
    known = {**dict(zip(policy["arm"], policy["kind"], strict=True)), **(kinds or {})}
    rows = []
    for place in _arms(policies, progress):
        workload, arm = place
        row: dict[str, Any] = {
            "workload": workload,
            "arm": arm,
            "kind": known.get(arm, ""),
            "complete": _complete(progress, workload, arm),
        }
        own = policies.get(place, policy.iloc[:0])
        row |= _counts(own, units["bill"].get(place, passes.iloc[:0]))
        for name, groups in units.items():
            row |= _estimate(name, groups.get(place), confidence, seed)
        row["best_metric"] = _best_metric(own, (modes or {}).get(workload, "max"))
        rows.append(row)
    bills = pd.DataFrame(rows, columns=list(BILL_COLUMNS[:-1]))
    chances = first_probability(passes, seed=seed)
    return bills.merge(chances, on=["workload", "arm"], how="left")


def reference_ratios(
    trials: pd.DataFrame,
    reference: str,
    *,
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
        confidence: Probability that an interval is meant to cover.
        samples: Draws.
        seed: Of the draws.

    Returns:
        Columns `workload, arm, ratio, low, high`, one row per workload and arm, sorted.
        All NaN where the arm or the reference never met the target, bounds also where
        one of them has a single pass; the reference itself is exactly 1.

    Raises:
        ValueError: As in `arm_passes`, or if `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be between 0 and 1; got {confidence!r}.")
    tail = (1 - confidence) / 2
    groups = _by_arm(arm_passes(trials))
    rows: list[tuple[str, str, float, float, float]] = []
    for (workload, arm), passes in groups.items():
        against = groups.get((workload, reference))
        bill = _ert(passes)
        base = math.nan if against is None else _ert(against)
        if against is None or math.isnan(bill) or math.isnan(base):
            rows.append((workload, arm, math.nan, math.nan, math.nan))
        elif arm == reference:
            rows.append((workload, arm, 1.0, 1.0, 1.0))
        else:
            ours = log_bill_draws(passes, workload, arm, samples, seed)
            theirs = log_bill_draws(against, workload, reference, samples, seed)
            low, high = np.exp(_difference_bounds(ours, theirs, tail))
            rows.append((workload, arm, bill / base, float(low), float(high)))
    return pd.DataFrame(rows, columns=["workload", "arm", "ratio", "low", "high"])


def _by_arm(table: pd.DataFrame) -> _Groups:
    groups = table.groupby(["workload", "arm"], sort=True)
    return {(str(workload), str(arm)): group for (workload, arm), group in groups}


def _arms(policies: _Groups, progress: pd.DataFrame | None) -> list[tuple[str, str]]:
    """Return workload and arm of every row, as `progress` orders them if given."""
    if progress is None:
        return list(policies)
    planned = progress[progress["role"] == "policy"]
    named = list(zip(planned["workload"], planned["arm"], strict=True))
    return list(dict.fromkeys([*named, *policies]))


def _complete(progress: pd.DataFrame | None, workload: str, arm: str) -> bool:
    if progress is None:
        return True
    own = progress[(progress["workload"] == workload) & (progress["arm"] == arm)]
    own = own[own["role"] != "sweep"]
    return bool((own["done"] >= own["planned"]).all())


def _records(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what runs cost, those that share a record added up: one observation."""
    groups = runs.groupby(["workload", "arm", "key"], sort=True, as_index=False)
    return groups.agg(cost=("contribution", "sum"), hit=("hit", "sum"))


def _counts(own: pd.DataFrame, passes: pd.DataFrame) -> dict[str, int]:
    return {
        "trials": len(own),
        "hits": int(own["hit"].sum()),
        "failures": int(own["failed"].sum()),
        "passes": len(passes),
        "pass_hits": int(passes["hit"].sum()),
    }


def _best_metric(own: pd.DataFrame, mode: str) -> float:
    seeds = own.assign(unit=own["stream"].where(own["by"] != "single", own["seed"]))
    per_unit = seeds.groupby("unit")["best_metric"]
    return float((per_unit.max() if mode == "max" else per_unit.min()).mean())


def _ert(passes: pd.DataFrame) -> float:
    bill = expected_running_time(passes["cost"], passes["hit"])
    return bill if math.isfinite(bill) else math.nan


def _estimate(
    name: str, passes: pd.DataFrame | None, confidence: float, seed: int
) -> dict[str, float]:
    if passes is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), math.nan)
    low, high = ert_interval(passes["cost"], passes["hit"], confidence, seed)
    return {name: _ert(passes), f"{name}_low": low, f"{name}_high": high}


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
