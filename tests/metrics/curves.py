"""Trials with the curves that go with them, made by hand."""

import itertools
import math

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from tests.metrics.builder import table, trial


def curved(arm, number, values, costs, **given):
    """A trial and its evaluations; it spends the last cost unless `cost` says more."""
    row = trial(arm, number, **({"cost": float(max(costs, default=0.0))} | given))
    rows = zip(costs, values, strict=True)
    curve = [
        {"key": row["key"], "step": step, "cost": float(cost), "validation_metric": v}
        for step, (cost, v) in enumerate(rows)
    ]
    return row, curve


def tables(*trials):
    """Records and curves of trials as from `curved`."""
    columns = ["key", "step", "cost", "validation_metric"]
    curves = {row["key"]: curve for row, curve in trials}
    rows = [line for curve in curves.values() for line in curve]
    return table(*(row for row, _ in trials)), pd.DataFrame(rows, columns=columns)


def listed(by, seed=0, streams=3, length=3, arm="a", **given):
    """Trials of unequal costs and random curves; some diverge, some never evaluate."""
    rng = np.random.default_rng(seed)
    trials = []
    for stream, number in itertools.product(range(streams), range(length)):
        evaluations = int(rng.integers(1, 5))
        costs = np.concatenate([[0.0], np.cumsum(rng.integers(1, 40, evaluations))])
        values = rng.random(evaluations + 1)
        if rng.random() < 0.3:
            values[int(rng.integers(evaluations + 1)) :] = math.nan
        spent = float(costs[-1] + rng.integers(0, 5))
        place = {"stream": -1 if by == "single" else stream, "seed": stream}
        row = {"by": by, "cost": spent, **place} | given
        trials.append(curved(arm, stream * length + number, values, costs, **row))
    return trials


def peaked(settings_of, seeds=1, scale=1.0, mode="max"):
    """Curves over `settings_of`; better near its middle, of unequal costs."""
    rng = np.random.default_rng(1)
    sign = 1.0 if mode == "max" else -1.0
    trials = []
    for place, setting in enumerate(settings_of):
        for seed in range(seeds):
            away = (place - len(settings_of) / 2) / len(settings_of)
            top = 1 - 4 * away**2 + 0.1 * rng.standard_normal()
            values = sign * top * (1 - np.exp(-np.arange(13) / rng.uniform(2, 5)))
            costs = np.arange(13) * (5.0 + place % 3) * scale
            given = {"by": "grid", "seed": seed, "stream": seed, "settings": setting}
            if place == 0:
                values[4:] = math.nan
                costs, values = costs[:5], values[:5]
                given |= {"failed": True, "end": "diverged"}
            trials.append(curved("g", len(trials), values, costs, **given))
    return CurveGrid.from_records(*tables(*trials), "digits", "g", mode)


def rates(size=8):
    return [{"lr": float(10.0**power)} for power in np.linspace(-4, 0, size)]


def contributions(grid, target):
    """What each record adds to a bill, and whether it hits."""
    crossing = grid.crossings(target)
    hits = np.isfinite(crossing)
    assert 0 < hits.sum() < hits.size
    return np.where(hits, crossing, grid.curves.limit), hits
