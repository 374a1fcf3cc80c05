"""How sure a bill is: intervals of ERT, and who is cheapest with what probability."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hpo_vs_adapt.metrics.basics.checks import check_confidence, check_least
from hpo_vs_adapt.metrics.basics.cost import checked_passes
from hpo_vs_adapt.metrics.uncertainty.bca import bca_quantiles

__all__ = ["ert_interval", "first_probability", "log_ert_quantiles"]

BOOTSTRAP_FROM = 20
"""Passes from which intervals come from the bootstrap instead of Student's t."""


def ert_interval(
    costs: ArrayLike, hits: ArrayLike, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Return the confidence interval of ERT, equal-tailed on its logarithm.

    Below 20 passes Student's t on log ERT with the standard error of the delta method,
    from 20 the bias-corrected and accelerated (BCa) bootstrap of whole passes; both in
    `log_ert_quantiles`. Percent of 2000 simulated policies whose bill the 95 % interval
    holds, of those with an interval, and at 2 expected hits how many had none:

    ================  ===  ====  ===  ====  ===
    hit probability   0.1  0.25  0.5  0.75  1
    ================  ===  ====  ===  ====  ===
    10 expected hits  94   95    96   95    96
    3 expected hits   98   98    98   87    92
    2 expected hits   98   97    93   91    93
    without a hit     12   10    7    2     0
    ================  ===  ====  ===  ====  ===

    So the interval is honest or rather too wide, except where few passes hit all by
    luck: they know of no miss (`interval_note` says how to read them). Passes that all
    cost the same and hit give an interval of no width.

    Args:
        costs: What each pass spent, in one unit, shape `(n,)`.
        hits: Whether each pass met the target, shape `(n,)`; for passes that are not
            independent and were added up, how many of them did.
        confidence: Probability that the interval is meant to cover.
        seed: Of the bootstrap.

    Returns:
        Lower and upper bound in the unit of `costs`. Both NaN without a hit and with
        fewer than two passes: nothing is then known of the spread. The upper bound is
        ``inf`` where so few of many passes hit that resamples without any decide it.

    Raises:
        ValueError: If `confidence` is not between 0 and 1, or the passes are invalid
            (`expected_running_time`).
    """
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    bounds = log_ert_quantiles(costs, hits, [tail, 1 - tail], seed)
    with np.errstate(over="ignore"):  # two passes far apart know no upper bound
        low, high = np.exp(bounds)
    return float(low), float(high)


def log_ert_quantiles(
    costs: ArrayLike, hits: ArrayLike, probabilities: ArrayLike, seed: int = 0
) -> NDArray[np.float64]:
    """Return quantiles of the confidence distribution of log ERT.

    Intervals are its outer quantiles; quantiles at uniform random probabilities are
    draws from it. The result does not depend on the order of the passes.

    Below 20 passes ``theta + se * t(n - 1)`` with ``theta = log(sum c / sum h)`` and
    ``se^2 = sum psi_i^2 / (n (n - 1))``, ``psi_i = c_i / mean(c) - h_i / mean(h)``: the
    delta method for a ratio of means. From 20 the BCa bootstrap (`bca_quantiles`).

    Args:
        costs: What each pass spent, in one unit, shape `(n,)`.
        hits: Whether each pass (or how many of its parts) met the target, shape `(n,)`.
        probabilities: Strictly between 0 and 1, shape `(m,)`.
        seed: Of the bootstrap.

    Returns:
        Natural logarithms of bills, shape `(m,)`; all NaN without a hit, with fewer
        than two passes, or if nothing was spent.

    Raises:
        ValueError: If a probability is not strictly between 0 and 1, or the passes are
            invalid (`expected_running_time`).

    Delta method for ratios: Cochran, "Sampling Techniques", 3rd ed. 1977, chapter 6.
    """
    levels = np.asarray(probabilities, dtype=np.float64)
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(
            "`probabilities` must be strictly between 0 and 1; "
            f"got {levels.tolist()!r}."
        )
    spent, met = _sorted_passes(costs, hits)
    if not _has_spread(spent, met):
        return np.full(levels.shape, math.nan)
    if spent.size >= BOOTSTRAP_FROM:
        return bca_quantiles(spent, met, levels, seed)
    theta, error = _theta(spent, met)
    return theta + error * special.stdtrit(spent.size - 1, levels)


def log_ert_influence(
    spent: NDArray[np.float64], met: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how much each pass moves log ERT, times the number of passes.

    ``psi_i = c_i / mean(c) - h_i / mean(h)``: the delta method for a ratio of means.

    Args:
        spent: Costs of the passes, not all 0, shape `(n,)`.
        met: Hits of each pass, not all 0, shape `(n,)`.
    """
    return spent / spent.mean() - met / met.mean()


def log_ert_spread(spent: NDArray[np.float64], met: NDArray[np.float64]) -> float:
    """Return the standard deviation of log ERT per pass: n passes have it / sqrt(n).

    Args:
        spent: Costs of at least two passes, not all 0, shape `(n,)`.
        met: Hits of each pass, not all 0, shape `(n,)`.
    """
    influence = log_ert_influence(spent, met)
    return math.sqrt(math.fsum(influence**2) / (spent.size - 1))


def first_probability(
    passes: pd.DataFrame, samples: int = 20_000, seed: int = 0
) -> pd.DataFrame:
    """Return the probability of each arm to have the least bill of its workload.

    Bills are drawn from each arm's confidence distribution (`log_ert_quantiles`),
    independently: where arms share seeds this ignores that their luck is shared, which
    makes the answer less sure than it might be. A draw in which several arms are equal
    is shared among them. Each arm has a generator of its own, derived from its name, so
    the order of arms or rows changes nothing.

    Args:
        passes: One row a pass, columns `workload, arm, cost, hit` (`arm_passes`).
        samples: Draws.
        seed: Of the draws.

    Returns:
        Columns `workload, arm, first_probability`, one row per workload and arm,
        sorted. An arm without a hit is never first: 0; if nobody has one, all are 0. If
        one arm alone has hits it is first. If one of several that hit has a single
        pass, its spread is unknown and so is who is first: NaN for all of them.

    Raises:
        ValueError: If `samples` is below 1, or the passes are invalid.
    """
    check_least("samples", samples, 1)
    rows = []
    for workload, group in passes.groupby("workload", sort=True):
        arms = {str(arm): one for arm, one in group.groupby("arm", sort=True)}
        hitting = [arm for arm, one in arms.items() if one["hit"].any()]
        draws = {
            arm: log_bill_draws(arms[arm], str(workload), arm, samples, seed)
            for arm in hitting
        }
        chances = dict(zip(hitting, _share_of_first(list(draws.values())), strict=True))
        rows += [(workload, arm, chances.get(arm, 0.0)) for arm in arms]
    return pd.DataFrame(rows, columns=["workload", "arm", "first_probability"])


def log_bill_draws(
    passes: pd.DataFrame, workload: str, arm: str, samples: int, seed: int
) -> NDArray[np.float64]:
    """Return draws of an arm's log bill, shape `(samples,)`, by its own generator.

    They are draws from the distribution of `log_ert_quantiles`, NaN where it is.

    Args:
        passes: The arm's passes, columns `cost, hit`.
        workload: Name of the workload, for the generator.
        arm: Name of the arm, for the generator.
        samples: Number of draws.
        seed: Of the study's draws; every workload and arm derives its own.
    """
    label = f"{workload}\x1f{arm}".encode()
    rng = np.random.default_rng([seed, *label])
    spent, met = _sorted_passes(passes["cost"], passes["hit"])
    if not _has_spread(spent, met):
        return np.full(samples, math.nan)
    if spent.size >= BOOTSTRAP_FROM:
        levels = np.clip(rng.random(samples), 1e-12, None)  # exactly 0 would be -inf
        return bca_quantiles(spent, met, levels, seed)
    theta, error = _theta(spent, met)  # quicker drawn than by the quantile's inverse
    return theta + error * rng.standard_t(spent.size - 1, samples)


def _sorted_passes(
    costs: ArrayLike, hits: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the passes in an order of their own: sums of floats depend on it."""
    spent, met = checked_passes(costs, hits)
    order = np.lexsort((met, spent))
    return spent[order], met[order]


def _has_spread(spent: NDArray[np.float64], met: NDArray[np.float64]) -> bool:
    return spent.size > 1 and bool(met.any()) and bool(spent.any())


def _theta(spent: NDArray[np.float64], met: NDArray[np.float64]) -> tuple[float, float]:
    """Return log ERT and its standard error."""
    error = log_ert_spread(spent, met) / math.sqrt(spent.size)
    return math.log(spent.sum() / met.sum()), error


def _share_of_first(draws: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    if len(draws) < 2:
        return np.ones(len(draws))
    table = np.stack(draws)
    if np.isnan(table).any():
        return np.full(len(draws), math.nan)
    first = table == table.min(axis=0)
    return np.asarray((first / first.sum(axis=0)).mean(axis=1))
