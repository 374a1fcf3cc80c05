"""Targets to sweep over: from what most arms soon meet to the best anyone reached."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.crossings import RecordCurves, first_reaching

__all__ = ["make_levels"]

_EASY = 0.1  # of a training


def make_levels(
    policy: pd.DataFrame, paths: RecordCurves, targets: Mapping[str, float], points: int
) -> dict[str, NDArray[np.float64]]:
    """Return the targets of each workload's sweep, times the sign of its mode.

    The easiest is what the median arm has met after a tenth of a training: the median
    over arms of the best value that any of its trials has by then; a training is the
    median cost of the workload's policy trials. The hardest is the best value of any
    trial. Between them lie evenly spaced quantiles of the best values so far at all
    evaluations from the easiest on, every arm weighted equally: the same share of the
    training falls between any two neighbours, whatever scale the metric has. They are
    values that were met. The study's own target is added, wherever it lies.

    Args:
        policy: Trials, as from `role_rows`.
        paths: Their curves.
        targets: The study's target on each workload.
        points: Targets a workload, the study's apart; those that coincide are one.

    Returns:
        Rising levels of each workload; the study's target alone where no trial has an
        evaluation with a finite value.
    """
    levels = {}
    cost = policy["cost"].to_numpy()
    for workload, places in policy.groupby("workload", sort=True).indices.items():
        rows = np.asarray(places)
        _, arm = np.unique(policy["arm"].to_numpy(str)[rows], return_inverse=True)
        easy = _easiest(paths, rows, arm, _EASY * float(np.median(cost[rows])))
        start, counts = paths.start[rows], paths.stop[rows] - paths.start[rows]
        # All evaluations of these records, one after the other.
        skipped = np.repeat(start - np.cumsum(counts) + counts, counts)
        best = paths.best[skipped + np.arange(len(skipped))]
        of_arm = np.repeat(arm, counts)
        weight = 1 / np.bincount(of_arm)[of_arm] if len(of_arm) else best
        kept = np.isfinite(best) & (best >= easy)
        spread = _quantiles(best[kept], weight[kept], np.linspace(0, 1, points))
        own = paths.sign[rows[0]] * targets[str(workload)]
        known = [easy] if np.isfinite(easy) else []
        levels[str(workload)] = np.unique([*known, *spread[len(known) :], own])
    return levels


def _easiest(
    paths: RecordCurves, rows: NDArray[np.intp], arm: NDArray[np.intp], cost: float
) -> float:
    """Return the best value that the median arm has met by a cost; -inf if none has."""
    start, stop = paths.start[rows], paths.stop[rows]
    beyond = np.nextafter(cost - paths.lost[rows], np.inf)
    at = first_reaching(paths.cost, start, stop, beyond) - 1
    seen = at >= start
    met = np.full(arm.max() + 1, -np.inf)
    np.maximum.at(met, arm[seen], paths.best[at[seen]])
    met = met[np.isfinite(met)]
    return float(np.median(met)) if met.size else -math.inf


def _quantiles(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    probabilities: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return weighted quantiles that are among the values; none of none."""
    if not values.size:
        return values
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    # A share that ends with a value is that value's, whatever the last bit of the sum.
    at = np.searchsorted(below, probabilities * below[-1] * (1 - 1e-9))
    return values[order[at]]
