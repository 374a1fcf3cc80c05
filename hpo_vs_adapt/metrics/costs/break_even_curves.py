"""What arms cost as more is trained, or as failures get cheaper: curves that cross."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hpo_vs_adapt.metrics.basics.passes import pass_parts, role_rows

__all__ = ["failure_price_curves", "failure_price_lines", "retraining_curves"]

_ARM = ["workload", "arm"]


def retraining_curves(
    bills: pd.DataFrame, runs: ArrayLike, start: str = "bill"
) -> pd.DataFrame:
    """Return what each arm has cost once R further trainings have met the target.

    ``total = bill + R * cost_per_run``: the policy pays its `bill` up to its first hit,
    and each further training its `cost_per_run`, which is the ERT of the retrained
    winner (tuned arms) or of the arm's seeds (arms without `tune`, whose first training
    costs the same as every further one). With `start` ``full_plan`` tuned arms pay the
    full plan and its winner's first retrain instead of `bill`; nothing changes for arms
    without `tune`.

    Bounds are those of both terms added up. For an arm without `tune` they are those of
    one number times R + 1. For a tuned arm the two are estimated apart, so that the sum
    of the bounds is wider than the interval of the sum.

    Args:
        bills: Columns `workload, arm, bill, full_plan, cost_per_run` and their bounds,
            as from `arm_bills`.
        runs: Numbers R of further trainings, finite and not negative, shape `(n,)`.
        start: ``bill`` or ``full_plan``: what is paid before the first of them.

    Returns:
        Columns `workload, arm, runs, total, low, high`, in the unit of the bills, n
        rows an arm in the order of `bills`, by R. NaN where the arm never met the
        target, at R > 0 also where its `cost_per_run` is not known; bounds NaN where
        those of a term are, ``inf`` where a term has no upper one.

    Raises:
        ValueError: If `runs` is not one-dimensional, or has a number that is negative
            or not finite, or if `start` is unknown.
    """
    if start not in ("bill", "full_plan"):
        raise ValueError(f"`start` must be 'bill' or 'full_plan'; got {start!r}.")
    numbers = _checked(runs, "runs", math.inf)
    curves = _crossed(bills[_ARM], "runs", numbers)
    places = np.repeat(np.arange(len(bills)), numbers.size)
    for name, suffix in (("total", ""), ("low", "_low"), ("high", "_high")):
        first = bills[f"{start}{suffix}"].to_numpy(dtype=np.float64)[places]
        each = bills[f"cost_per_run{suffix}"].to_numpy(dtype=np.float64)[places]
        # No further training costs nothing, whatever one would cost.
        further = np.where(curves["runs"] > 0, each, 0.0) * curves["runs"]
        curves[name] = first + further
    return curves


def failure_price_curves(trials: pd.DataFrame, prices: ArrayLike) -> pd.DataFrame:
    """Return each arm's bill as the price of a failure goes up.

    ``bill(f) = (H + f * M) / s`` with H what hits and M what misses have cost in all
    passes, and s the passes that hit (`failure_price_lines`): a straight line in f. It
    is the `bill` of `arm_bills` at that `failure_price`.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` count.
        prices: Failure prices f, from 0 to 1, shape `(n,)`.

    Returns:
        Columns `workload, arm, price, bill`, in the unit of the trials, n rows an arm,
        sorted by arm and price; NaN where the target was never met.

    Raises:
        ValueError: As in `arm_passes`, or if `prices` is not one-dimensional or has a
            number outside [0, 1].
    """
    numbers = _checked(prices, "prices", 1.0)
    lines = failure_price_lines(trials)
    curves = _crossed(lines[_ARM], "price", numbers)
    total = np.add(
        lines["hit_cost"].to_numpy()[:, None],
        lines["miss_cost"].to_numpy()[:, None] * numbers,
    )
    hits = lines["pass_hits"].to_numpy(dtype=np.float64)[:, None]
    never = np.full(total.shape, math.nan)
    return curves.assign(bill=np.divide(total, hits, out=never, where=hits > 0).ravel())


def failure_price_lines(trials: pd.DataFrame) -> pd.DataFrame:
    """Return what all passes of each arm spent on hits and on misses.

    In a grid pass with hits both are expectations over random orders, as in
    `arm_passes`.

    Args:
        trials: As in `failure_price_curves`.

    Returns:
        Columns `workload, arm, hit_cost, miss_cost, pass_hits`, one row an arm, sorted:
        costs in the unit of the trials, and the number of passes that hit.

    Raises:
        ValueError: As in `arm_passes`.
    """
    parts = pass_parts(role_rows(trials, "policy"))
    return parts.groupby(_ARM, sort=True, as_index=False).agg(
        hit_cost=("hit_cost", "sum"),
        miss_cost=("miss_cost", "sum"),
        pass_hits=("hit", "sum"),
    )


def _checked(numbers: ArrayLike, name: str, most: float) -> NDArray[np.float64]:
    values = np.asarray(numbers, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(
            f"`{name}` must be one-dimensional; got an array of shape {values.shape}."
        )
    wrong = ~(np.isfinite(values) & (values >= 0) & (values <= most))
    if wrong.any():
        rule = "finite and not negative" if math.isinf(most) else f"from 0 to {most:g}"
        raise ValueError(f"`{name}` must be {rule}; got {float(values[wrong][0])!r}.")
    return np.sort(values)


def _crossed(
    arms: pd.DataFrame, name: str, numbers: NDArray[np.float64]
) -> pd.DataFrame:
    """Return every arm with every number, arms as they come."""
    rows = arms.loc[arms.index.repeat(numbers.size)].reset_index(drop=True)
    return rows.assign(**{name: np.tile(numbers, len(arms))})
