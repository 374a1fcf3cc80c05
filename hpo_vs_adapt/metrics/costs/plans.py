"""Executions of an arm's whole plan, which do not end with the first hit."""

from __future__ import annotations

import pandas as pd

from hpo_vs_adapt.metrics.basics.passes import (
    PARTS,
    STREAM,
    hits_apart,
    pass_parts,
    priced,
    role_rows,
)

__all__ = ["full_plans", "list_parts", "plan_parts"]


def full_plans(
    trials: pd.DataFrame, failure_price: float = 1.0, retrain: bool = True
) -> pd.DataFrame:
    """Return the executions of every arm's full plan, in the columns of `arm_passes`.

    For a tuned arm, random search too, a stream is one execution: every trial at its
    full cost, and the first retrain (the lowest number) of the winner, which adds what
    it spends until it hits; the execution hits if that retrain does. A stream without a
    retrain is not finished and is left out, unless all its trials crashed: then there
    is no winner, and it is a miss. For an arm without `tune` the plan is a training
    with one seed after the other until one hits, so its executions are its passes.
    Retrains are paired: streams with the same winner share one, and with it its luck.

    With ``retrain=False`` nothing is trained again, the best trial is used as it is: a
    stream spends what all its trials do, and hits if one of them did. Luck that a trial
    had with its seed is then kept, so this is cheaper than what it is told to be like.

    Args:
        trials: As in `arm_passes`; rows of roles ``policy`` and ``retrain`` count.
        failure_price: As in `arm_passes`. A trial that hits runs to its end all the
            same, at its full cost.
        retrain: Whether the winner is trained once more.

    Raises:
        ValueError: As in `arm_passes`.
    """
    policy = role_rows(trials, "policy")
    if not retrain:
        return priced(list_parts(policy), failure_price)
    return priced(plan_parts(policy, role_rows(trials, "retrain")), failure_price)


def plan_parts(policy: pd.DataFrame, retrains: pd.DataFrame) -> pd.DataFrame:
    """Return the executions of `full_plans`, in the columns of `pass_parts`.

    Args:
        policy: As from `role_rows`.
        retrains: As from `role_rows`.

    Raises:
        ValueError: If `by` is unknown.
    """
    single = policy["by"] == "single"
    planned = hits_apart(policy[~single], "cost")
    planned = planned.assign(crashed=planned["end"] == "crashed")
    streams = planned.groupby(STREAM, sort=True, as_index=False).agg(
        hit_cost=("hit_cost", "sum"),
        miss_cost=("miss_cost", "sum"),
        crashed=("crashed", "all"),
    )
    again = hits_apart(retrains.drop_duplicates(STREAM), "contribution")
    again = again[PARTS].rename(columns={"hit_cost": "met", "miss_cost": "missed"})
    plans = streams.merge(again, on=STREAM, how="left")
    plans = plans[plans["hit"].notna() | plans["crashed"].astype(bool)]
    plans = plans.assign(
        hit_cost=plans["hit_cost"] + plans["met"].fillna(0.0),
        miss_cost=plans["miss_cost"] + plans["missed"].fillna(0.0),
        hit=plans["hit"].eq(True),
    )[PARTS]
    return _with_passes(policy, plans)


def list_parts(policy: pd.DataFrame) -> pd.DataFrame:
    """Return the executions of `full_plans` that end without a retrain.

    Args:
        policy: As from `role_rows`.

    Raises:
        ValueError: If `by` is unknown.
    """
    tuned = hits_apart(policy[policy["by"] != "single"], "cost")
    streams = tuned.groupby(STREAM, sort=True, as_index=False).agg(
        hit_cost=("hit_cost", "sum"), miss_cost=("miss_cost", "sum"), hit=("hit", "any")
    )
    return _with_passes(policy, streams[PARTS])


def _with_passes(policy: pd.DataFrame, plans: pd.DataFrame) -> pd.DataFrame:
    """Return plans of tuned arms with the passes of the others, sorted."""
    others = pass_parts(policy[policy["by"] == "single"])
    parts = [part for part in (others, plans) if len(part)]
    joined = pd.concat(parts) if parts else plans
    return joined.sort_values(STREAM, kind="stable", ignore_index=True)
