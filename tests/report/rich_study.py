"""An imagined study that fills every table: two batch sizes, rules that log numbers."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd

from hpo_vs_adapt.study import Arm, Space, Tune
from hpo_vs_adapt.tables.study_tables import StudyTables
from tests.report import builder

SIZES = (32, 50, 128)
RATES = tuple(10.0**power for power in range(-5, 2))
MOMENTA = (0.0, 0.9, 0.99)


def arms() -> list[Arm]:
    space = {
        "lr": Space("float", 1e-5, 1, log=True),
        "momentum": Space("float", 0.5, 0.99),
    }
    tune = Tune("optuna", space=space, sampler="tpe", trials=12)
    return [
        builder.grid_arm(),
        Arm("sgd-tpe", "sgd", {}, tune),
        builder.fixed_arm(),
        builder.adaptive_arm("gala", 0.01, "gala"),
        builder.adaptive_arm("gap", 0.02, "gap"),
    ]


def rich() -> StudyTables:
    entries = [builder.workload(), builder.workload("valley", 0.4, builder.LOSS)]
    one = builder.study(arms(), entries, sweep=False)
    records = builder.Records()
    for entry, arm in itertools.product(one.workloads, one.arms):
        if arm.name in ("sgd-grid", "gala"):
            _sweep(records, one, entry, arm)
        if arm.name == "sgd-tpe":
            _tuned(records, one, entry, arm)
        else:
            builder._run_arm(records, one, entry, arm)
        if arm.by == "single":
            _own_numbers(records, arm)
    return _with_purposes(records.results(one))


def _tuned(records, one, entry, arm):
    """Two settings, of which the rate matters and the momentum does not."""
    for stream in one.seeds:
        rng = np.random.default_rng(stream)
        for number in range(arm.tune.trials):
            lr, momentum = 10 ** rng.uniform(-5, 0), rng.uniform(0.5, 0.99)
            row = records.add(
                entry, arm, float(lr), stream, stream=stream, number=number
            )
            row["settings"] = {"lr": float(lr), "momentum": float(momentum)}


def _own_numbers(records, arm):
    """Give the latest runs of an arm what its rule would log."""
    for row in records.rows:
        if row["arm"] != arm.name or row["role"] != "policy":
            continue
        curve = records.curves[row["key"]]
        time = np.linspace(0, 1, len(curve))
        if arm.rule == "gala":
            alignment = np.cos(6 * time + row["seed"]) * (1 - time)
            curvature = 10 ** (3 * time)
            more = {"alignment": alignment, "curvature": curvature}
        elif arm.rule == "gap":
            choice = (np.arange(len(curve)) // (3 + row["seed"])) % len(MOMENTA)
            more = {"choice": choice, "momentum": np.array(MOMENTA)[choice]}
        else:
            continue
        records.curves[row["key"]] = curve.assign(**more)


def _sweep(records, one, entry, arm):
    points = itertools.product(SIZES, RATES, one.seeds)
    for number, (size, lr, seed) in enumerate(points):
        curve = builder.train(entry, arm, lr, seed, size)
        key = f"sweep-{entry.name}-{arm.name}-{number}"
        records.add(
            *(entry, arm, lr, seed, "sweep"),
            number=number,
            curve=curve,
            batch_size=size,
            key=key,
        )
        records.curves[key] = curve


def _with_purposes(results: StudyTables) -> StudyTables:
    """Charge a second gradient to GALA, and mark what was evaluation."""
    spending = results.spending
    gala = results.records.loc[results.records["arm"] == "gala", "key"]
    second = spending[spending["key"].isin(gala)].assign(purpose="second_gradient")
    return dataclasses.replace(
        results, spending=pd.concat([spending, second], ignore_index=True)
    )
