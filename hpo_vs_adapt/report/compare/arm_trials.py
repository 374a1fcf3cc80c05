"""What the trials of each arm came to, as far as two reports are compared by it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

import pandas as pd

from hpo_vs_adapt.metrics.basics.passes import arm_passes, role_rows
from hpo_vs_adapt.metrics.costs.paired import paired_ratios

__all__ = ["ArmTrials", "PairedBounds", "Place", "arm_trials", "paired_bounds", "units"]

Place: TypeAlias = tuple[str, str]
"""Workload and arm."""

PairedBounds: TypeAlias = Callable[[Place, float], tuple[float, float]]
"""Gives the interval of a ratio of costs, paired by seed, at a confidence."""

_PLACE = ["workload", "arm"]


@dataclass(frozen=True)
class ArmTrials:
    """The trials of one arm on one workload.

    Args:
        passes: Columns `cost, hit`, one row a pass (`arm_passes`).
        runs: The same of retrains; those that share a record are one row, and `hit`
            counts them (`arm_bills`). Empty for an arm that has none.
        best: The best metric by seed, or by stream of a tuned arm; units whose trials
            all crashed before an evaluation are left out.
        unit_seeds: The training seeds of each seed or stream.
        run_seeds: Those of the retrains.
        keys: Stream, number and key of every trial, by role.
    """

    passes: pd.DataFrame
    runs: pd.DataFrame
    best: pd.Series[float]
    unit_seeds: dict[Hashable, frozenset[int]]
    run_seeds: frozenset[int]
    keys: dict[str, frozenset[tuple[int, int, str]]]

    @property
    def shared_seed(self) -> bool:
        """Whether every stream trains with one seed, and so shares its luck."""
        return all(len(seeds) == 1 for seeds in self.unit_seeds.values())


def arm_trials(trials: pd.DataFrame, modes: dict[str, str]) -> dict[Place, ArmTrials]:
    """Return the trials of every workload and arm that has one of its policy.

    Args:
        trials: One row a trial of a stream, columns as in `StudyTables.records`.
        modes: Mode of each workload's metric.

    Raises:
        ValueError: As in `arm_passes`.
    """
    policy, retrains = role_rows(trials, "policy"), role_rows(trials, "retrain")
    policy = policy.assign(unit=units(policy))
    passes = _by_place(arm_passes(trials))
    again = _by_place(retrains)
    found = {}
    for place, own in _by_place(policy).items():
        runs = again.get(place, retrains.iloc[:0])
        by_unit = own.groupby("unit", sort=True)
        found[place] = ArmTrials(
            passes=passes[place],
            runs=_records(runs),
            best=by_unit["best_metric"].agg(modes[place[0]]).dropna(),
            unit_seeds={unit: frozenset(seeds) for unit, seeds in by_unit["seed"]},
            run_seeds=frozenset(runs["seed"]),
            keys={"policy": _keys(own), "retrain": _keys(runs)},
        )
    return found


def units(policy: pd.DataFrame) -> pd.Series[int]:
    """Return what trials are paired by: seeds, or streams of tuned arms."""
    return policy["stream"].mask(policy["by"] == "single", policy["seed"])


def paired_bounds(
    first: pd.DataFrame, other: pd.DataFrame, role: str = "policy"
) -> PairedBounds:
    """Return how to get the intervals of ratios of the other's costs to the first's.

    Args:
        first: Trials of a report.
        other: Trials of another one.
        role: ``policy`` for bills, ``retrain`` for the costs of runs.
    """
    sides = []
    for name, trials in (("first", first), ("other", other)):
        rows = role_rows(trials, role)
        if role == "retrain":  # each is a trial like one of an arm without `tune`
            rows = rows.assign(role="policy", by="single", stream=-1)
        place = rows["workload"] + "\x1f" + rows["arm"]
        sides.append(rows.assign(workload=place, arm=name))
    both = pd.concat(sides, ignore_index=True)

    @functools.cache
    def at(confidence: float) -> dict[str, tuple[float, float]]:
        table = paired_ratios(both, "first", confidence=confidence)
        rows = table[table["arm"] == "other"]
        ends = zip(rows["low"], rows["high"], strict=True)
        return dict(zip(rows["workload"], ends, strict=True))

    return lambda place, confidence: at(confidence)["\x1f".join(place)]


def _by_place(table: pd.DataFrame) -> dict[Place, pd.DataFrame]:
    groups = table.groupby(_PLACE, sort=False)
    return {(str(workload), str(arm)): rows for (workload, arm), rows in groups}


def _records(runs: pd.DataFrame) -> pd.DataFrame:
    groups = runs.groupby("key", sort=True)
    return groups.agg(cost=("contribution", "sum"), hit=("hit", "sum"))


def _keys(trials: pd.DataFrame) -> frozenset[tuple[int, int, str]]:
    return frozenset(
        zip(trials["stream"], trials["number"], trials["key"], strict=True)
    )
