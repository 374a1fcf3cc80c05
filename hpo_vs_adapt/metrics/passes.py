"""From trials to passes: one execution of an arm's policy, ended by its first hit."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.cost import expected_finite_list

__all__ = ["PASS_COLUMNS", "arm_passes", "full_plans", "role_rows"]

PASS_COLUMNS = ("workload", "arm", "stream", "cost", "hit")
"""Columns of passes; costs in the unit of the trials."""

_NEEDED = (
    *("workload", "arm", "kind", "by", "role", "stream", "number", "key"),
    *("settings", "batch_size", "seed", "end", "failed", "hit"),
    *("cost", "cost_to_target", "best_metric"),
)

_ORDER = ["workload", "arm", "stream", "number", "seed", "key"]


def arm_passes(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the passes of every arm's policy.

    A pass is one execution of the policy, ended by its first hit. A trial that hits
    contributes what it had spent at its first crossing, any other all that it spent.

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

    Returns:
        Columns `workload, arm, stream, cost, hit`, one row a pass, sorted; `cost` in
        the unit of the trials.

    Raises:
        ValueError: If a column is missing, `by` is unknown, or a trial that hit has no
            finite `cost_to_target`.
    """
    policy = role_rows(trials, "policy")
    alone = policy["by"].isin(["single", "random"])
    parts = [policy.loc[alone, ["workload", "arm", "stream"]]]
    parts[0] = parts[0].assign(
        cost=policy.loc[alone, "contribution"], hit=policy.loc[alone, "hit"]
    )
    rows = []
    for (workload, arm, stream), group in _streams(policy[~alone]):
        by = group["by"].iloc[0]
        if by not in _PASS:
            names = "'single', 'random', 'grid', 'optuna' or 'portfolio'"
            raise ValueError(f"`by` must be {names}; got {by!r} in arm {arm!r}.")
        rows.append((workload, arm, stream, _PASS[by](group), bool(group["hit"].any())))
    parts.append(pd.DataFrame(rows, columns=list(PASS_COLUMNS)))
    return _joined(parts)


def full_plans(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the executions of every arm's full plan, in the columns of `arm_passes`.

    For a tuned arm, random search too, a stream is one execution: every trial at its
    full cost, and the first retrain (the lowest number) of the winner, which adds what
    it spends until it hits; the execution hits if that retrain does. A stream without a
    retrain is not finished and is left out, unless all its trials crashed: then there
    is no winner, and it is a miss. For an arm without `tune` the plan is a training
    with one seed after the other until one hits, so its executions are its passes.
    Retrains are paired: streams with the same winner share one, and with it its luck.

    Args:
        trials: As in `arm_passes`; rows of roles ``policy`` and ``retrain`` count.

    Raises:
        ValueError: As in `arm_passes`.
    """
    policy = role_rows(trials, "policy")
    single = policy["by"] == "single"
    retrains = dict(iter(_streams(role_rows(trials, "retrain"))))
    rows = []
    for stream, group in _streams(policy[~single]):
        spent = math.fsum(group["cost"])
        if stream in retrains:
            first = retrains[stream].iloc[0]
            rows.append((*stream, spent + first["contribution"], bool(first["hit"])))
        elif (group["end"] == "crashed").all():
            rows.append((*stream, spent, False))
    of_tuned = pd.DataFrame(rows, columns=list(PASS_COLUMNS))
    return _joined([arm_passes(trials[trials["by"] == "single"]), of_tuned])


def role_rows(trials: pd.DataFrame, role: str) -> pd.DataFrame:
    """Return the trials of one role, sorted, with what each contributes to a pass.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`.
        role: ``policy``, ``retrain`` or ``sweep``.

    Returns:
        The rows in an order that does not depend on the given one, with the column
        `contribution`: `cost_to_target` of trials that hit, `cost` of all others.

    Raises:
        ValueError: If a column is missing, or a trial that hit has no finite
            `cost_to_target`.
    """
    missing = [name for name in _NEEDED if name not in trials.columns]
    if missing:
        raise ValueError(
            f"`trials` must have the columns of `Results.records`; missing {missing!r}."
        )
    rows = trials[trials["role"] == role]
    rows = rows.astype({"hit": bool, "failed": bool, "cost": float})
    rows = rows.astype({"cost_to_target": float, "best_metric": float})
    rows = rows.sort_values(_ORDER, kind="stable", ignore_index=True)
    lost = rows[rows["hit"] & ~np.isfinite(rows["cost_to_target"])]
    if len(lost):
        raise ValueError(
            "`cost_to_target` must be finite where `hit` is true; "
            f"got {lost['cost_to_target'].iloc[0]!r} in record {lost['key'].iloc[0]!r}."
        )
    to_target = rows["cost_to_target"].where(rows["hit"], rows["cost"])
    return rows.assign(contribution=to_target)


def _streams(
    trials: pd.DataFrame,
) -> Iterator[tuple[tuple[str, str, Hashable], pd.DataFrame]]:
    groups = trials.groupby(["workload", "arm", "stream"], sort=True)
    for (workload, arm, stream), group in groups:
        yield (str(workload), str(arm), stream), group


def _grid_pass(stream: pd.DataFrame) -> float:
    if stream["hit"].any():
        return expected_finite_list(stream["contribution"], stream["hit"])
    return math.fsum(stream["cost"])


def _ordered_pass(stream: pd.DataFrame) -> float:
    hits = stream["hit"].to_numpy()
    end = int(hits.argmax()) + 1 if hits.any() else len(stream)
    return math.fsum(stream["contribution"].iloc[:end])


_PASS: dict[str, Callable[[pd.DataFrame], float]] = {
    "grid": _grid_pass,
    "optuna": _ordered_pass,
    "portfolio": _ordered_pass,
}


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return passes in one table, sorted, however many of the parts are empty."""
    filled = [part for part in parts if len(part)] or parts[:1]
    passes = pd.concat(filled, ignore_index=True)
    passes = passes.astype({"cost": float, "hit": bool})
    return passes.sort_values(
        ["workload", "arm", "stream"], kind="stable", ignore_index=True
    )
