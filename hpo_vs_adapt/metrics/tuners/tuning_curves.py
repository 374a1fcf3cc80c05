"""The best value a policy has reached by the time it has spent so much, tuning counted.

Costs are cumulative: trials, failed ones too, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.tuners.executions import Executions, simulated_executions

__all__ = ["best_probability", "tuning_curves", "tuning_tables"]

_Part: TypeAlias = tuple[tuple[str, str], NDArray[np.float64], NDArray[np.float64]]


def tuning_curves(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str],
    budgets: Mapping[str, float] | None = None,
    points: int = 60,
    samples: int = 500,
    seed: int = 0,
    *,
    coverage: float = 0.95,
) -> pd.DataFrame:
    """Return the best value so far against cumulative cost, for every arm.

    The value at cost x is the best validation metric of all evaluations that an
    execution of the policy has paid for by x: those of the trials that have ended, each
    at all that it spent, and of the running one as they come. Trials cost what they
    cost, none is taken as the mean; a value that is NaN or infinite ends its curve and
    never improves, and what the trial burned is paid. Executions are resampled whole
    (`resampled_orders`). One that has gone through its plan keeps its best: nothing is
    extrapolated beyond the trials that exist.

    `low` and `high` are what single executions reach, `coverage` of them between the
    two: how lucky one may be, not how well the median is known. With few streams of an
    Optuna arm they are the worst and the best stream.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` count.
        curves: One row an evaluation, columns as in `Results.curves`.
        modes: ``max`` or ``min`` for every workload's metric.
        budgets: What one ordinary training of each workload costs; makes that the unit
            of `cost`. Without it costs are in the unit of the records.
        points: Costs at each workload, evenly spaced in their logarithm from the first
            evaluation after step 0 to the dearest execution of any arm.
        samples: Executions simulated of every arm.
        seed: Of the resampling; every workload and arm derives its own, so executions
            of an arm do not depend on the others.
        coverage: Share of executions between `low` and `high`, between 0 and 1.

    Returns:
        Columns `workload, arm, cost, median, low, high`, sorted; an arm's rows end at
        the first cost that pays for its dearest execution. Values in the unit of the
        metric, always as observed (order statistics, no interpolation); NaN where that
        share of executions has no evaluation yet. A workload of which nothing was ever
        evaluated after step 0 has no rows.

    Raises:
        ValueError: As in `arm_passes` and `retarget`, or if `points` is below 2,
            `samples` below 1, a budget missing or not above 0, or `coverage` not
            between 0 and 1.

    Best of k trials over k: Dodge et al., "Show Your Work", EMNLP 2019 (arXiv
    1909.03004); here over cost, as trials differ in it.
    """
    return tuning_tables(
        records, curves, modes, budgets, points, samples, seed, coverage=coverage
    )[0]


def best_probability(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str],
    budgets: Mapping[str, float] | None = None,
    points: int = 60,
    samples: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the probability of each arm to have the best value for so much spending.

    The i-th executions of all arms are compared, those of `tuning_curves` with the same
    seed; arms that are equal share the place. An arm that has gone through its plan
    competes with the best it has.

    Args:
        records: As in `tuning_curves`.
        curves: As in `tuning_curves`.
        modes: As in `tuning_curves`.
        budgets: As in `tuning_curves`.
        points: As in `tuning_curves`.
        samples: As in `tuning_curves`.
        seed: As in `tuning_curves`.

    Returns:
        Columns `workload, arm, cost, probability`, sorted: every arm at every cost.
        Probabilities at one cost add up to 1, or to less while there are executions in
        which no arm has an evaluation yet.

    Raises:
        ValueError: As in `tuning_curves`.

    Sivaprasad et al., "Optimizer Benchmarking Needs to Account for Hyperparameter
    Tuning", ICML 2020 (arXiv 1910.11758), the probability of being the best optimizer.
    """
    return tuning_tables(records, curves, modes, budgets, points, samples, seed)[1]


def tuning_tables(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str],
    budgets: Mapping[str, float] | None = None,
    points: int = 60,
    samples: int = 500,
    seed: int = 0,
    *,
    coverage: float = 0.95,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of `tuning_curves` and `best_probability`, simulated once.

    Args:
        records: As in `tuning_curves`.
        curves: As in `tuning_curves`.
        modes: As in `tuning_curves`.
        budgets: As in `tuning_curves`.
        points: As in `tuning_curves`.
        samples: As in `tuning_curves`.
        seed: As in `tuning_curves`.
        coverage: As in `tuning_curves`.

    Raises:
        ValueError: As in `tuning_curves`.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"`coverage` must be between 0 and 1; got {coverage!r}.")
    bands: list[_Part] = []
    chances: list[_Part] = []
    for one in simulated_executions(
        records, curves, modes, budgets, points, samples, seed
    ):
        bands += _bands(one, coverage)
        chances += _chances(one)
    return _table(bands, ["median", "low", "high"]), _table(chances, ["probability"])


def _bands(one: Executions, coverage: float) -> list[_Part]:
    levels = np.array([0.5, (1 - coverage) / 2, (1 + coverage) / 2])
    parts: list[_Part] = []
    for arm, best in one.best.items():
        end = int(np.searchsorted(one.costs, one.spent[arm])) + 1
        places = np.ceil(levels * len(best)).astype(int) - 1
        middle, low, high = np.sort(best[:, :end], axis=0)[places]
        low, high = (low, high) if one.sign > 0 else (-high, -low)
        shown = np.array([one.sign * middle, low, high])
        shown[np.isinf(shown)] = np.nan
        parts.append(((one.workload, arm), one.costs[:end] / one.unit, shown))
    return parts


def _chances(one: Executions) -> list[_Part]:
    leader = np.maximum.reduce(list(one.best.values()))
    known = np.isfinite(leader)
    first = {arm: known & (best == leader) for arm, best in one.best.items()}
    shared = np.maximum(sum(first.values()), 1)
    costs = one.costs / one.unit
    return [
        ((one.workload, arm), costs, (wins / shared).mean(axis=0)[None])
        for arm, wins in first.items()
    ]


def _table(parts: list[_Part], values: list[str]) -> pd.DataFrame:
    """Return parts below each other: whose they are, costs, and values at those."""
    lengths = [costs.size for _, costs, _ in parts]
    columns: dict[str, NDArray[Any]] = {}
    for place, name in enumerate(("workload", "arm")):
        labels = np.array([names[place] for names, _, _ in parts], dtype=object)
        columns[name] = np.repeat(labels, lengths)
    columns["cost"] = np.concatenate([[], *(costs for _, costs, _ in parts)])
    for place, name in enumerate(values):
        columns[name] = np.concatenate([[], *(table[place] for *_, table in parts)])
    return pd.DataFrame(columns)
