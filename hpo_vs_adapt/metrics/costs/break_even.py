"""When tuning pays: further trainings, cheaper failures, more workers."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.cost import checked_passes
from hpo_vs_adapt.metrics.costs.break_even_curves import failure_price_lines

__all__ = [
    "BREAK_EVEN_COLUMNS",
    "break_even_failure_fraction",
    "break_even_runs",
    "break_even_table",
]

_Array: TypeAlias = NDArray[np.float64]

_ARM = ["workload", "arm"]
_LINE = ["hit_cost", "miss_cost", "pass_hits"]  # see `failure_price_lines`

BREAK_EVEN_COLUMNS = (
    "workload",
    "tuned",  # name of the tuned arm
    "other",  # name of the arm without `tune`
    "runs",  # R*: `bill` up to the first hit
    "runs_full_plan",  # R* where the tuned arm runs its full plan
    "fraction",  # f*: the other arm is charged as in `bills`
    "crossing_price",  # where both arms' misses are priced alike and bills cross
    "workers",  # least W at which the tuned arm is the quicker
)
"""Columns of `break_even_table`."""


def break_even_runs(
    tuning_bill: float, tuned_cost: float, other_bill: float, other_cost: float
) -> float:
    """Return after how many further trainings tuning has paid.

    ``R* = (C_tune - C_other) / (c_other - c_tuned)``, the least R >= 0 at which
    ``C_tune + R * c_tuned <= C_other + R * c_other``. Not a whole number: round up.

    Args:
        tuning_bill: C_tune, what it costs to tune until the target is first met. In a
            row of `arm_bills` that is `bill` if tuning ends with its first hit, or
            `full_plan` if the plan is run in full and its winner trained once.
        tuned_cost: c_tuned, what each further training with the found setting costs:
            `cost_per_run`, the ERT of the retrained winner.
        other_bill: C_other, the `bill` of the arm that is compared.
        other_cost: c_other, what each further training of it costs: `cost_per_run`,
            which equals its `bill` if it is not tuned.

    Returns:
        0 where the tuned arm costs no more from the start (it may be overtaken later if
        its trainings cost more); ``inf`` where it never has paid, as its trainings are
        not the cheaper ones or as one that costs ``inf`` never meets the target. A bill
        of ``inf`` on the other side alone is 0. A cost of ``inf`` for further trainings
        of the other arm alone gives 0 as well: the first of them already decides. NaN
        where what is needed is NaN: a bill, or, unless the bills decide, a cost.

    Raises:
        ValueError: If a number is negative.
    """
    given = {
        "tuning_bill": tuning_bill,
        "tuned_cost": tuned_cost,
        "other_bill": other_bill,
        "other_cost": other_cost,
    }
    for name, value in given.items():
        if value < 0:
            raise ValueError(f"`{name}` must not be negative; got {value!r}.")
    arrays = [np.array([value], dtype=np.float64) for value in given.values()]
    return float(_runs(*arrays)[0])


def break_even_failure_fraction(
    hit_costs: ArrayLike, miss_costs: ArrayLike, other_bill: float
) -> float:
    """Return the share of its cost that a miss may burn before tuning loses.

    With s hits the bill at f is ``ERT(f) = (sum hit + f * sum miss) / s``, so
    ``f* = (s * other_bill - sum hit) / sum miss``, cut off at 0 and 1. It says how
    early an early stopping that always knows the misses would have to end them.

    Args:
        hit_costs: What each trial that met the target spent until then, shape `(s,)`.
        miss_costs: What each trial that missed it spent, in the same unit, shape
            `(m,)`.
        other_bill: Bill that tuning has to stay within, in the same unit; ``inf``:
            never met.

    Returns:
        0 where tuning loses at every price, also without a hit; 1 where it loses at
        none, a tie included. NaN without a trial, or if `other_bill` is NaN.

    Raises:
        ValueError: If an array is not one-dimensional, one of its costs is negative or
            not finite, or `other_bill` is negative.
    """
    if other_bill < 0:
        raise ValueError(f"`other_bill` must not be negative; got {other_bill!r}.")
    hit, miss = (
        checked_passes(costs, np.ones(np.shape(costs)))[0]
        for costs in (hit_costs, miss_costs)
    )
    if not hit.size and not miss.size:
        return math.nan
    sums = (math.fsum(hit), math.fsum(miss), float(hit.size), other_bill)
    return float(_fraction(*(np.array([one], dtype=np.float64) for one in sums))[0])


def break_even_table(
    trials: pd.DataFrame, bills: pd.DataFrame, by_workers: pd.DataFrame
) -> pd.DataFrame:
    """Return where tuning breaks even: each tuned arm against each arm without `tune`.

    - ``runs``: `break_even_runs` with C_tune the `bill` and c_tuned the `cost_per_run`
      of the tuned arm; where the lines of `retraining_curves` cross. It is kind to
      tuning: the bill ends with the first setting that hits, while `cost_per_run` is
      that of the winner of the whole plan, which is known only when all of it has run.
      ``runs_full_plan`` charges that: C_tune is `full_plan`.
    - ``fraction``: `break_even_failure_fraction` of the tuned arm's passes against the
      other arm's `bill`: early stopping as a service of the tuner alone.
      ``crossing_price`` is where the lines of both in `failure_price_curves` cross, the
      misses of the other arm priced like the tuned arm's: the order of the two bills at
      lower prices is not that at higher ones.
    - ``workers``: the least number W at which the tuned arm's `latency` is below the
      other arm's at the same W, of those in `by_workers`.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`.
        bills: As from `arm_bills` of the same trials.
        by_workers: As from `bills_by_workers` of the same trials.

    Returns:
        Columns `BREAK_EVEN_COLUMNS`, one row a pair in the order of `bills`. `runs` is
        ``inf`` where tuning never has paid. NaN: runs where a `cost_per_run` that is
        needed is not known, as without retrains that hit; `crossing_price` where one
        arm is the cheaper at every price from 0 to 1, or neither ever is; `workers`
        where there is no such number among those looked at; all of them where an arm
        has no trial. The bill of an arm that has passes of which none hit is ``inf``.

    Raises:
        ValueError: As in `arm_passes`.
    """
    lines = failure_price_lines(trials).drop(columns="pass_hits")
    known = bills.merge(lines, on=_ARM, how="left")
    never = (known["passes"] > 0) & (known["pass_hits"] == 0)
    known["bill"] = known["bill"].mask(never, math.inf)
    pairs = known[known["kind"] == "tuned"].merge(
        known[known["kind"].isin(["adaptive", "fixed"])],
        on="workload",
        suffixes=("", "_other"),
    )
    table = pairs[["workload"]].assign(tuned=pairs["arm"], other=pairs["arm_other"])
    hit, miss, hits = _arrays(pairs, _LINE)
    others_line = _arrays(pairs, [f"{name}_other" for name in _LINE])
    bill, plan, run = _arrays(pairs, ["bill", "full_plan", "cost_per_run"])
    other, other_run = _arrays(pairs, ["bill_other", "cost_per_run_other"])
    return table.assign(
        runs=_runs(bill, run, other, other_run),
        runs_full_plan=_runs(plan, run, other, other_run),
        fraction=_fraction(hit, miss, hits, other),
        crossing_price=_crossing([hit, miss, hits], others_line),
        workers=_least_workers(table, by_workers),
    )[list(BREAK_EVEN_COLUMNS)]


def _arrays(table: pd.DataFrame, names: list[str]) -> list[_Array]:
    return [table[name].to_numpy(dtype=np.float64) for name in names]


def _runs(
    tuning_bill: _Array, tuned_cost: _Array, other_bill: _Array, other_cost: _Array
) -> _Array:
    """Return `break_even_runs` of arrays `(n,)`."""
    # Rows that a later line overrules compute inf - inf or divide by zero.
    with np.errstate(invalid="ignore", divide="ignore"):
        runs = (tuning_bill - other_bill) / (other_cost - tuned_cost)
    runs = np.where(tuned_cost >= other_cost, np.inf, runs)
    runs = np.where(np.isnan(tuned_cost) | np.isnan(other_cost), np.nan, runs)
    runs = np.where(tuning_bill <= other_bill, 0.0, runs)
    runs = np.where(np.isinf(tuning_bill), np.inf, runs)
    return np.where(np.isnan(tuning_bill) | np.isnan(other_bill), np.nan, runs)


def _fraction(
    hit_cost: _Array, miss_cost: _Array, hits: _Array, other_bill: _Array
) -> _Array:
    """Return `break_even_failure_fraction` of sums, arrays `(n,)`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        room = hits * other_bill - hit_cost
        # A tie must stay one although the last bits of sums differ.
        room = np.where(np.abs(room) <= 1e-12 * hit_cost, 0.0, room)
        share = np.where(miss_cost > 0, room / miss_cost, np.inf)
    fraction = np.where(room < 0, 0.0, np.minimum(share, 1.0))
    fraction = np.where(hits == 0, 0.0, fraction)
    return np.where(np.isnan(other_bill) | np.isnan(hit_cost), np.nan, fraction)


def _crossing(ours: list[_Array], theirs: list[_Array]) -> _Array:
    """Return the price at which two lines, columns `_LINE`, cross within [0, 1]."""
    # An arm without a hit has no line: 0 / 0 or x / 0.
    with np.errstate(invalid="ignore", divide="ignore"):
        start, slope = ours[0] / ours[2], ours[1] / ours[2]
        other_start, other_slope = theirs[0] / theirs[2], theirs[1] / theirs[2]
        price = (other_start - start) / (slope - other_slope)
    return np.where((price >= 0) & (price <= 1), price, np.nan)


def _least_workers(pairs: pd.DataFrame, by_workers: pd.DataFrame) -> _Array:
    latencies = by_workers.pivot(index=_ARM, columns="workers", values="latency")
    latencies = latencies.sort_index(axis=1).fillna(math.inf)  # NaN: never met
    numbers = latencies.columns.to_numpy(dtype=np.float64)
    ours, theirs = (
        latencies.reindex(pd.MultiIndex.from_frame(pairs[["workload", name]])).to_numpy(
            dtype=np.float64
        )
        for name in ("tuned", "other")
    )
    below = np.where(ours < theirs, numbers, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isinf(below), np.nan, below)
