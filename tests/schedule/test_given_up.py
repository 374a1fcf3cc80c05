"""Workers that are lost for good or lack a module: no fault of the trials."""

import os

import pytest
from typer.testing import CliRunner

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.seeds import derive
from tests.running import (
    IRIS,
    grid,
    make_study,
    optuna_states,
    ray_here,
    records_of,
    write,
)

pytestmark = pytest.mark.slow

OWN = """\
import os
import signal
import sys
from pathlib import Path

import torch

from hpo_vs_adapt.workloads.tabular import IrisLogreg

DRIVER, PLACE, UNLUCKY = {driver}, Path({place!r}), {unlucky}


class Unlucky(IrisLogreg):
    \"\"\"Kills its process with one seed, as a fault in compiled code does.\"\"\"

    epochs = 2

    def model(self):
        cured = os.getpid() == DRIVER or (PLACE / "cured").exists()
        if torch.initial_seed() == UNLUCKY and not cured:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().model()
"""

ABSENT = """

sys.path.append(str(PLACE / "modules"))

import only_here


class Absent(IrisLogreg):
    \"\"\"Needs a module that is gone once the data have been read.\"\"\"

    epochs = 2

    def load(self, data):
        if not (PLACE / "cured").exists():
            (PLACE / "modules/only_here.py").unlink(missing_ok=True)
        return super().load(data)
"""

ADAM = {"name": "adam", "optimizer": {"rule": "adam"}}
TPE = {
    "name": "tpe",
    "optimizer": {"rule": "adam"},
    "tune": {
        "by": "optuna",
        "trials": 2,
        "batch": 1,
        "space": {"lr": {"low": 1e-4, "high": 1.0, "log": True}},
    },
}


@pytest.fixture(scope="module", autouse=True)
def ray_with_two_slots():
    with ray_here(num_cpus=2):
        yield


@pytest.fixture
def own(tmp_path):
    """The text of a workload file whose folder is the test's."""
    return OWN.format(
        driver=os.getpid(), place=str(tmp_path), unlucky=derive(1, "weights")
    )


def run(study, monkeypatch):
    monkeypatch.chdir(study.source.parent)
    return CliRunner().invoke(app, ["run", "study.yaml"])


def told(caplog):
    """Return the lines of warnings since the last time."""
    lines = [line for r in caplog.records for line in r.getMessage().splitlines()]
    caplog.clear()
    return lines


@pytest.mark.long
def test_a_trial_that_loses_its_worker_is_left_out_and_tried_again_by_the_next_run(
    tmp_path, own, monkeypatch, caplog
):
    study = make_study(
        tmp_path,
        [ADAM, TPE],
        [write(tmp_path, "own.py", own) + ":Unlucky"],
        [0, 1],
        resources={"lanes": 4, "packs": 1, "retries": 0},
    )
    result = run(study, monkeypatch)
    assert result.exit_code == 1, result.output
    assert "Report: reports/tiny/index.html" in result.output
    assert "Crashed" not in result.output
    lost, summary = told(caplog)
    assert lost.startswith(
        "Not trained: Unlucky, adam, policy trial 1 (seed 1); Unlucky, tpe, policy "
        "trial 0 (seed 1). Its worker was lost again and again ("
    )
    assert "died unexpectedly" in lost
    assert summary == (
        "Of 2 trials nothing is recorded, and what would follow from them was left "
        "out. The same command trains what is missing."
    )
    kept = {record.key: record.end for record in records_of(study)}
    assert set(kept.values()) == {"budget"}
    assert len(kept) == 1 + 2 + 1  # adam; a search, and its winner again
    assert "FAIL" not in optuna_states(study)

    (tmp_path / "cured").touch()
    result = run(study, monkeypatch)
    assert result.exit_code == 0, result.output
    assert told(caplog) == []
    trained = {record.key: record.end for record in records_of(study)}
    assert len(trained) == 2 * len(kept)
    assert kept.items() <= trained.items()
    assert optuna_states(study) == ["COMPLETE"] * len(trained)


def test_a_worker_that_cannot_import_leaves_the_other_workloads_alone(
    tmp_path, own, monkeypatch, caplog
):
    (tmp_path / "modules").mkdir()
    module = tmp_path / "modules/only_here.py"
    module.touch()
    study = make_study(
        tmp_path,
        [grid(0.01, 0.1, retrain=1), ADAM],
        [IRIS, write(tmp_path, "own.py", own + ABSENT) + ":Absent"],
        resources={"lanes": 4, "packs": 1},
    )
    result = run(study, monkeypatch)
    assert result.exit_code == 1, result.output
    assert not module.exists()
    assert "Crashed" not in result.output
    lost, _ = told(caplog)
    assert lost.startswith(
        "Not trained: Absent, sgd-grid, policy trial 0 (seed 0) and trial 1 (seed 0); "
        "Absent, adam, policy trial 0 (seed 0). The worker cannot import what it needs "
        "("
    )
    assert "No module named 'only_here'" in lost
    kept = records_of(study)
    assert len(kept) == 2 + 1 + 1
    assert {record.spec.workload for record in kept} == {"iris_logreg"}

    module.touch()
    (tmp_path / "cured").touch()
    result = run(study, monkeypatch)
    assert result.exit_code == 0, result.output
    assert told(caplog) == []
    assert len(records_of(study)) == 2 * len(kept)
    assert {record.end for record in records_of(study)} == {"budget"}
