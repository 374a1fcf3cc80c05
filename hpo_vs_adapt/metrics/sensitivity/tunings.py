"""What an arm's tuner was told: hyperparameters as numbers that a model can learn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.direction import Direction, metric_signs
from hpo_vs_adapt.metrics.basics.passes import role_rows
from hpo_vs_adapt.metrics.sensitivity.sweeps import as_numbers

__all__ = ["FEWEST", "TREES", "Axis", "Tuning", "make_axis", "tuned_trials", "tunings"]

FEWEST = 4
"""Trials, or configurations, below which nothing is said of an arm."""

TREES = 16
"""Trees of a random forest: each takes a millisecond, however few the trials."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One hyperparameter of an arm, as one column or as one for each category."""

    name: str
    columns: NDArray[np.float64]  # of the trials, within [0, 1], shape `(n, m)`
    categories: tuple[Any, ...] = ()  # none: a number
    low: float = math.nan  # of a number, log10 if `log`
    high: float = math.nan
    log: bool = False

    def candidates(self, points: int) -> tuple[list[Any], NDArray[np.float64]]:
        """Return values to try, and what they are in columns."""
        if self.categories:
            return list(self.categories), np.eye(len(self.categories))
        places = np.linspace(0, 1, points)
        numbers = np.linspace(self.low, self.high, points)
        return list(10**numbers if self.log else numbers), places[:, None]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an arm's tuner was told on one workload, in an order of its own."""

    workload: str
    arm: str
    direction: Direction
    names: list[str]  # hyperparameters of the arm
    axes: list[Axis]  # those of which something can be said here
    metric: NDArray[np.float64]


def tunings(records: pd.DataFrame, modes: Mapping[str, str]) -> Iterator[Tuning]:
    """Yield what the tuner of each tuned arm was told on each workload, sorted.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` of tuned arms (portfolios apart) count. A trial that
            diverged counts with the worst metric of the arm's trials on the workload;
            one that crashed, or has no metric, is left out, as tuners do. A record that
            several streams share counts once.
        modes: Mode of each workload's metric, ``max`` where it is not named.

    Raises:
        ValueError: As in `arm_passes`.
    """
    policy = tuned_trials(records, modes)
    names = _varied(policy)
    for (workload, arm), group in policy.groupby(["workload", "arm"], sort=True):
        told = group[group["told"].notna()]
        found = told["told"].to_numpy(dtype=np.float64)
        axes: list[Axis] = []
        if found.size >= FEWEST and np.ptp(found) > 0:
            for name in names[str(arm)]:
                axes += make_axis(name, [one.get(name) for one in told["chosen"]])
        direction = Direction(modes.get(str(workload), "max"))
        yield Tuning(str(workload), str(arm), direction, names[str(arm)], axes, found)


def tuned_trials(records: pd.DataFrame, modes: Mapping[str, str]) -> pd.DataFrame:
    """Return the trials of `tunings`, with what they were given and what was told.

    Args:
        records: As in `tunings`.
        modes: As in `tunings`.

    Returns:
        The rows, sorted, with `chosen`, a dict of the settings and `batch_size`, and
        `told`, the metric as the tuner counts it; NaN for trials that it leaves out.

    Raises:
        ValueError: As in `arm_passes`.
    """
    policy = role_rows(records, "policy")
    policy = policy[policy["by"].isin(["grid", "random", "optuna"])]
    sizes = zip(policy["settings"], policy["batch_size"], strict=True)
    chosen = [{**settings, "batch_size": size} for settings, size in sizes]
    policy = policy.assign(
        chosen=pd.Series(chosen, policy.index, dtype=object)
    ).drop_duplicates(["workload", "arm", "key"])
    metric = policy["best_metric"].mask(policy["end"] == "crashed")
    sign = metric_signs(policy["workload"], modes)
    arms = (sign * metric).groupby([policy["workload"], policy["arm"]])
    worst = sign * arms.transform("min")
    return policy.assign(told=metric.mask(policy["end"] == "diverged", worst))


def _varied(policy: pd.DataFrame) -> dict[str, list[str]]:
    """Return the hyperparameters of each arm that vary on one of its workloads."""
    seen: dict[str, dict[tuple[str, str], set[Any]]] = {}
    arms = zip(policy["workload"], policy["arm"], policy["chosen"], strict=True)
    for workload, arm, chosen in arms:
        of_arm = seen.setdefault(arm, {})
        for name, value in chosen.items():
            of_arm.setdefault((workload, name), set()).add(value)
    return {
        arm: sorted({name for (_, name), values in found.items() if len(values) > 1})
        for arm, found in seen.items()
    }


def make_axis(name: str, values: list[Any]) -> list[Axis]:
    """Return a hyperparameter as an axis; none if it has a single value.

    Args:
        name: Of the hyperparameter.
        values: What each trial was given.
    """
    if len(set(values)) < 2:
        return []
    numbers = np.asarray(as_numbers(pd.Series(values, dtype=object)), np.float64)
    if np.isfinite(numbers).all():
        log = _spread_over_decades(numbers)
        given = np.asarray(np.log10(numbers) if log else numbers, dtype=np.float64)
        low, high = float(given.min()), float(given.max())
        # Within [0, 1], since scikit-learn's trees cannot tell apart what differs by
        # less than 1e-7, as small values of `eps` do.
        columns = ((given - low) / (high - low))[:, None]
        return [Axis(name, columns, low=low, high=high, log=log)]
    by_text = {repr(value): value for value in values}
    texts = np.array([repr(value) for value in values])
    columns = texts[:, None] == np.array(sorted(by_text))
    categories = tuple(by_text[text] for text in sorted(by_text))
    return [Axis(name, columns.astype(np.float64), categories)]


def _spread_over_decades(numbers: NDArray[np.float64]) -> bool:
    """Return whether numbers look drawn on a log scale rather than evenly.

    Records do not say it. Of numbers drawn evenly down to 0 a tenth lies below a tenth
    of the highest, of those drawn log-uniformly over two decades half.
    """
    if not numbers.min() > 0:
        return False
    distinct = np.unique(numbers)
    return bool(np.mean(distinct <= distinct[-1] / 10 * (1 + 1e-9)) > 0.25)
