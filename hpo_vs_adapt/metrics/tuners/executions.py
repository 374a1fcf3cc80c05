"""Executions of policies, simulated from the trials that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.checks import check_least
from hpo_vs_adapt.metrics.basics.crossings import (
    RecordCurves,
    first_reaching,
    record_curves,
)
from hpo_vs_adapt.metrics.basics.passes import role_rows
from hpo_vs_adapt.metrics.tuners.best_so_far import best_of_orders, best_within

__all__ = ["Executions", "resampled_orders", "simulated_executions"]


@dataclass(frozen=True, slots=True)
class Executions:
    """Simulated executions of all arms of a workload.

    Args:
        workload: Its name.
        sign: 1 where a high value is good, -1 where a low one is.
        costs: Cumulative spending, shape `(p,)`.
        unit: What the costs are divided by.
        best: Signed values of every arm, shape `(samples, p)`.
        spent: What the dearest execution of every arm spends.
    """

    workload: str
    sign: float
    costs: NDArray[np.float64]
    unit: float
    best: dict[str, NDArray[np.float64]]
    spent: dict[str, float]


def simulated_executions(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str],
    budgets: Mapping[str, float] | None,
    points: int,
    samples: int,
    seed: int,
) -> Iterator[Executions]:
    """Yield executions of all arms for every workload that has evaluations.

    Args:
        records: As in `tuning_curves`.
        curves: As in `tuning_curves`.
        modes: As in `tuning_curves`.
        budgets: As in `tuning_curves`.
        points: As in `tuning_curves`.
        samples: As in `tuning_curves`.
        seed: As in `tuning_curves`.

    Raises:
        ValueError: As in `tuning_curves`.
    """
    check_least("points", points, 2)
    check_least("samples", samples, 1)
    policy = role_rows(records, "policy")
    table = record_curves(policy, curves, modes)
    first = _first_costs(table)
    final = best_within(table, np.arange(len(policy)), table.limit)
    named = policy[["workload", "arm", "by", "stream"]]
    for workload, trials in named.groupby("workload", sort=True):
        unit = _unit(budgets, str(workload))
        orders = {}
        for arm, own in trials.groupby("arm", sort=True):
            label = f"{workload}\x1f{arm}\x1ftuning".encode()
            rng = np.random.default_rng([seed, *label])
            by, stream = own["by"].iloc[0], own["stream"].to_numpy(dtype=np.int64)
            lists, drawn = resampled_orders(by, stream, samples, rng)
            orders[str(arm)] = (np.append(own.index, -1)[lists], drawn)
        spent = {arm: _dearest(table, lists) for arm, (lists, _) in orders.items()}
        start = first[trials.index].min()
        if np.isinf(start):  # nothing was evaluated
            continue
        end = max(start, *spent.values())
        costs = np.geomspace(start, end, points) if start < end else np.array([end])
        costs[0], costs[-1] = start, end
        best = {}
        for arm, (lists, drawn) in orders.items():
            best[arm] = best_of_orders(table, final, lists, costs)[drawn]
        sign = float(table.sign[trials.index[0]])
        yield Executions(str(workload), sign, costs, unit, best, spent)


def resampled_orders(
    by: str, stream: NDArray[np.int64], samples: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return executions of one arm's policy as lists of its trials.

    - Arms without `tune`: one seed after the other, n of the n trials drawn with
      replacement.
    - Random search: so many trials as a stream has (the mean, rounded up), drawn with
      replacement from those of all streams.
    - Grid: a stream drawn with replacement, its trials in random order, none twice.
    - Optuna and portfolios: a stream drawn with replacement, in its recorded order.
      Its trials depend on each other and are never resampled.

    Args:
        by: How the arm is tuned.
        stream: Stream of each of its trials in their recorded order, shape `(n,)`, n at
            least 1.
        samples: Executions.
        rng: Of the resampling.

    Returns:
        Distinct lists, shape `(m, l)`: places in `stream`, -1 at the end of shorter
        lists; and which of them each execution is, shape `(samples,)`.

    Raises:
        ValueError: If `by` is unknown.
    """
    size = stream.size
    _, stream = np.unique(stream, return_inverse=True)
    streams = int(stream.max()) + 1
    own = np.arange(samples)
    if by in ("single", "random"):
        length = size if by == "single" else -(-size // streams)
        return rng.integers(size, size=(samples, length)), own
    lists = _lists(stream, streams)
    drawn = rng.integers(streams, size=samples)
    if by in ("optuna", "portfolio"):
        return lists, drawn
    if by != "grid":
        raise ValueError(
            "`by` must be 'single', 'random', 'grid', 'optuna' or 'portfolio'; "
            f"got {by!r}."
        )
    mixed = lists[drawn]
    key = np.where(mixed >= 0, rng.random(mixed.shape), np.inf)
    return np.take_along_axis(mixed, key.argsort(axis=1), axis=1), own


def _first_costs(table: RecordCurves) -> NDArray[np.float64]:
    """Return each trial's cost at its first evaluation after step 0; inf: none."""
    above = np.full(table.start.size, np.nextafter(0.0, 1.0))
    at = first_reaching(table.cost, table.start, table.stop, above)
    cost = np.minimum(table.cost_at(at), table.limit)
    return np.where((at < table.stop) & (cost > 0), cost, np.inf)


def _dearest(table: RecordCurves, lists: NDArray[np.intp]) -> float:
    return float(np.append(table.limit, 0.0)[lists].sum(axis=1).max())


def _unit(budgets: Mapping[str, float] | None, workload: str) -> float:
    budget = 1.0 if budgets is None else budgets.get(workload)
    if budget is None or not 0 < budget < np.inf:
        raise ValueError(
            "`budgets` must be above 0 and finite for every workload; "
            f"got {budget!r} for {workload!r}."
        )
    return budget


def _lists(stream: NDArray[np.intp], streams: int) -> NDArray[np.intp]:
    """Return the places of every stream's trials, padded with -1."""
    order = np.argsort(stream, kind="stable")
    counts = np.bincount(stream, minlength=streams)
    lists = np.full((streams, counts.max()), -1)
    within = np.arange(order.size) - np.repeat(np.cumsum(counts) - counts, counts)
    lists[stream[order], within] = order
    return lists
