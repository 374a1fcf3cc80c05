"""How good the best of a tuned arm's trials is, by the number of trials."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.checks import check_confidence
from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.metrics.basics.passes import STREAM, role_rows
from hpo_vs_adapt.metrics.tuners.best_of_k import (
    BAND_COLUMNS,
    best_of_k,
    best_of_k_band,
)
from hpo_vs_adapt.metrics.tuners.tunability import tunability

__all__ = [
    "BEST_OF_K_COLUMNS",
    "TUNABILITY_COLUMNS",
    "best_of_k_table",
    "tunability_table",
]

BEST_OF_K_COLUMNS = ("workload", "arm", "k", "expected", "low", "median", "high")
"""Columns of `best_of_k_table`; all but `k` in the unit of the metric."""

TUNABILITY_COLUMNS = (
    *("workload", "arm", "streams"),
    "trials",  # of one stream: the largest budget T
    *("early", "uniform", "late"),  # CPE, CPU, CPL
    *("first", "last"),  # of one trial, and of all
)
"""Columns of `tunability_table`; values in the unit of the metric."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What the search of one arm has found on one workload.

    Args:
        workload: Its name.
        arm: Its name.
        by: How the arm is tuned.
        sign: 1 where a high value is good, -1 where a low one is.
        values: Signed value of each trial, a row for each stream in its order, all cut
            to the length of the shortest, shape `(streams, trials)`.
    """

    workload: str
    arm: str
    by: str
    sign: float
    values: NDArray[np.float64]

    @property
    def expected(self) -> NDArray[np.float64]:
        """Signed expected best of the first 1, 2 ... trials, shape `(trials,)`."""
        ks = np.arange(1, self.values.shape[1] + 1)
        if self.by == "random":
            return best_of_k(self.values.ravel(), ks)
        if self.by == "grid":
            return np.mean([best_of_k(stream, ks) for stream in self.values], axis=0)
        best = np.maximum.accumulate(self.values, axis=1)
        return np.asarray(best.mean(axis=0), dtype=np.float64)


def best_of_k_table(
    records: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what the best of k trials of each tuned arm is, for every k.

    `expected` is the arm's best-so-far curve over numbers of trials:

    - random search: `best_of_k` (unbiased) of the trials of all streams together;
    - grid: the same of each stream by itself, the mean over streams, since a list in
      random order has no point twice;
    - Optuna and portfolios: the best of the first k in their recorded order, the mean
      over streams. Their trials depend on each other and are never reordered.

    `median`, `low` and `high` are `best_of_k_band` for random search and grids: of k
    independent draws from what the trials of all streams say of the space (of a grid:
    of its points, also one twice). That trials of a stream share their training seed is
    not in the band. NaN for arms whose trials are not independent.

    A trial that diverged or crashed, or has no metric, counts with the worst metric of
    the arm's trials on the workload. Trials are counted here, whatever they cost;
    `tuning_curves` has the costs.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` of tuned arms count.
        modes: Mode of each workload's metric, ``max`` where it is not named.
        bounds: Least and greatest value that each workload's metric can have; without
            them a band has no end where the trials say nothing.
        confidence: Probability that a band holds for all k together.

    Returns:
        Columns `BEST_OF_K_COLUMNS`, one row per workload, arm and k from 1 to the
        length of the shortest stream, sorted; no rows for an arm without any metric.

    Raises:
        ValueError: As in `arm_passes`, or if `confidence` is not between 0 and 1.

    Tang et al., ACL 2020 (arXiv 2004.13705); band: Lourie, Cho and He, NAACL 2024
    (arXiv 2311.09480); see `best_of_k` and `best_of_k_band`.
    """
    check_confidence(confidence)
    parts = []
    for search in _searches(records, modes or {}):
        known = (bounds or {}).get(search.workload, (-math.inf, math.inf))
        part = _band(search, known, confidence)
        part["expected"] = search.sign * search.expected
        parts.append(part.assign(workload=search.workload, arm=search.arm))
    if not parts:
        return pd.DataFrame(columns=list(BEST_OF_K_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(BEST_OF_K_COLUMNS)]


def tunability_table(
    records: pd.DataFrame, modes: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return how good the search of each tuned arm is early, on the whole, and late.

    `tunability` of the curve `expected` of `best_of_k_table`: the best metric expected
    of t trials, t from 1 to the length of a stream. Of random search and of grids that
    is the mean over all orders of the trials, of tuners that learn the mean over
    streams in their recorded order. The weights of each number add up to 1, so it is in
    the unit of the metric, and arms whose streams are equally long compare.

    Args:
        records: As in `best_of_k_table`.
        modes: As in `best_of_k_table`.

    Returns:
        Columns `TUNABILITY_COLUMNS`, one row per workload and tuned arm, sorted: CPE,
        CPU and CPL, and the ends of the curve. No row for an arm without any metric.

    Raises:
        ValueError: As in `arm_passes`.

    Sivaprasad et al., ICML 2020 (arXiv 1910.11758). They draw orders with replacement;
    here all orders without one are averaged, which has no sampling error.
    """
    rows: list[tuple[Any, ...]] = []
    for search in _searches(records, modes or {}):
        curve = search.sign * search.expected
        ends = (float(curve[0]), float(curve[-1]))
        place = (search.workload, search.arm, *search.values.shape)
        rows.append((*place, *tunability(curve), *ends))
    return pd.DataFrame(rows, columns=list(TUNABILITY_COLUMNS))


def _searches(records: pd.DataFrame, modes: Mapping[str, str]) -> Iterator[_Search]:
    policy = role_rows(records, "policy")
    tuned = policy[policy["by"] != "single"]
    for (workload, arm), own in tuned.groupby(["workload", "arm"], sort=True):
        sign = Direction(modes.get(str(workload), "max")).sign
        values = sign * own["best_metric"]
        if values.isna().all():
            continue
        told = values.mask(own["failed"]).fillna(values.min()).to_numpy()
        places = own.groupby(STREAM, sort=True).indices.values()
        length = min(len(at) for at in places)
        listed = np.stack([told[at[:length]] for at in places])
        yield _Search(str(workload), str(arm), str(own["by"].iloc[0]), sign, listed)


def _band(
    search: _Search, bounds: tuple[float, float], confidence: float
) -> pd.DataFrame:
    ks = np.arange(1, search.values.shape[1] + 1)
    if search.by not in ("random", "grid"):
        return pd.DataFrame(dict.fromkeys(BAND_COLUMNS, math.nan) | {"k": ks})
    values = search.values.ravel()
    # A workload of somebody's own may say wrongly what its metric can be.
    floor, ceiling = sorted(search.sign * end for end in bounds)
    ends = (min(floor, values.min()), max(ceiling, values.max()))
    band = best_of_k_band(values, ks, confidence, ends)
    low, high = search.sign * band["low"], search.sign * band["high"]
    return band.assign(
        median=search.sign * band["median"],
        low=np.minimum(low, high),
        high=np.maximum(low, high),
    )
