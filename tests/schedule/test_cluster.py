"""Studies on a Ray cluster that runs already, and what a run says meanwhile."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import ray

from hpo_vs_adapt.schedule.ray_tune import WorkerProblem
from tests.running import (
    IRIS,
    command,
    descendants,
    grid,
    make_study,
    optuna_states,
    ray_here,
    records_of,
    start,
    train,
    wait_for_end,
    write,
)

pytestmark = pytest.mark.slow

OWN = """\
import os
from pathlib import Path

from sklearn.datasets import load_iris
from torch import nn

from hpo_vs_adapt.workloads import Arrays, Workload


class Own(Workload):
    target = 0.9
    epochs = 2
    batch_size = 16

    def load(self, data):
        x, y = load_iris(return_X_y=True)
        return Arrays(x, y)

    def model(self):
        with Path({place!r}).joinpath(str(os.getpid())).open("w") as file:
            file.write(os.environ.get("CLUSTER", ""))
        return nn.Linear(4, 3)
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def cluster():
    """A cluster started by ``ray start``: its address, and what it asks for."""
    port = free_port()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Ray's sockets lie below it, and their names must be short.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("ray")),
            "start",
            "--head",
            "--block",
            "--node-ip-address=127.0.0.1",
            f"--port={port}",
            "--num-cpus=2",
            "--include-dashboard=false",
            f"--temp-dir={folder}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **token, "CLUSTER": "this one"},
        start_new_session=True,
    )
    said = ""
    while "Ray runtime started" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    yield f"127.0.0.1:{port}", token
    children = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert wait_for_end(children) == set()
    shutil.rmtree(folder)


def run(study, *options, **env):
    process = start(study.source.parent, "run", "study.yaml", *options, **env)
    out, err = process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize(
    "how", ["address", pytest.param("auto", marks=pytest.mark.long)]
)
def test_a_study_with_a_workload_of_ones_own_runs_on_a_running_cluster(
    tmp_path, cluster, how
):
    address, env = cluster
    options = ["--address", address]
    if how == "auto":
        options, env = ["--address", "auto"], {**env, "RAY_ADDRESS": address}
    place = tmp_path / "processes"
    place.mkdir()
    own = write(tmp_path / "study", "own.py", OWN.format(place=str(place)))
    study = make_study(tmp_path / "study", [grid(0.1, 0.2)], [f"{own}:Own", IRIS])
    status, out, err = run(study, *options, **env)
    assert status == 0, err
    assert out.endswith("Report: reports/tiny/index.html\n")
    assert len(records_of(study)) == 4
    assert optuna_states(study) == ["COMPLETE"] * 4
    # Its lanes were trained by the workers of that cluster.
    marks = {file.name: file.read_text() for file in place.iterdir()}
    assert "this one" in marks.values()


def refused(study, *options):
    """Return what a run says that finds no cluster, and no Ray in its process."""
    ray.shutdown()
    result = command(study.source.parent, "run", "study.yaml", *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert records_of(study) == []
    return result.stderr


def test_ray_client_is_refused_with_what_to_use_instead(tmp_path):
    study = make_study(tmp_path, [grid(0.1)])
    err = refused(study, "--address", "ray://127.0.0.1:10001")
    assert "`address` must be auto or HOST:PORT; got 'ray://127.0.0.1:10001'" in err
    assert "on one of its machines" in err


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "nonsense", "auto"])
def test_a_wrong_address_is_one_message_that_names_it(tmp_path, monkeypatch, address):
    study = make_study(tmp_path, [grid(0.1)])
    port = free_port()
    address = address.format(port=port)
    # So that `auto` looks where no cluster is.
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    err = refused(study, "--address", address)
    *progress, message = err.splitlines()
    assert all(" of 1 trials" in line or "sgd-grid: " in line for line in progress)
    assert "`address` must be" in message
    assert f"got '{address}'" in message
    assert "RUNNING" not in optuna_states(study)


def test_machines_without_torch_are_one_error_and_no_crashed_trials(tmp_path):
    broken = "raise ImportError('nothing of the kind here')"
    write(tmp_path / "elsewhere/torch", "__init__.py", broken)
    environment = {"env_vars": {"PYTHONPATH": str(tmp_path / "elsewhere")}}
    study = make_study(tmp_path, [grid(0.1)], resources={"retries": 0})
    with (
        ray_here(environment=environment),
        pytest.raises(WorkerProblem, match="nothing of the kind here"),
    ):
        train(study)
    assert records_of(study) == []
    assert "FAIL" not in optuna_states(study)


@pytest.mark.long
def test_a_run_says_nothing_but_what_it_means_to_say(tmp_path):
    study = make_study(tmp_path, [grid(0.1, 1e30)], resources={"lanes": 1})
    status, out, err = run(study)
    assert status == 0
    lines = [line for line in out.splitlines() if line]
    assert lines[0] == "iris_logreg"
    assert lines[1].split()[:3] == ["arm", "kind", "trials"]
    assert lines[2].split()[:3] == ["sgd-grid", "tuned", "2"]
    assert lines[3] == "Costs in sample gradients; the bill has the tuning in it."
    assert lines[4].startswith("iris_logreg: ")
    assert len(lines) == 6
    assert lines[-1] == "Report: reports/tiny/index.html"
    for line in err.splitlines():
        assert line.startswith(("0 of 2 ", "1 of 2 ", "2 of 2 ", "  iris_logreg sgd-"))
