"""Bills and ranks as the target moves from easy to the best anyone reached."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from hpo_vs_adapt.metrics.basics.checks import check_confidence, check_least
from hpo_vs_adapt.metrics.basics.crossings import RecordCurves, record_curves
from hpo_vs_adapt.metrics.basics.passes import pass_parts, priced, role_rows
from hpo_vs_adapt.metrics.targets.retargeting import at_level, checked_targets
from hpo_vs_adapt.metrics.targets.target_levels import make_levels

__all__ = ["TARGET_SWEEP_COLUMNS", "target_sweep"]

TARGET_SWEEP_COLUMNS = (
    "workload",
    "target",
    "arm",
    "bill",
    "low",
    "high",
    "rank",  # by bill; ties share one, arms without a hit are last together
    "first_probability",
    "passes",
    "pass_hits",
    "censored",  # trials that stopped too early to know
)
"""Columns of `target_sweep`; costs in the unit of the records."""

_PLACE = ["workload", "point", "arm"]


def target_sweep(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str],
    targets: Mapping[str, float],
    points: int = 20,
    *,
    failure_price: float = 1.0,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what every arm's policy costs at targets from easy to the hardest met.

    The targets of a workload are those of `make_levels`: from what the median arm has
    met after a tenth of a training to the best value of any trial, and the study's own.

    Trials are read at each target by `retarget`, passes and bills are those of
    `arm_bills`. Intervals are Student's t on log ERT with the delta method's error
    (`log_ert_quantiles`) for any number of passes: from 20 passes on they differ
    somewhat from the bootstrap's in `arm_bills`. `first_probability` is drawn from the
    same distributions; an arm draws the same luck at every target, so that its curve is
    no rougher than it must be.

    Targets that are taken from the same trials favour whoever reached them: at the
    hardest one, one trial alone hits. Read the curve, not its end.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` count.
        curves: One row an evaluation, columns as in `Results.curves`.
        modes: ``max`` or ``min`` for each workload.
        targets: The study's target on each workload.
        points: Targets a workload, the study's apart.
        failure_price: Share of its cost that a trial that misses is charged.
        confidence: Of the intervals.
        samples: Draws for `first_probability`.
        seed: Of the draws.

    Returns:
        Columns `TARGET_SWEEP_COLUMNS`, one row per workload, target and arm, from easy
        to hard, arms by name. `bill`, `low` and `high` are NaN without a hit; bounds
        also with one pass or a bill of 0, and then P(first) of all arms that hit. Where
        a trial of an arm is `censored` (it stopped at an easier target), its bill and
        rank are NaN, and P(first) of all arms but those without a hit.

    Raises:
        ValueError: As in `retarget` and `arm_passes`, if `points` is below 2, or
            `confidence` is not between 0 and 1.
    """
    check_least("points", points, 2)
    check_confidence(confidence)
    policy = role_rows(records, "policy")
    known = checked_targets(policy["workload"], targets)
    paths = record_curves(policy, curves, modes)
    levels = make_levels(policy, paths, known, points)
    passes, trials = _read(policy, paths, levels, failure_price)
    table = _bills(passes, confidence).join(trials.groupby(_PLACE)["censored"].sum())
    unknown = table["censored"] > 0
    table.loc[unknown, ["bill", "low", "high", "theta", "error"]] = math.nan
    never = (table["pass_hits"] == 0) & ~unknown
    billed = table["bill"].mask(never, math.inf)
    table["rank"] = billed.groupby(_PLACE[:2]).rank(method="min")
    table["first_probability"] = _first(table, never, samples, seed)
    sign = dict(zip(policy["workload"], paths.sign, strict=True))
    table["target"] = [
        sign[workload] * levels[workload][point] for workload, point, _ in table.index
    ]
    return table.reset_index()[list(TARGET_SWEEP_COLUMNS)]


def _read(
    policy: pd.DataFrame,
    paths: RecordCurves,
    levels: Mapping[str, NDArray[np.float64]],
    failure_price: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return passes and trials at every target, numbered by `point`."""
    passes, trials = [], []
    for point in range(max(map(len, levels.values()), default=0)):
        here = {name: some[point] for name, some in levels.items() if len(some) > point}
        level = policy["workload"].map(here).to_numpy(dtype=float)
        read = at_level(policy, paths, level)[~np.isnan(level)]
        to_target = read["cost_to_target"].where(read["hit"], read["cost"])
        read = read.assign(contribution=to_target, point=point)
        passes.append(priced(pass_parts(read), failure_price).assign(point=point))
        trials.append(read[[*_PLACE, "censored"]])
    if not passes:
        empty = policy.assign(point=0, censored=False)
        return priced(pass_parts(empty), failure_price).assign(point=0), empty
    return pd.concat(passes), pd.concat(trials)


def _bills(passes: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return bills by `_PLACE`, with log bill and its standard error."""
    groups = passes.groupby(_PLACE)
    influence = passes["cost"] / groups["cost"].transform("mean")
    influence -= passes["hit"] / groups["hit"].transform("mean")
    table = groups.agg(
        passes=("hit", "size"), pass_hits=("hit", "sum"), spent=("cost", "sum")
    )
    squares = (influence**2).groupby([passes[name] for name in _PLACE]).sum()
    number = table["passes"].to_numpy(dtype=float)
    spent, hits = table.pop("spent"), table["pass_hits"].astype(int)
    bill = (spent / hits).where(hits > 0)
    known = (number > 1) & (hits > 0) & (spent > 0)
    # One pass leaves no degree of freedom, and its error is not used.
    variance = squares / (number * np.maximum(number - 1, 1))
    theta = np.log(bill.where(known))
    error = np.sqrt(variance).where(known)
    width = error * special.stdtrit(np.maximum(number - 1, 1), (1 + confidence) / 2)
    return table.assign(
        bill=bill,
        low=np.exp(theta - width),
        high=np.exp(theta + width),
        theta=theta,
        error=error,
    )


def _first(
    table: pd.DataFrame, never: pd.Series, samples: int, seed: int
) -> NDArray[np.float64]:
    """Return how often each arm has the least of joint draws of log bills."""
    chances = np.zeros(len(table))
    hitting = ~never.to_numpy()
    theta, error = table["theta"].to_numpy(), table["error"].to_numpy()
    students, of_row = _luck(table, samples, seed)
    groups = table.groupby(_PLACE[:2], sort=True).indices
    for rows in map(np.asarray, groups.values()):
        rows = rows[hitting[rows]]
        if len(rows) == 1:
            chances[rows] = np.where(table["bill"].iloc[rows].isna(), math.nan, 1.0)
        elif np.isnan(error[rows]).any():
            chances[rows] = math.nan
        elif len(rows):
            draws = theta[rows, None] + error[rows, None] * students[of_row[rows]]
            first = draws == draws.min(axis=0)
            chances[rows] = (first / first.sum(axis=0)).mean(axis=1)
    return chances


def _luck(
    table: pd.DataFrame, samples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return standard draws of every workload and arm, and which are whose row's."""
    names = table.index.to_frame()[["workload", "arm"]]
    whose, places = pd.factorize(pd.MultiIndex.from_frame(names))
    freedom = np.ones(len(places), dtype=int)  # one pass has none; not used
    np.maximum.at(freedom, whose, table["passes"].to_numpy() - 1)
    students = np.empty((len(places), samples))
    for row, (workload, arm) in enumerate(places):
        rng = np.random.default_rng([seed, *f"{workload}\x1f{arm}".encode()])
        students[row] = rng.standard_t(freedom[row], samples)
    return students, whose
