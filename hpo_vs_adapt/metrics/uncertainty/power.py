"""How many seeds it takes to tell two bills apart, from a pilot's trials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from hpo_vs_adapt.metrics.basics.checks import check_confidence
from hpo_vs_adapt.metrics.basics.passes import arm_passes
from hpo_vs_adapt.metrics.uncertainty.intervals import log_ert_influence, log_ert_spread

__all__ = ["POWER_COLUMNS", "seeds_needed"]

POWER_COLUMNS = (
    "workload",
    "arm",
    "passes",  # of the pilot
    "pass_hits",
    "spread",  # standard deviation of log ERT per pass
    "seeds",  # needed of either arm, if luck is not shared
    "shared",  # seeds of the pilot that the arm shares with the reference
    "paired_seeds",  # needed if both arms have the same ones
)
"""Columns of `seeds_needed`; NaN where the pilot does not tell."""

_MOST = 1e15  # beyond it integers are not exact, nor is anything affordable
_SURE = 30.0  # noncentrality so far beyond the limit finds every difference

_Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Pilot:
    """What an arm's passes on a workload were, by seed; arrays of shape `(n,)`."""

    seed: NDArray[np.int64]
    cost: _Floats
    hit: _Floats

    @property
    def spread(self) -> float:
        if len(self.cost) < 2 or not self.hit.any() or not self.cost.any():
            return math.nan
        return log_ert_spread(self.cost, self.hit)

    @property
    def per_seed(self) -> float:
        """Return how many passes a seed gives."""
        return len(self.seed) / np.unique(self.seed).size

    def of(self, seeds: NDArray[np.int64]) -> _Pilot:
        """Return the passes of some of the seeds."""
        mine = np.isin(self.seed, seeds)
        return _Pilot(self.seed[mine], self.cost[mine], self.hit[mine])

    def influence(self) -> _Floats:
        """Return by how much each seed moves log ERT, times the number of seeds."""
        each = log_ert_influence(self.cost, self.hit)
        _, place = np.unique(self.seed, return_inverse=True)
        return np.bincount(place, weights=each) / self.per_seed


def seeds_needed(
    trials: pd.DataFrame,
    ratio: float = 1.1,
    power: float = 0.8,
    confidence: float = 0.95,
    reference: str | None = None,
    failure_price: float = 1.0,
) -> pd.DataFrame:
    """Return how many seeds show that a bill differs from the reference's by `ratio`.

    A seed is one of an arm without `tune`, one stream of a tuned arm; either gives its
    passes (`arm_passes`). With n seeds for either arm, log ERT has the standard error
    ``s / sqrt(m n)``, with m passes a seed and the spread s per pass, by the delta
    method (`log_ert_quantiles`). `seeds` is the least n at which Welch's t test of the
    two logarithms has the power, `paired_seeds` that of the paired test: the
    differences of seeds do not hold the luck that arms share. A ratio of 10 % up needs
    as many as the same down: ``1 / 1.1``.

    Seeds that a pilot of few passes asks for are rough: the spread of 3 passes is wrong
    by a factor of two one time in four, and one that has seen no miss knows of none.
    Trials of a random search that share their stream's seed are taken to be independent
    for `seeds`, not for `paired_seeds`.

    Args:
        trials: The pilot, one row a trial of a stream, columns as in `Results.records`.
        ratio: Between the bills, to be found; not 1.
        power: Probability to find it, with its sign.
        confidence: Of the two-sided test.
        reference: Arm to compare with. Without one, and for itself, an arm is compared
            with another that has the same spread.
        failure_price: As in `arm_passes`.

    Returns:
        Columns `POWER_COLUMNS`, one row per workload and arm, sorted. `spread` is NaN
        without a hit and with fewer than two passes; `seeds` are NaN where that of the
        arm or of the reference is; `paired_seeds` are NaN without a reference, for
        itself, and where fewer than two seeds are shared or none of them hit. At least
        2; ``inf`` beyond 1e15. Arms whose passes all cost the same need 2.

    Raises:
        ValueError: If `ratio` is not above 0 and finite or is 1, `power` or
            `confidence` is not between 0 and 1, `power` is not above what chance gives
            (`1 - confidence`), or as in `arm_passes`.

    Power of t tests: Cohen, "Statistical Power Analysis for the Behavioral Sciences",
    2nd ed. 1988, chapter 2.
    """
    _check(ratio, power, confidence)
    pilots = _pilots(trials, failure_price)
    rows = []
    designs = np.full((2, len(pilots), 4), math.nan)  # unpaired, paired
    for place, ((workload, arm), pilot) in enumerate(pilots.items()):
        other = pilots.get((workload, reference or arm))
        shared = 0
        if other is not None:
            designs[0, place] = (*_variance(pilot), *_variance(other))
        if other is not None and other is not pilot:
            seeds = np.intersect1d(pilot.seed, other.seed)
            shared = len(seeds)
            # A paired test is Welch's with one sample, of differences.
            difference = _difference_variance(pilot.of(seeds), other.of(seeds))
            designs[1, place] = (difference, 1.0, 0.0, 1.0)
        hits = int(pilot.hit.sum())
        rows.append((workload, arm, len(pilot.cost), hits, pilot.spread, shared))
    columns = [name for name in POWER_COLUMNS if "seeds" not in name]
    table = pd.DataFrame(rows, columns=columns)
    for name, design in zip(("seeds", "paired_seeds"), designs, strict=True):
        table[name] = _least_seeds(design, abs(math.log(ratio)), power, confidence)
    return table[list(POWER_COLUMNS)]


def _check(ratio: float, power: float, confidence: float) -> None:
    if not 0 < ratio < math.inf or ratio == 1:
        raise ValueError(
            f"`ratio` must be above 0, finite and not 1; got {ratio!r}. "
            "Equal bills cannot be told apart by any number of seeds."
        )
    check_confidence(confidence)
    if not 1 - confidence < power < 1:
        raise ValueError(
            f"`power` must be between 1 - `confidence` and 1; got {power!r}. "
            "A difference is found as often as 1 - `confidence` where there is none."
        )


def _pilots(
    trials: pd.DataFrame, failure_price: float
) -> dict[tuple[str, str], _Pilot]:
    single = trials["by"] == "single" if "by" in trials.columns else None
    if single is not None and "seed" in trials.columns and "stream" in trials.columns:
        # The passes of an arm without `tune` are told apart by their training seed.
        trials = trials.assign(stream=trials["seed"].where(single, trials["stream"]))
    passes = arm_passes(trials, failure_price)
    return {
        (str(workload), str(arm)): _Pilot(
            own["stream"].to_numpy(dtype=np.int64),
            own["cost"].to_numpy(dtype=np.float64),
            own["hit"].to_numpy(dtype=np.float64),
        )
        for (workload, arm), own in passes.groupby(["workload", "arm"], sort=True)
    }


def _variance(pilot: _Pilot) -> tuple[float, float]:
    """Return the variance of log ERT per pass, and the passes a seed gives."""
    return pilot.spread**2, pilot.per_seed


def _difference_variance(ours: _Pilot, theirs: _Pilot) -> float:
    """Return the variance of the difference of two logarithms per shared seed."""
    known = not (math.isnan(ours.spread) or math.isnan(theirs.spread))
    if not known or len(np.unique(ours.seed)) < 2:
        return math.nan
    return float(np.var(ours.influence() - theirs.influence(), ddof=1))


def _least_seeds(
    design: _Floats, effect: float, power: float, confidence: float
) -> _Floats:
    """Return the least number of seeds of each design, by bisection, shape `(k,)`.

    Args:
        design: Variance per pass and passes a seed of one sample, then of the other,
            shape `(k, 4)`.
        effect: Difference of the logarithms.
        power: To be reached.
        confidence: Of the two-sided test.
    """
    low = np.ones(len(design))  # never enough: a spread takes two seeds
    high = np.full(len(design), _MOST)
    while (high - low > 1).any():
        middle = np.maximum(np.floor((low + high) / 2), 2.0)
        enough = _power(middle, design, effect, confidence) >= power
        high = np.where(enough, middle, high)
        low = np.where(enough, low, np.minimum(middle, high - 1))
    high[high >= _MOST] = math.inf
    return np.where(np.isnan(design).any(axis=1), math.nan, high)


def _power(
    seeds: _Floats, design: _Floats, effect: float, confidence: float
) -> _Floats:
    """Return how often Welch's t test finds the difference and its sign.

    Shape `(k,)`; 1 where nothing varies.
    """
    own, own_passes, other, other_passes = design.T
    shares = np.stack([own / (own_passes * seeds), other / (other_passes * seeds)])
    freedom = np.stack([own_passes * seeds - 1, other_passes * seeds - 1])
    error = shares.sum(axis=0)
    varies = error > 0  # NaN: no
    square = np.where(varies, error, 1.0) ** 2
    degrees = square / np.where(varies, (shares**2 / freedom).sum(axis=0), 1.0)
    away = effect / np.sqrt(np.where(varies, error, 1.0))
    limit = special.stdtrit(degrees, (1 + confidence) / 2)
    missed = special.nctdtr(degrees, np.minimum(away, limit + _SURE), limit)
    return np.where(varies, 1 - missed, 1.0)
