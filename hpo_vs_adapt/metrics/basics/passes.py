"""From trials to passes: one execution of an arm's policy, ended by its first hit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.checks import check_columns

__all__ = [
    "PARTS",
    "PASS_COLUMNS",
    "STREAM",
    "arm_passes",
    "hits_apart",
    "pass_parts",
    "priced",
    "role_rows",
]

PASS_COLUMNS = ("workload", "arm", "stream", "cost", "hit")
"""Columns of passes; costs in the unit of the trials."""

STREAM = ["workload", "arm", "stream"]
"""What tells streams apart."""

PARTS = [*STREAM, "hit_cost", "miss_cost", "hit"]
"""Columns of passes whose misses have no price yet."""

_NEEDED = (
    *("workload", "arm", "kind", "by", "role", "stream", "number", "key"),
    *("settings", "batch_size", "seed", "end", "failed", "hit"),
    *("cost", "cost_to_target", "best_metric"),
)

_ORDER = ["workload", "arm", "stream", "number", "seed", "key"]
_BY = ("single", "random", "grid", "optuna", "portfolio")


def arm_passes(trials: pd.DataFrame, failure_price: float = 1.0) -> pd.DataFrame:
    """Return the passes of every arm's policy.

    A pass is one execution of the policy, ended by its first hit. A trial that hits
    contributes what it had spent at its first crossing, any other `failure_price` times
    all that it spent.

    - One trial is one pass: arms without `tune`, and random search.
    - Grid: a stream is one pass; with hits its expected cost is that of the list in
      random order (`expected_finite_list`), without it is all that was spent.
    - Optuna, and portfolios (other arms tried in turn, after Schmidt, Schneider &
      Hennig, 2021, arXiv 2007.01547): a stream is one pass, its trials in the order of
      their numbers up to the first hit.

    A stream that is still running counts with the trials it has: without a hit it adds
    what it has spent so far and no hit. Leaving it out would keep only the streams that
    were quick; for hits that come at a constant rate, spending over hits is then the
    maximum-likelihood estimate.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` count.
        failure_price: Share of its spending that a trial that misses the target is
            charged, from 0 to 1: an early stopping that knew the misses would have to
            end them there. 1 charges what was burned.

    Returns:
        Columns `workload, arm, stream, cost, hit`, one row a pass, sorted; `cost` in
        the unit of the trials.

    Raises:
        ValueError: If a column is missing, `by` is unknown, a cost (of a trial that
            hit: its `cost_to_target` too) is negative or not finite, or `failure_price`
            is not in [0, 1].
    """
    return priced(pass_parts(role_rows(trials, "policy")), failure_price)


def priced(parts: pd.DataFrame, failure_price: float) -> pd.DataFrame:
    """Return passes, columns `PASS_COLUMNS`, from their parts.

    ``cost = hit_cost + failure_price * miss_cost``, so a bill is linear in the price.

    Args:
        parts: As from `pass_parts`, `plan_parts` or `list_parts`.
        failure_price: As in `arm_passes`.

    Raises:
        ValueError: If `failure_price` is not in [0, 1].
    """
    if not 0 <= failure_price <= 1:
        raise ValueError(
            f"`failure_price` must be from 0 to 1; got {failure_price!r}. "
            "It is the share of its spending that a miss is charged."
        )
    cost = parts["hit_cost"] + failure_price * parts["miss_cost"]
    return parts.assign(cost=cost)[list(PASS_COLUMNS)]


def pass_parts(policy: pd.DataFrame) -> pd.DataFrame:
    """Return the passes of `arm_passes`, what hits and what misses cost kept apart.

    Args:
        policy: As from `role_rows`.

    Returns:
        Columns `workload, arm, stream, hit_cost, miss_cost, hit`, one row a pass,
        sorted.

    Raises:
        ValueError: If `by` is unknown.
    """
    unknown = policy[~policy["by"].isin(_BY)]
    if len(unknown):
        first = unknown.iloc[0]
        raise ValueError(
            "`by` must be 'single', 'random', 'grid', 'optuna' or 'portfolio'; "
            f"got {first['by']!r} in arm {first['arm']!r}."
        )
    alone = policy["by"].isin(["single", "random"])
    grid = policy["by"] == "grid"
    hits_so_far = policy.groupby(STREAM)["hit"].cumsum()
    counted = alone | grid | (hits_so_far - policy["hit"] == 0)
    tries = hits_apart(policy[counted], "contribution").assign(
        trial=np.where(alone, np.arange(len(policy)), -1)[counted], grid=grid[counted]
    )
    groups = tries.groupby([*STREAM, "trial"], sort=True, as_index=False)
    parts = groups.agg(
        hit_cost=("hit_cost", "sum"),
        miss_cost=("miss_cost", "sum"),
        hits=("hit", "sum"),
        grid=("grid", "first"),
    )
    # A list in random order: one of its s hits is paid, and each miss comes before all
    # of them with probability 1 / (s + 1); see `expected_finite_list`.
    hits = np.where(parts["grid"].astype(bool), parts["hits"].astype(int), 0)
    return parts.assign(
        hit_cost=parts["hit_cost"] / np.maximum(hits, 1),
        miss_cost=parts["miss_cost"] / (hits + 1),
        hit=parts["hits"] > 0,
    )[PARTS]


def role_rows(trials: pd.DataFrame, role: str) -> pd.DataFrame:
    """Return the trials of one role, sorted, with what each contributes to a pass.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`.
        role: ``policy``, ``retrain`` or ``sweep``.

    Returns:
        The rows in an order that does not depend on the given one, with the column
        `contribution`: `cost_to_target` of trials that hit, `cost` of all others.

    Raises:
        ValueError: If a column is missing, or a cost, or the `cost_to_target` of a
            trial that hit, is negative or not finite.
    """
    check_columns("trials", trials, _NEEDED, "Results.records")
    rows = trials[trials["role"] == role]
    rows = rows.astype({"hit": bool, "failed": bool, "cost": float})
    rows = rows.astype({"cost_to_target": float, "best_metric": float})
    rows = rows.sort_values(_ORDER, kind="stable", ignore_index=True)
    _check_costs(rows, "cost", "be finite and not negative")
    where_hit = "be finite and not negative where `hit` is true"
    _check_costs(rows[rows["hit"]], "cost_to_target", where_hit)
    to_target = rows["cost_to_target"].where(rows["hit"], rows["cost"])
    return rows.assign(contribution=to_target)


def _check_costs(rows: pd.DataFrame, name: str, rule: str) -> None:
    wrong = rows[~(np.isfinite(rows[name]) & (rows[name] >= 0))]
    if len(wrong):
        raise ValueError(
            f"`{name}` must {rule}; got {wrong[name].iloc[0]!r} in record "
            f"{wrong['key'].iloc[0]!r}."
        )


def hits_apart(trials: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Return trials with `hit_cost` and `miss_cost`, one of which is the column `cost`.

    Args:
        trials: With the columns `hit` and `cost`.
        cost: Name of a column.
    """
    spent, hit = trials[cost], trials["hit"]
    return trials.assign(hit_cost=spent.where(hit, 0.0), miss_cost=spent.mask(hit, 0.0))
