"""A study as large as people run, without training: records and curves by formula.

Five workloads, 41 arms each: 34 without `tune` (5 seeds, and a sweep of 7 rates by 3
batch sizes), 2 grids, 2 random searches and 2 Optuna arms (5 streams of 36 trials and
their winners again), a portfolio of the first 9 arms without `tune`, whose records it
shares. A metric rises towards a plateau that depends on the rate, the momentum and
luck, with noise from evaluation to evaluation; rates far too high diverge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpo_vs_adapt.records.trials import CURVE_COLUMNS
from hpo_vs_adapt.results import TRIAL_COLUMNS

EVALUATIONS = 100
BUDGET = 1e6
TARGET = 0.85
WORKLOADS = tuple(f"workload-{letter}" for letter in "abcde")
MODES = {name: "min" if place % 2 else "max" for place, name in enumerate(WORKLOADS)}
TARGETS = {
    name: TARGET if mode == "max" else 1 - TARGET for name, mode in MODES.items()
}
BUDGETS = dict.fromkeys(WORKLOADS, BUDGET)
REFERENCE = "single-0"

_RATES = tuple(np.logspace(-4, 0, 9).tolist())
_MOMENTA = (0.0, 0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Simulated:
    """Tables as `Results` has them."""

    records: pd.DataFrame
    curves: pd.DataFrame


def make_study(seed: int = 0) -> Simulated:
    """Return 10 000 records of at most 100 evaluations."""
    rng = np.random.default_rng(seed)
    asked = [row for workload in WORKLOADS for row in _asked(workload, rng)]
    records = pd.DataFrame(asked)
    records["key"] = [f"{place:05d}" for place in range(len(records))]
    values, costs, length = _curves(records, rng)
    records = _told(records, values, costs, length)
    curves = _table(records, values, costs, length)
    return Simulated(_shared(records)[list(TRIAL_COLUMNS)], curves)


def _asked(workload: str, rng: np.random.Generator) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number in range(34):
        kind = "adaptive" if number % 2 else "fixed"
        arm = {"workload": workload, "arm": f"single-{number}", "kind": kind}
        arm |= {"by": "single", "stream": -1, "batch_size": 64}
        given = {"lr": float(10 ** rng.uniform(-3.5, -0.3)), "momentum": 0.9}
        rows += [
            {**arm, "role": "policy", "number": n, "seed": n, "settings": given}
            for n in range(5)
        ]
        grid = [(lr, size) for lr in np.logspace(-5, 0, 7) for size in (32, 64, 128)]
        for n, (lr, size) in enumerate(grid):
            point = {"settings": {"lr": float(lr), "momentum": 0.9}, "batch_size": size}
            rows.append({**arm, "role": "sweep", "number": n, "seed": 0, **point})
    for by, arms in {"grid": 2, "random": 2, "optuna": 2, "portfolio": 1}.items():
        for number in range(arms):
            arm = {"workload": workload, "arm": f"{by}-{number}", "kind": "tuned"}
            rows += _streams({**arm, "by": by, "batch_size": 64}, rng)
    return rows


def _streams(
    arm: dict[str, object], rng: np.random.Generator
) -> list[dict[str, object]]:
    rows = []
    for stream in range(5):
        for number in range(9 if arm["by"] == "portfolio" else 36):
            if arm["by"] == "grid":
                given = {"lr": _RATES[number % 9], "momentum": _MOMENTA[number // 9]}
            else:
                momentum = 1 - 10 ** rng.uniform(-2, -0.3)
                given = {"lr": 10 ** rng.uniform(-4, 0), "momentum": momentum}
            place = {"stream": stream, "number": number, "seed": stream}
            rows.append({**arm, "role": "policy", **place, "settings": given})
        again = {"stream": stream, "number": 9, "seed": 100 + stream}
        rows.append({**arm, "role": "retrain", **again, "settings": {"lr": 0.03}})
    return rows


def _curves(
    records: pd.DataFrame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return metrics and costs, shape (records, evaluations), and curves' lengths."""
    n = len(records)
    off = np.log10([given["lr"] for given in records["settings"]]) + 1.7
    off += np.log2(records["batch_size"].to_numpy() / 64) * 0.15
    momentum = np.array([given.get("momentum", 0.9) for given in records["settings"]])
    luck = rng.normal(0, 0.01, n)
    plateau = 0.93 - 0.05 * off**2 - 0.05 * np.abs(momentum - 0.9) + luck
    speed = 8 * np.exp(-0.3 * np.abs(off) + rng.normal(0, 0.2, n))
    at = np.linspace(0, 1, EVALUATIONS)
    values = plateau[:, None] * (1 - 0.9 * np.exp(-speed[:, None] * at))
    values += rng.normal(0, 0.008, values.shape)
    diverges = (off > 0.9) & (rng.random(n) < 0.7)
    length = np.where(diverges, rng.integers(2, EVALUATIONS, n), EVALUATIONS)
    values[diverges, length[diverges] - 1] = np.nan
    price = np.where(records["kind"] == "adaptive", 1.25, 1.0)
    return values, price[:, None] * at * BUDGET, length


def _told(
    records: pd.DataFrame, values: np.ndarray, costs: np.ndarray, length: np.ndarray
) -> pd.DataFrame:
    """Return the records with what their trials came to."""
    inside = np.arange(EVALUATIONS) < length[:, None]
    met = inside & (values >= TARGET)
    sustained = met & np.roll(met, -1, axis=1)
    sustained[:, -1] = False
    hit, first = met.any(axis=1), met.argmax(axis=1)
    each = np.arange(len(records))
    known = np.where(inside & np.isfinite(values), values, -np.inf)
    best = known.max(axis=1)
    last = np.isfinite(known).sum(axis=1) - 1
    lowered = (records["workload"].map(MODES) == "min").to_numpy()
    failed = np.isnan(values[each, length - 1])
    spent = costs[each, length - 1]
    return records.assign(
        optuna="simulated",
        rule="sgd",
        end=np.where(failed, "diverged", "budget"),
        failed=failed,
        hit=hit,
        cost=spent,
        cost_to_target=np.where(hit, costs[each, first], np.inf),
        sustained_cost=np.where(
            sustained.any(axis=1), costs[each, sustained.argmax(axis=1)], np.inf
        ),
        cost_before_target=np.where(
            hit, costs[each, np.maximum(first - 1, 0)], costs[each, length - 1]
        ),
        lost=0.0,
        best_metric=np.where(lowered, 1 - best, best),
        final_metric=np.where(lowered, 1 - values[each, last], values[each, last]),
        test_metric=np.where(lowered, 1 - best, best),
        sample_gradients=spent,
        forward_samples=0.0,
        steps=length,
        flops=1e3 * spent,
        seconds=1e-5 * spent,
        amortised=True,
        error=None,
    )


def _table(
    records: pd.DataFrame, values: np.ndarray, costs: np.ndarray, length: np.ndarray
) -> pd.DataFrame:
    """Return one row an evaluation."""
    inside = np.arange(EVALUATIONS) < length[:, None]
    record, step = np.nonzero(inside)
    lowered = (records["workload"].map(MODES) == "min").to_numpy()[record]
    metric, cost = values[inside], costs[inside]
    columns = dict.fromkeys(CURVE_COLUMNS, np.nan)
    columns |= {
        "step": step,
        "samples": cost,
        "sample_gradients": cost,
        "cost": cost,
        "flops": 1e3 * cost,
        "seconds": 1e-5 * cost,
        "validation_loss": 2.3 * (1 - metric),
        "validation_metric": np.where(lowered, 1 - metric, metric),
        "test_metric": np.where(lowered, 1 - metric, metric),
    }
    return pd.DataFrame({"key": records["key"].to_numpy()[record], **columns})


def _shared(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records, those of portfolios replaced by the ones that they share."""
    lone = records[(records["by"] == "single") & (records["role"] == "policy")]
    number = lone["arm"].str.removeprefix("single-").astype(int)
    place = [lone["workload"], number, lone["seed"]]
    source = pd.Series(lone.index, pd.MultiIndex.from_arrays(place))
    tried = records[(records["by"] == "portfolio") & (records["role"] == "policy")]
    wanted = pd.MultiIndex.from_frame(tried[["workload", "number", "seed"]])
    rows = records.loc[source[wanted]].set_index(tried.index)
    own = ["arm", "kind", "by", "stream", "number"]
    rows[own] = tried[own]
    return pd.concat([records.drop(tried.index), rows]).sort_index()
