"""Tiny studies, run for real: what they are, and what is compared of their results."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import ray
from typer.testing import CliRunner, Result

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.observers.dashboard.streams import StreamMirrors
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.plan.events import Listener
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.ledger import Purpose
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.records.trials import TrialRecord
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.schedule.board import ScheduleSummary
from hpo_vs_adapt.schedule.ray_tune import run_packs
from hpo_vs_adapt.study import Study

IRIS = {"name": "iris_logreg", "budget": {"epochs": 2}}


def grid(*rates: float, name: str = "sgd-grid", **tune: Any) -> dict[str, Any]:
    """Return an arm that tunes SGD's rate over a grid; no retrain unless asked."""
    return {
        "name": name,
        "optimizer": {"rule": "sgd"},
        "tune": {"by": "grid", "grid": {"lr": list(rates)}, "retrain": 0, **tune},
    }


def make_study(
    folder: Path,
    arms: list[dict[str, Any]],
    workloads: Sequence[Any] = (IRIS,),
    seeds: Sequence[int] = (0,),
    **parts: Any,
) -> Study:
    """Write a study into a folder, where its records and Optuna studies will be too.

    Its own workload files are looked for in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    storage = {
        "records": str(folder / "runs"),
        "optuna": f"sqlite:///{folder / 'optuna.db'}",
    }
    described = {
        "name": "tiny",
        "seeds": seeds,
        "workloads": workloads,
        "arms": arms,
        "storage": storage,
        **parts,
    }
    file = folder / "study.yaml"
    # Any JSON is YAML, but for the pairs of escapes that stand for an emoji.
    file.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    return Study.from_yaml(file)


def train(study: Study, *others: Listener) -> tuple[Results, ScheduleSummary]:
    """Run a study on the Ray of this process; return results and what was done.

    Args:
        study: To be run.
        others: Who follows it beside its Optuna studies.
    """
    with OptunaStudies(study.storage.optuna) as studies:
        listeners = [StreamMirrors(studies), *others]
        plan = Plan(study, RecordStore(study.storage.records), listeners)
        plan.advance()
        try:
            summary = run_packs(plan, study.resources)
        finally:
            plan.listeners.closed()
    return load_results(study), summary


def tables(results: Results, *apart: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return trials and curves without seconds, which no two runs share.

    Args:
        results: Of a study.
        apart: Other columns of the trials to leave out.
    """
    records = results.records.drop(columns=["seconds", "amortised", *apart])
    return records, results.curves.drop(columns="seconds")


def assert_same(one: Results, other: Results) -> None:
    """Compare two results to the last bit, seconds apart."""
    for mine, theirs in zip(tables(one), tables(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
    assert findings(one.summary()) == findings(other.summary())


def findings(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a summary without its provenance: a commit may come between two runs."""
    return {name: part for name, part in summary.items() if name != "provenance"}


def records_of(study: Study) -> list[TrialRecord]:
    """Return all records that a study has left, sorted by key."""
    store = RecordStore(study.storage.records, writable=False)
    return list(store.get_many(store.keys()).values())


def lost(study: Study) -> dict[str, int]:
    """Return the sample gradients that went with workers, by key, where any did."""
    amounts = {r.key: r.ledger.spent.get(Purpose.LOST) for r in records_of(study)}
    return {key: a.sample_gradients for key, a in amounts.items() if a is not None}


def optuna_trials(study: Study) -> dict[str, list[optuna.trial.FrozenTrial]]:
    """Return the trials of all Optuna studies of a storage, by the study's name."""
    url = study.storage.optuna
    names = optuna.get_all_study_names(url)
    return {n: optuna.load_study(study_name=n, storage=url).trials for n in names}


def optuna_states(study: Study) -> list[str]:
    """Return the states of all trials of a storage, sorted."""
    trials = [t for ts in optuna_trials(study).values() for t in ts]
    return sorted(trial.state.name for trial in trials)


def write(folder: Path, name: str, text: str) -> str:
    """Write a user's own file and return its name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text))
    return name


@contextlib.contextmanager
def ray_here(
    num_cpus: int = 2, num_gpus: int = 0, environment: dict[str, Any] | None = None
) -> Iterator[None]:
    """Have Ray run in this process; it takes our word for CPUs and GPUs.

    It is left running for whoever wants the same next, since its start takes seconds;
    one with a runtime environment of its own is not.
    """
    have = ray.cluster_resources() if ray.is_initialized() else {}
    same = (have.get("CPU", 0), have.get("GPU", 0)) == (num_cpus, num_gpus)
    if environment or not same:
        ray.shutdown()
        _start_ray(num_cpus, num_gpus, environment)
    try:
        yield
    finally:
        if environment:
            ray.shutdown()


def _start_ray(cpus: int, gpus: int, environment: dict[str, Any] | None) -> None:
    with warnings.catch_warnings():
        # Of Ray's own start: it leaves handles open, and warns of its own future.
        warnings.simplefilter("ignore")
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            num_cpus=cpus,
            num_gpus=gpus,
            runtime_env=environment,
        )


def command(folder: Path, *args: str) -> Result:
    """Return what ``hpo-vs-adapt`` does in a folder, called in this process.

    If Ray runs in this process, it trains on it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(args))


def start(
    folder: Path, *args: str, module: bool = True, **env: str
) -> subprocess.Popen[str]:
    """Start ``hpo-vs-adapt`` (or Python itself) in a session of its own."""
    command = [sys.executable, *(["-m", "hpo_vs_adapt"] if module else []), *args]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        start_new_session=True,
    )


def descendants(process: int) -> dict[int, int]:
    """Return the processes that a process has started, and theirs: ids and handles."""
    parents = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                parents[int(place.name)] = int(fields[1])
    found: set[int] = set()
    new = {process}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    handles = {}
    for pid in found:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            handles[pid] = os.pidfd_open(pid)
    return handles


def wait_for_end(processes: dict[int, int]) -> set[int]:
    """Return which processes are still there after what they may need to end.

    Args:
        processes: From :func:`descendants`; the handles are closed.
    """
    left = {handle: pid for pid, handle in processes.items()}
    ends = select.poll()
    for handle in left:
        ends.register(handle, select.POLLIN)
    # Ray's agents look for a lost raylet for a minute before they give up.
    while left and (ended := ends.poll(300_000)):
        for handle, _ in ended:
            ends.unregister(handle)
            os.close(handle)
            del left[handle]
    return set(left.values())
