"""A small study with all kinds of ends, and readers of what was logged of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.observers.logs.trials import LoggedTrial, TrialLog
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.observers.logs.logs import TrialLogs
from tests.running import IRIS, grid, make_study, write

BROKEN = """
    from hpo_vs_adapt.optim.fixed import SGD


    class Broken(SGD):
        def update(self, w, g, state, oracle):
            raise RuntimeError("out | of luck")
"""

ARMS: list[dict[str, Any]] = [
    grid(1e-3, 1e-1, retrain=1),
    {"name": "adam", "optimizer": {"rule": "adam", "lr": 0.1}},
    {
        "name": "adam-stops",
        "optimizer": {"rule": "adam", "lr": 0.1},
        "stop_at_target": True,
    },
    {"name": "broken", "optimizer": {"rule": "broken.py:Broken"}},
]
SWEEP = {"arms": ["sgd-grid"], "vary": {"lr": [1e-2, 1e38]}}
TARGET = 0.69
TRIALS = 2 + 1 + 1 + 1 + 1 + 2


def tiny(folder: Path, target: float = TARGET) -> Study:
    write(folder, "broken.py", BROKEN)
    return make_study(
        folder,
        ARMS,
        workloads=[{**IRIS, "target": target}],
        sensitivity=[SWEEP],
        resources={"lanes": 4},
    )


def call(*args: str) -> Result:
    return CliRunner(env={"COLUMNS": "300"}).invoke(app, list(args))


def scalars(folder: Path) -> dict[str, list[Any]]:
    """Return the scalars in the event files of a folder, by name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: events.Scalars(name) for name in events.Tags()["scalars"]}


def client(database: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{database}")


def runs_in(database: Path) -> dict[str, list[Any]]:
    """Return the runs of the study in a database of MLflow, by name."""
    mlflow = client(database)
    experiment = mlflow.get_experiment_by_name("tiny").experiment_id
    runs: dict[str, list[Any]] = {}
    for run in mlflow.search_runs([experiment]):
        runs.setdefault(run.info.run_name, []).append(run)
    return runs


def answers(study: Study) -> list[LoggedTrial]:
    """Return the trials that a study has on disk, as logs get them."""

    class Listening(TrialLog):
        title = hint = "here"

        def write(self, trial: LoggedTrial) -> bool:
            heard.append(trial)
            return True

    heard: list[LoggedTrial] = []
    with TrialLogs(study, [Listening()]) as logs:
        load_results(study, logs)
    return heard
