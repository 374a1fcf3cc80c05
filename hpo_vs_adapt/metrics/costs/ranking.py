"""All arms of a workload in one table, tuned and adaptive together, cheapest first."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hpo_vs_adapt.metrics.basics.checks import check_confidence, check_least
from hpo_vs_adapt.metrics.basics.passes import arm_passes
from hpo_vs_adapt.metrics.costs.bills import arm_bills, reference_ratios
from hpo_vs_adapt.metrics.uncertainty.intervals import log_bill_draws

__all__ = ["RANKING_COLUMNS", "bill_ranks", "rank_arms", "ranking"]

_ORIGINS = ("defaults_from", "defaults_trials", "space_from", "space_trials")

RANKING_COLUMNS = (
    "workload",
    "rank",  # by bill; ties share one, arms without a hit are last together
    "arm",
    "kind",
    "bill",
    "low",
    "high",
    "ratio",  # of the bill to the reference arm's
    "ratio_low",
    "ratio_high",
    "first_probability",
    "rank_low",
    "rank_high",
    "trials",
    "hits",
    "failures",
    "passes",
    "pass_hits",
    "defaults_from",  # hidden tuning, in no bill: who chose the rule's defaults
    "defaults_trials",  # how many trials that took; NaN: unknown
    "space_from",  # who chose the ranges that are searched
    "space_trials",
)
"""Columns of `ranking`; costs in the unit of the trials."""


def ranking(
    trials: pd.DataFrame,
    reference: str | None = None,
    modes: Mapping[str, str] | None = None,
    origins: pd.DataFrame | None = None,
    *,
    progress: pd.DataFrame | None = None,
    kinds: Mapping[str, str] | None = None,
    failure_price: float = 1.0,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return every arm's place by its bill, and how sure that place is.

    ``rank`` = 1 + the number of arms of the workload with a smaller bill: equal bills
    share a rank, and arms without a hit are last together. ``bill, low, high`` and the
    counts are those of `arm_bills`, ``ratio``s those of `reference_ratios`. The rank
    interval is that of `bill_ranks`.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`.
        reference: Arm that the ratios are relative to; None: all ratios are NaN.
        modes: Mode of each workload's metric, ``max`` where it is not named.
        origins: Hidden tuning: column `arm` and any of the last four of
            `RANKING_COLUMNS`, one row an arm. What is not there is unknown, never 0.
        progress: As in `arm_bills`: gives rows to arms that have no trial yet.
        kinds: Kind of each arm, for arms that have no trial yet.
        failure_price: Share of its cost that a trial that misses is charged.
        confidence: Of all intervals.
        samples: Draws for the rank intervals.
        seed: Of the bootstrap and of the draws.

    Returns:
        Columns `RANKING_COLUMNS`, workloads in the order of `arm_bills`, in each the
        arms by rank, then by name. Where an origin is not known, `defaults_from` and
        `space_from` are ``unknown`` and their trials NaN. An arm without a trial is
        among the last, and has no rank interval: NaN.

    Raises:
        ValueError: As in `arm_bills` and `reference_ratios`, or if `origins` has no
            column `arm` or an arm twice.
    """
    bills = arm_bills(
        trials,
        progress,
        kinds=kinds,
        modes=modes,
        failure_price=failure_price,
        confidence=confidence,
        seed=seed,
    )
    ratios = None
    if reference is not None:
        ratios = reference_ratios(
            trials,
            reference,
            failure_price=failure_price,
            confidence=confidence,
            seed=seed,
        )
    passes = arm_passes(trials, failure_price)
    ranks = bill_ranks(passes, confidence=confidence, samples=samples, seed=seed)
    return rank_arms(bills, ranks, ratios, origins)


def rank_arms(
    bills: pd.DataFrame,
    ranks: pd.DataFrame,
    ratios: pd.DataFrame | None = None,
    origins: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the table of `ranking` from tables that are there already.

    Args:
        bills: As from `arm_bills`.
        ranks: As from `bill_ranks`.
        ratios: As from `reference_ratios`; None: all ratios are NaN.
        origins: As in `ranking`.

    Raises:
        ValueError: If `origins` has no column `arm` or an arm twice.
    """
    place = ["workload", "arm"]
    table = bills.rename(columns={"bill_low": "low", "bill_high": "high"})
    table = table.merge(ranks, on=place, how="left")
    if ratios is not None:
        names = {"low": "ratio_low", "high": "ratio_high"}
        table = table.merge(ratios.rename(columns=names), on=place, how="left")
    table = table.merge(_origins(origins), on="arm", how="left")
    for name in ("defaults_from", "space_from"):
        table[name] = table[name].fillna("unknown")
    billed = table["bill"].fillna(math.inf)
    table["rank"] = billed.groupby(table["workload"]).rank(method="min").astype(int)
    # Workloads stay in their order, which may be that of a study.
    order, _ = pd.factorize(table["workload"])
    table = table.assign(order=order)
    table = table.sort_values(["order", "rank", "arm"], ignore_index=True)
    return table.reindex(columns=list(RANKING_COLUMNS))


def bill_ranks(
    passes: pd.DataFrame,
    *,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return between which ranks each arm's bill lies.

    Log bills of all arms are drawn jointly from their confidence distributions
    (`log_ert_quantiles`), independently of each other, and each draw is ranked; ties
    share the better rank. The interval holds the outer quantiles of an arm's ranks.
    These are intervals of each arm's own rank, not of the whole order at once.

    An arm without a hit draws ``inf``: it is behind all whose draw is finite, as it is
    never first in `first_probability`. An arm that hit in a single pass, or without
    spending, may be anywhere among the arms that hit, since its spread is unknown: its
    interval is all of their ranks, and it widens every other's by one rank towards the
    end.

    Args:
        passes: One row a pass, columns `workload, arm, cost, hit` (`arm_passes`).
        confidence: Probability that an interval is meant to cover.
        samples: Draws.
        seed: Of the draws.

    Returns:
        Columns `workload, arm, rank_low, rank_high`, one row per workload and arm,
        sorted; ranks count from 1.

    Raises:
        ValueError: If `confidence` is not between 0 and 1, or `samples` is below 1.

    Intervals of ranks from draws: Goldstein & Spiegelhalter, "League Tables and Their
    Limitations", JRSS A, 1996.
    """
    check_confidence(confidence)
    check_least("samples", samples, 1)
    tail = (1 - confidence) / 2
    parts = []
    for workload, group in passes.groupby("workload", sort=True):
        arms = [(str(arm), one) for arm, one in group.groupby("arm", sort=True)]
        draws = np.full((len(arms), samples), math.inf)
        for row, (arm, one) in enumerate(arms):
            if one["hit"].any():
                draws[row] = log_bill_draws(one, str(workload), arm, samples, seed)
        low, high = _rank_bounds(draws, tail)
        names = [arm for arm, _ in arms]
        bounds = {"rank_low": low, "rank_high": high}
        parts.append(pd.DataFrame({"workload": workload, "arm": names, **bounds}))
    if not parts:
        return pd.DataFrame(columns=["workload", "arm", "rank_low", "rank_high"])
    return pd.concat(parts, ignore_index=True)


def _rank_bounds(
    draws: NDArray[np.float64], tail: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the outer quantiles of the ranks; rows of NaN may be anywhere."""
    open_rows = np.isnan(draws).any(axis=1)
    hitting = int((draws < math.inf).any(axis=1).sum() + open_rows.sum())
    low, high = np.ones(len(draws)), np.full(len(draws), float(hitting))
    known = draws[~open_rows]
    if not known.size:
        return low, high
    ranks = stats.rankdata(known, method="min", axis=0)
    ends = np.quantile(ranks, [tail, 1 - tail], axis=1, method="inverted_cdf")
    never = (known == math.inf).all(axis=1)
    # Whoever may be anywhere among those that hit may be ahead of all the others.
    ahead = int(open_rows.sum())
    low[~open_rows] = ends[0] + np.where(never, ahead, 0)
    high[~open_rows] = ends[1] + ahead
    return low, high


def _origins(origins: pd.DataFrame | None) -> pd.DataFrame:
    table = pd.DataFrame({"arm": []}) if origins is None else origins
    if "arm" not in table.columns:
        raise ValueError(
            f"`origins` must have the column `arm`; got {list(table.columns)!r}."
        )
    twice = table["arm"][table["arm"].duplicated()]
    if len(twice):
        raise ValueError(
            f"`origins` must have one row an arm; got {twice.iloc[0]!r} twice."
        )
    table = table.reindex(columns=["arm", *_ORIGINS])
    words = {"arm": object, "defaults_from": object, "space_from": object}
    return table.astype({**words, "defaults_trials": float, "space_trials": float})
