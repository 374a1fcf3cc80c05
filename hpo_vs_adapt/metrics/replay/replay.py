"""Tuners replayed on recorded curves: thousands of executions, nothing trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.checks import check_columns
from hpo_vs_adapt.metrics.basics.cost import expected_running_time
from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from hpo_vs_adapt.metrics.replay.halving import halving_race, hyperband_race
from hpo_vs_adapt.metrics.replay.race import Race, run_race
from hpo_vs_adapt.metrics.uncertainty.intervals import ert_interval

__all__ = ["REPLAY_COLUMNS", "TUNERS", "replay_tuner", "tuner_bills"]

TUNERS = ("random", "grid", "tpe", "halving", "hyperband")
"""What can be replayed."""

REPLAY_COLUMNS = ("repetition", "bill", "latency", "hit", "best")
"""Columns of `replay_tuner`."""

_CELLS = 500_000  # trials simulated at once


def replay_tuner(
    grid: CurveGrid,
    tuner: str,
    trials: int,
    target: float,
    workers: int = 1,
    repetitions: int = 1000,
    seed: int = 0,
    *,
    training_seed: str = "fresh",
    eta: float = 3.0,
    least: float = 1 / 27,
    sampler_args: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return what executions of a tuner cost until the target is first met.

    A worker that is free takes the next trial. At the first hit all stop, and trials
    that are then running are charged what they have burned; one that a tuner ends early
    is charged up to there. Crossings and costs are those of the recorded curves.

    - ``random``: combinations of the grid drawn with replacement.
    - ``grid``: its combinations in random order, none twice; at most all of them.
    - ``tpe``: Optuna's TPESampler between the ends of the axes, on curves interpolated
      as in `CurveGrid.trial`, told each trial's best value when it ends (a failed one:
      the worst value of the table) and not what is still running. About a millisecond a
      trial, hundreds of times as long as the others.
    - ``halving``: successive halving. `trials` random combinations run to the lowest
      rung, the best of n of them, ``floor(n / eta^i)``, on to rung i, each rung eta
      times as dear, the top rung the whole budget (of the grid's dearest trial). As
      many rungs as `trials` and `least` allow. Trials go on where they stopped. The
      best value so far decides, failed trials come last. Rungs are synchronous:
      workers wait until a rung is complete.
    - ``hyperband``: brackets of successive halving with all numbers of rungs, most
      rungs first and then again, one after the other, until `trials` have started; the
      last bracket takes what is left. `trials` are configurations, not full trainings.

    Args:
        grid: Whose curves.
        tuner: One of `TUNERS`.
        trials: Configurations that one execution tries at most.
        target: Value to reach.
        workers: Trials that run at once.
        repetitions: Executions.
        seed: Of all that is drawn. The draws do not depend on target and workers.
        training_seed: ``fresh``: every trial draws one of the recorded seeds of its
            combination; ``stream``: the trials of an execution share one.
        eta: Ratio of rungs, of `halving` and `hyperband`; above 1.
        least: Share of the budget that the lowest rung has at least; above 0, up to 1.
        sampler_args: Of the TPESampler, on top of `TPE_DEFAULTS`.

    Returns:
        Columns `REPLAY_COLUMNS`, one row an execution. `bill` is what all workers have
        spent up to the first hit, or, without one, to the end; `latency` what one that
        was never idle has; both in the unit of the records. `best` is the best value by
        then in the metric's unit, NaN if nothing was evaluated.

    Raises:
        ValueError: If `tuner` or `training_seed` is unknown, `target` NaN, or a number
            out of its range.

    Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011 (TPE);
    Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
    Optimization", AISTATS 2016 (successive halving); Li et al., "Hyperband", JMLR 2018.
    """
    _check(tuner, training_seed, eta, least)
    counts = {"trials": trials, "workers": workers, "repetitions": repetitions}
    for name, count in counts.items():
        if not count >= 1 or count % 1:
            raise ValueError(
                f"`{name}` must be a whole number of at least 1; got {count!r}."
            )
    crossing = grid.crossings(target)
    rng = np.random.default_rng([seed, *tuner.encode()])
    if tuner == "grid":
        trials = min(trials, grid.count.size)
    rows = max(1, _CELLS // max(trials, grid.count.size))
    races = []
    for begin in range(0, repetitions, rows):
        shape = (min(rows, repetitions - begin), trials)
        shared = training_seed == "stream"
        luck = rng.random((shape[0], 1) if shared else shape)
        luck = np.broadcast_to(luck, shape)
        if tuner == "tpe":
            from hpo_vs_adapt.metrics.replay.tpe import tpe_race

            args = sampler_args or {}
            races.append(tpe_race(grid, luck, target, workers, rng, args))
            continue
        records = grid.records_at(_combinations(grid, tuner, shape, rng), luck)
        if tuner in ("halving", "hyperband"):
            run = halving_race if tuner == "halving" else hyperband_race
            races.append(run(grid, records, crossing, workers, eta, least))
            continue
        begins, ends = np.zeros(shape), grid.curves.limit[records]
        race = run_race(grid.curves, records, crossing, begins, ends, workers)
        races.append(race)
    return _table(races, grid.sign)


def tuner_bills(
    table: pd.DataFrame, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Return the expected bill of tuners that were replayed, and how sure that is.

    ``bill = spending of all executions / executions that hit``, ERT: an execution
    without a hit is followed by another. The interval is about the simulation: it
    shrinks with more repetitions and says nothing of the few recorded seeds.

    Args:
        table: As from `replay_tuner`; tables below each other need columns more, which
            tell them apart (a tuner's name, its trials, a target, workers).
        confidence: Of the intervals.
        seed: Of the bootstrap.

    Returns:
        The columns that tell tables apart, then `repetitions, hits, bill, bill_low,
        bill_high, latency, best`; one row for each of them, sorted. `latency` is
        expected like the bill, `best` the mean over executions that evaluated anything.
        Bill, latency and bounds are NaN where the target was never met.

    Raises:
        ValueError: If a column is missing, or as in `ert_interval`.
    """
    check_columns("table", table, REPLAY_COLUMNS, "replay_tuner")
    apart = [name for name in table.columns if name not in REPLAY_COLUMNS]
    groups = table.groupby(apart, sort=True, dropna=False) if apart else [((), table)]
    found = ["repetitions", "hits", "bill", "bill_low", "bill_high", "latency", "best"]
    rows: list[tuple[Any, ...]] = []
    for names, group in groups:
        if group.empty:
            continue
        hit = group["hit"].astype(bool)
        low, high = ert_interval(group["bill"], hit, confidence, seed)
        bill = expected_running_time(group["bill"], hit)
        latency = expected_running_time(group["latency"], hit)
        costs = (bill, low, high, latency) if hit.any() else (math.nan,) * 4
        best = group["best"].dropna()
        mean = math.fsum(best) / len(best) if len(best) else math.nan
        rows.append((*names, len(group), int(hit.sum()), *costs, mean))
    return pd.DataFrame(rows, columns=[*apart, *found])


def _check(tuner: str, training_seed: str, eta: float, least: float) -> None:
    if tuner not in TUNERS:
        raise ValueError(f"`tuner` must be one of {list(TUNERS)!r}; got {tuner!r}.")
    if training_seed not in ("fresh", "stream"):
        raise ValueError(
            f"`training_seed` must be 'fresh' or 'stream'; got {training_seed!r}."
        )
    if not 1 < eta < math.inf:
        raise ValueError(f"`eta` must be above 1 and finite; got {eta!r}.")
    if not 0 < least <= 1:
        raise ValueError(f"`least` must be above 0 and at most 1; got {least!r}.")


def _combinations(
    grid: CurveGrid, tuner: str, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.intp]:
    size = grid.count.size
    if tuner == "grid":
        return rng.random((shape[0], size)).argsort(axis=1)[:, : shape[1]]
    return rng.integers(size, size=shape)


def _table(races: list[Race], sign: float) -> pd.DataFrame:
    best = sign * np.concatenate([race.best for race in races])
    columns = {
        "bill": np.concatenate([race.bill for race in races]),
        "latency": np.concatenate([race.latency for race in races]),
        "hit": np.concatenate([race.hit for race in races]),
        "best": np.where(np.isfinite(best), best, np.nan),
    }
    return pd.DataFrame({"repetition": np.arange(best.size), **columns})
