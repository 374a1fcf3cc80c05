"""Results of imagined trainings: plausible curves, bookkeeping like the real one."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics import target_crossing
from hpo_vs_adapt.records.trials import CURVE_COLUMNS
from hpo_vs_adapt.seeds import derive
from hpo_vs_adapt.study import (
    Arm,
    Resources,
    Space,
    Storage,
    Study,
    Sweep,
    Tune,
    WorkloadEntry,
)
from hpo_vs_adapt.tables.study_tables import (
    SPENDING_COLUMNS,
    TRIAL_COLUMNS,
    StudyTables,
)
from hpo_vs_adapt.workloads.base import ACCURACY, Metric

LOSS = Metric("loss", "min", 0.0, None)
GRID = tuple(10.0**power for power in range(-4, 2))
TRAINING_SAMPLES = 1000


def workload(
    name: str = "digits_mlp",
    target: float = 0.9,
    metric: Metric = ACCURACY,
    epochs: float = 20,
) -> WorkloadEntry:
    return WorkloadEntry(
        name, name, target, epochs, 50, None, None, "default", None, "float32", metric
    )


def grid_arm(name: str = "sgd-grid", retrain: int = 3) -> Arm:
    return Arm(name, "sgd", {}, Tune("grid", grid={"lr": GRID}, retrain=retrain))


def optuna_arm(name: str = "adam-tpe", trials: int = 8) -> Arm:
    space = {"lr": Space("float", 1e-5, 1, log=True)}
    tune = Tune("optuna", space=space, sampler="tpe", trials=trials)
    return Arm(name, "adam", {}, tune)


def adaptive_arm(name: str = "clara", lr: float = 0.01, rule: str = "clara") -> Arm:
    return Arm(name, rule, {"lr": lr}, adapts="rate")


def fixed_arm(name: str = "adam-default", lr: float = 1e-3) -> Arm:
    return Arm(name, "adam", {"lr": lr})


def study(
    arms: Sequence[Arm] | None = None,
    workloads: Sequence[WorkloadEntry] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    sweep: bool = True,
    name: str = "imagined",
) -> Study:
    if arms is None:
        arms = [grid_arm(), optuna_arm(), fixed_arm(), adaptive_arm()]
    entries = tuple(workloads or [workload()])
    swept = tuple(arm.name for arm in arms if arm.by != "optuna")
    rates = tuple(10.0**power for power in range(-6, 2))
    sweeps = (Sweep(swept, {"lr": rates}, tuple(entry.name for entry in entries)),)
    return Study(
        name=name,
        seeds=tuple(seeds),
        workloads=entries,
        arms=tuple(arms),
        reference=arms[0].name,
        sensitivity=sweeps if sweep and swept else (),
        storage=Storage(),
        resources=Resources(),
        source=None,
        text=f"name: {json.dumps(name)}\n",
        base=Path(),
    )


def train(
    entry: WorkloadEntry, arm: Arm, lr: float, seed: int, batch_size: int = 50
) -> pd.DataFrame:
    """Return the curve of an imagined training; adaptive rules mind the rate less."""
    rng = np.random.default_rng(derive(entry.name, arm.rule, str(lr), seed, batch_size))
    steps = int(entry.epochs * TRAINING_SAMPLES // batch_size)
    step = np.linspace(0, steps, 21).astype(int)
    adaptive = arm.adapts != "nothing"
    best = {"sgd": 0.1, "adam": 0.003}.get(arm.rule, 0.03)
    off = abs(math.log10(lr / best)) * (0.35 if adaptive else 1)
    speed = 12 * 10 ** (-0.8 * off)
    rise = (1 - np.exp(-speed * step / steps)) * (0.97 - 0.03 * off**2)
    accuracy = np.clip(0.1 + 0.9 * rise + rng.normal(0, 0.008, 21), 0, 1)
    value = accuracy if entry.metric.mode == "max" else 2.3 * (1.02 - accuracy)
    if lr > 30 * best and rng.random() < 0.8:
        value[4:] = np.nan  # diverged
        step, value = step[:6], value[:6]
    samples = step * batch_size
    moved = np.linspace(0, 1, len(step))
    curve = pd.DataFrame(
        {
            "step": step,
            "samples": samples,
            "sample_gradients": samples,
            "forward_samples": 0,
            "cost": samples.astype(float),
            "flops": samples * 1e4,
            "seconds": samples * 1e-5,
            "train_loss": 1 - moved,
            "validation_loss": 1 - moved,
            "validation_metric": value,
            "test_metric": value - 0.01,
            "lr": lr * (0.03 / lr) ** moved if adaptive else lr,
            "momentum": 0.5 + 0.4 * moved if adaptive else 0.9,
        }
    )
    return curve[list(CURVE_COLUMNS)]


class Records:
    """Rows of trials and their curves, as they come in."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.curves: dict[str, pd.DataFrame] = {}

    def add(
        self,
        entry: WorkloadEntry,
        arm: Arm,
        lr: float,
        seed: int,
        role: str = "policy",
        stream: int = -1,
        number: int = 0,
        curve: pd.DataFrame | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """Add a trial; `changes` replace what its curve says."""
        curve = train(entry, arm, lr, seed) if curve is None else curve
        key = f"{derive(entry.name, arm.rule, arm.name, str(lr), seed):016x}"
        metric = curve["validation_metric"].to_numpy(float)
        mode = entry.metric.mode
        found = target_crossing(curve["cost"], metric, entry.target, mode, sustained=2)
        diverged = bool(np.isnan(metric).any())
        known = metric[np.isfinite(metric)]
        best = known.max if mode == "max" else known.min
        last = curve.iloc[-1]
        row: dict[str, Any] = {
            "workload": entry.name,
            "arm": arm.name,
            "kind": arm.kind,
            "by": arm.by,
            "role": role,
            "stream": stream,
            "optuna": f"{entry.name}/{arm.name}/{stream}",
            "number": number,
            "key": key,
            "rule": arm.rule,
            "settings": {**arm.settings, "lr": lr},
            "batch_size": entry.batch_size,
            "seed": seed,
            "end": "diverged" if diverged else "budget",
            "failed": diverged,
            "hit": math.isfinite(found.first),
            "cost": float(last["cost"]),
            "cost_to_target": found.first,
            "sustained_cost": found.sustained,
            "cost_before_target": found.after,
            "lost": 0.0,
            "best_metric": best() if len(known) else math.nan,
            "final_metric": metric[-1],
            "test_metric": last["test_metric"],
            "sample_gradients": int(last["sample_gradients"]),
            "forward_samples": 0,
            "steps": int(last["step"]),
            "flops": float(last["flops"]),
            "seconds": float(last["seconds"]),
            "amortised": True,
            "error": None,
        }
        self.rows.append({**row, **changes})
        self.curves[key] = curve
        return self.rows[-1]

    def results(self, study: Study, planned: pd.DataFrame | None = None) -> StudyTables:
        """Return what there is; without `planned` the study is finished."""
        records = pd.DataFrame(self.rows, columns=list(TRIAL_COLUMNS))
        curves = [curve.assign(key=key) for key, curve in self.curves.items()]
        logged = pd.DataFrame(columns=["key", *CURVE_COLUMNS])
        return StudyTables(
            study=study,
            records=records,
            curves=pd.concat(curves, ignore_index=True) if curves else logged,
            spending=_spending(records),
            progress=_progress(records) if planned is None else planned,
            provenance={"python": "3.11", "hpo_vs_adapt": "0.1.0", "cores": "2"},
        )


def _spending(records: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger of records whose gradients were all of training."""
    apart = records.drop_duplicates("key").assign(purpose="training")
    return apart.reindex(columns=list(SPENDING_COLUMNS))


def finished(one: Study) -> StudyTables:
    """Return the results of a study that ran to its end."""
    records = Records()
    for entry, arm in itertools.product(one.workloads, one.arms):
        _run_arm(records, one, entry, arm)
    for sweep in one.sensitivity:
        arms = [arm for arm in one.arms if arm.name in sweep.arms]
        for entry, arm in itertools.product(one.workloads, arms):
            points = itertools.product(sweep.vary["lr"], one.seeds)
            for number, (lr, seed) in enumerate(points):
                records.add(entry, arm, float(lr), seed, "sweep", number=number)  # type: ignore[arg-type]
    return records.results(one)


def progress(rows: Iterable[tuple[str, str, str, int, int]]) -> pd.DataFrame:
    columns = ["workload", "arm", "role", "planned", "done"]
    return pd.DataFrame(list(rows), columns=columns)


def _run_arm(records: Records, one: Study, entry: WorkloadEntry, arm: Arm) -> None:
    if arm.tune is None:
        for number, seed in enumerate(one.seeds):
            records.add(entry, arm, float(arm.settings["lr"]), seed, number=number)  # type: ignore[arg-type]
        return
    for stream in one.seeds:
        rng = np.random.default_rng(derive(arm.name, stream))
        if arm.by == "grid":
            rates = list(rng.permutation(GRID))
        else:
            rates = list(10 ** rng.uniform(-5, 0, arm.tune.trials))
        trials = [
            records.add(entry, arm, float(lr), stream, stream=stream, number=number)
            for number, lr in enumerate(rates)
        ]
        sign = 1 if entry.metric.mode == "max" else -1
        winner = max(trials, key=lambda trial: sign * trial["best_metric"])
        for number in range(arm.tune.retrain):
            lr, seed = winner["settings"]["lr"], 1000 + number
            records.add(entry, arm, lr, seed, "retrain", stream, number)


def _progress(records: pd.DataFrame) -> pd.DataFrame:
    counts = records.groupby(["workload", "arm", "role"], sort=False).size()
    return progress((*key, size, size) for key, size in counts.items())
