"""How many of the settings of each arm are worth tuning on each workload."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.scores import normalised_scores
from hpo_vs_adapt.metrics.sensitivity.forest import Forest, cross_validated
from hpo_vs_adapt.metrics.sensitivity.hyperparameters import subset_curve
from hpo_vs_adapt.metrics.sensitivity.sweeps import sweep_trials
from hpo_vs_adapt.metrics.sensitivity.tunings import FEWEST, make_axis, tuned_trials

__all__ = ["DIMENSION_COLUMNS", "dimension_table"]

DIMENSION_COLUMNS = (
    "arm",
    "role",  # policy: of its search; sweep: of its sensitivity sweep
    "settings",  # how many vary
    "workloads",  # with trials
    "configurations",  # that were compared
    "dimension",
    "needed",  # settings to tune, as many as the dimension rounded up
    "cv_score",  # worst R^2 of the surrogate over workloads; NaN: trials themselves
    "note",  # why there is no dimension, or empty
)
"""Columns of `dimension_table`."""

_COMBINATIONS = 4096  # points of a surrogate's grid, about; a few more of categories
_MOST = 10_000  # above which it is left
_FINEST = 9  # values of a number in it


@dataclass(frozen=True, slots=True)
class _Dimension:
    """What is said of an arm: the columns of the table from `configurations` on."""

    configurations: int = 0
    dimension: float = math.nan
    needed: str = ""
    cv_score: float = math.nan
    note: str = ""


def dimension_table(
    records: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    batch_sizes: Mapping[str, int] | None = None,
    threshold: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the effective dimension of every arm that was swept or tuned.

    Of the settings that vary, how many must be tuned for each workload by itself, the
    others kept where they are best for all workloads, to get `threshold` of the score
    of tuning all (`subset_curve`, workloads being the environments). Scores are best
    metrics normalised on each workload by the 5th and 95th percentile of all arms'
    trials of the role (`normalised_scores`).

    Configurations that were tried on every workload, namely those of sweeps and grids,
    are compared by the mean score of their trials. Random search and Optuna try no
    value twice: the trials of all streams of an arm go into a random forest for each
    workload, and what it expects on a grid over the values tried is compared. The
    forest flattens what it has seen little of; where `cv_score` is bad the dimension
    means nothing.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``sweep``, and those of role ``policy`` of tuned arms (portfolios
            apart), count. In searches a trial that diverged has the arm's worst metric
            on the workload, and one that crashed is left out (`tunings`).
        modes: Mode of each workload's metric, ``max`` where it is not named.
        batch_sizes: Each workload's own batch size: of sweeps trials with others are
            left out, unless an arm was swept over several on every workload. None:
            batch sizes are then not told apart.
        threshold: Share of the score with all tuned, above 0 and at most 1.
        seed: Of the forests.

    Returns:
        Columns `DIMENSION_COLUMNS`, one row per arm and role, sorted. The dimension is
        NaN, and `note` says why, with fewer than two settings (nothing to choose from)
        or workloads (one configuration is best there: 0 always); where settings were
        swept one at a time; with fewer than 4 trials on a workload, for a forest; with
        more than 10 000 combinations; and where no score is above 0.

    Raises:
        ValueError: As in `arm_passes`, or if `threshold` is out of range.

    Effective dimensionality: Adkins, Bowling & White, 2024 (arXiv 2412.07165).
    """
    if not 0 < threshold <= 1:
        raise ValueError(
            f"`threshold` must be above 0 and at most 1; got {threshold!r}."
        )
    modes = modes or {}
    rows: list[tuple[Any, ...]] = []
    for arm, role, trials in (
        *_searched(records, modes),
        *_swept(records, modes, batch_sizes),
    ):
        names = _varied(trials)
        found = _dimension(trials, names, threshold, seed)
        told = (len(names), trials["workload"].nunique(), *astuple(found))
        rows.append((arm, role, *told))
    table = pd.DataFrame(rows, columns=list(DIMENSION_COLUMNS))
    return table.sort_values(["arm", "role"], ignore_index=True)


def _searched(
    records: pd.DataFrame, modes: Mapping[str, str]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the trials of each arm's search: `workload, by, chosen, score`."""
    told = tuned_trials(records, modes)
    told = told[told["told"].notna()]
    scores = normalised_scores(told.assign(metric=told["told"]), modes)
    for arm, trials in told.assign(score=scores).groupby("arm", sort=True):
        yield str(arm), "policy", trials


def _swept(
    records: pd.DataFrame,
    modes: Mapping[str, str],
    batch_sizes: Mapping[str, int] | None,
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the trials of each arm's sweep: `workload, by, chosen, score`."""
    trials, points = sweep_trials(records)
    trials = trials.assign(by="grid", score=normalised_scores(trials, modes))
    for arm, own in trials.groupby("arm", sort=True):
        names = points[3:]
        if (own.groupby("workload")["batch_size"].nunique() > 1).all():
            names = points[2:]
        elif batch_sizes is not None:
            own = own[own["batch_size"] == own["workload"].map(dict(batch_sizes))]
        given = own[names].to_dict("records")
        # A setting that a trial was not given is NaN.
        chosen = [{k: v for k, v in one.items() if v == v} for one in given]
        yield str(arm), "sweep", own.assign(chosen=pd.Series(chosen, own.index, object))


def _varied(trials: pd.DataFrame) -> list[str]:
    """Return the settings that vary on one of the workloads."""
    seen: dict[tuple[str, str], set[Any]] = {}
    for workload, chosen in zip(trials["workload"], trials["chosen"], strict=True):
        for name, value in chosen.items():
            seen.setdefault((workload, name), set()).add(value)
    return sorted({name for (_, name), values in seen.items() if len(values) > 1})


def _dimension(
    trials: pd.DataFrame, names: list[str], threshold: float, seed: int
) -> _Dimension:
    if len(names) < 2:
        return _Dimension(note="fewer than two settings vary")
    if trials["workload"].nunique() < 2:
        return _Dimension(note="one workload alone")
    if (trials["by"] == "grid").all():
        return _of_trials(trials, names, threshold)
    return _of_forests(trials, names, threshold, seed)


def _of_trials(trials: pd.DataFrame, names: list[str], threshold: float) -> _Dimension:
    """Compare what was tried on every workload, by mean scores."""
    whole = trials[[set(names) <= chosen.keys() for chosen in trials["chosen"]]]
    text = [repr([chosen[name] for name in names]) for chosen in whole["chosen"]]
    tried = dict(zip(text, whole["chosen"], strict=True))
    means = whole["score"].groupby([np.array(text, dtype=object), whole["workload"]])
    scores = means.mean().unstack().dropna()
    given = [tried[one] for one in scores.index]
    table = pd.DataFrame(given, columns=names, dtype=object)
    if (table.nunique() > 1).sum() < 2 or scores.shape[1] < 2:
        note = "no two settings were varied together on two workloads"
        return _Dimension(len(table), note=note)
    return _compared(table, scores.to_numpy(dtype=np.float64), threshold, math.nan)


def _of_forests(
    trials: pd.DataFrame, names: list[str], threshold: float, seed: int
) -> _Dimension:
    """Compare what forests expect, one for each workload, on a grid for all."""
    if trials.groupby("workload").size().min() < FEWEST:
        return _Dimension(note=f"fewer than {FEWEST} trials on a workload")
    axes = [
        axis
        for name in names
        for axis in make_axis(name, [chosen.get(name) for chosen in trials["chosen"]])
    ]
    points = int(np.clip(_COMBINATIONS ** (1 / len(axes)), 2, _FINEST))
    values, places = zip(*(axis.candidates(points) for axis in axes), strict=True)
    if math.prod(map(len, values)) > _MOST:
        return _Dimension(note=f"more than {_MOST} combinations of settings")
    table = pd.DataFrame(list(product(*values)), columns=[axis.name for axis in axes])
    grid = np.array([np.concatenate(point) for point in product(*places)])
    columns = np.hstack([axis.columns for axis in axes])
    expected, worth = [], []
    for _, rows in sorted(trials.groupby("workload").indices.items()):
        told = trials["score"].to_numpy(dtype=np.float64)[rows]
        expected.append(Forest(columns[rows], told, seed)(grid))
        if np.ptp(told) > 0:
            worth.append(cross_validated(columns[rows], told, seed))
    scores = np.stack(expected, axis=1)
    return _compared(table, scores, threshold, min(worth, default=math.nan))


def _compared(
    table: pd.DataFrame,
    scores: NDArray[np.float64],
    threshold: float,
    cv_score: float,
) -> _Dimension:
    if not scores.max(axis=0).mean() > 0:
        return _Dimension(len(table), cv_score=cv_score, note="no score is above 0")
    found = subset_curve(table, scores, threshold)
    needed = ", ".join(found.subsets[math.ceil(found.dimension)])
    return _Dimension(len(table), found.dimension, needed, cv_score)
