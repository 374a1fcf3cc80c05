"""A 64-point lr grid on `digits_mlp`, trained in four ways.

Every way trains 64 trials: 20 epochs, batch 64, one evaluation an epoch of loss and
accuracy on validation and test. Imports are outside the clock; so is loading the data
for the ways that are plain Python.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import torch
from torch import nn

from hpo_vs_adapt import Study, run_study
from hpo_vs_adapt.engines.packs.batches import DeviceData
from hpo_vs_adapt.workloads import WORKLOADS

POINTS = 64
EPOCHS = 20
BATCH_SIZE = 64
RATES = np.logspace(-4, 0, POINTS)


def study(folder: Path, points: int) -> Study:
    """Return so many points of the grid as a study with its records in a folder."""
    return Study.from_dict(
        {
            "name": "bench",
            "seeds": [0],
            "workloads": [
                {
                    "name": "digits_mlp",
                    "budget": {"epochs": EPOCHS},
                    "batch_size": BATCH_SIZE,
                    "evaluate_every": {"epochs": 1},
                }
            ],
            "arms": [
                {
                    "name": "grid",
                    "optimizer": {"rule": "sgd", "momentum": 0.9},
                    "tune": {
                        "by": "grid",
                        "grid": {"lr": RATES[:points].tolist()},
                        "retrain": 0,
                    },
                }
            ],
            "storage": {
                "records": str(folder / "runs"),
                "optuna": f"sqlite:///{folder}/optuna.db",
            },
        }
    )


def packs(points: int = POINTS) -> float:
    """Train in packs under Ray Tune, records and Optuna studies included."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        results = run_study(study(Path(folder), points))
        seconds = time.perf_counter() - started
    assert len(results.records) == points
    return seconds


def one_point() -> float:
    """Train a single trial in a pack: what is left is the start-up of Ray."""
    return packs(points=1)


def train(lr: float, data: DeviceData) -> float:
    """Train one trial with torch.optim, as people write it; return its accuracy."""
    workload = WORKLOADS["digits_mlp"]()
    torch.manual_seed(0)
    model = workload.model()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    steps = len(data.train) // BATCH_SIZE
    best = 0.0
    for _ in range(EPOCHS):
        order = data.train[torch.randperm(len(data.train), generator=generator)]
        model.train()
        for step in range(steps):
            rows = order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(data.x[rows]), data.y[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for x, y in (data.validation, data.test):
                outputs = model(x)
                nn.functional.cross_entropy(outputs, y).item()
                accuracy = float((outputs.argmax(-1) == y).float().mean())
                best = max(best, accuracy)
    return best


def load() -> DeviceData:
    """Return the data set as the plain loops use it."""
    return DeviceData.of(WORKLOADS["digits_mlp"]().dataset(), "cpu", torch.float32)


def python_loop() -> float:
    """Train one trial after another in a plain loop; return seconds."""
    data = load()
    started = time.perf_counter()
    for lr in RATES:
        train(float(lr), data)
    return time.perf_counter() - started


def optuna_optimize() -> float:
    """Train one trial after another under `study.optimize`; return seconds."""
    data = load()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        made = optuna.create_study(
            storage=f"sqlite:///{folder}/optuna.db",
            sampler=optuna.samplers.GridSampler({"lr": RATES.tolist()}, seed=0),
            direction="maximize",
        )
        made.optimize(
            lambda trial: train(trial.suggest_float("lr", 1e-5, 2, log=True), data),
            n_trials=POINTS,
        )
        return time.perf_counter() - started


def ray_optuna() -> float:
    """Train each trial as a Ray trial of its own; return seconds."""
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    def trainable(config: dict[str, float]) -> None:
        torch.set_num_threads(1)
        tune.report({"accuracy": train(config["lr"], load())})

    started = time.perf_counter()
    ray.init(
        address="local", include_dashboard=False, log_to_driver=False, logging_level=40
    )
    try:
        tune.Tuner(
            trainable,
            param_space={"lr": tune.loguniform(1e-4, 1)},
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(metric="accuracy", mode="max"),
                num_samples=POINTS,
            ),
            run_config=tune.RunConfig(verbose=0),
        ).fit()
    finally:
        ray.shutdown()
    return time.perf_counter() - started


WAYS: dict[str, Callable[[], float]] = {
    "packs": packs,
    "start": one_point,
    "python": python_loop,
    "optuna": optuna_optimize,
    "ray": ray_optuna,
}
"""Ways of training the grid, each returning its seconds after imports."""
