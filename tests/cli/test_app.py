import contextlib
import importlib.metadata
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.workloads import WORKLOADS
from tests.running import command, ray_here, start

STUDY = """\
name: small
seeds: [0, 1]
workloads: [{name: iris_logreg, budget: {epochs: 2}}]
arms:
  - name: sgd-grid
    optimizer: {rule: sgd, momentum: 0.9}
    tune: {by: grid, grid: {lr: [1e-3, 1e-1]}}
  - name: adam
    optimizer: {rule: adam}
resources: {lanes: 4}
"""

COMMANDS = ["run", "plan", "status", "report", "calibrate", "dashboard"]


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "small.yaml"
    file.write_text(STUDY)
    return file


def call(*args: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(args))


def finish(folder: Path, *args: str) -> tuple[int, str, str]:
    with ray_here():
        result = command(folder, *args)
    return result.exit_code, result.stdout, result.stderr


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_help_names_every_command():
    result = call("--help")
    assert result.exit_code == 0
    assert all(f" {name} " in result.output for name in [*COMMANDS, "list", "compare"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "STUDY.yaml" in result.output
    assert "--verbose" in result.output


def test_the_version_is_that_of_the_package():
    result = call("--version")
    assert result.exit_code == 0
    assert result.output.strip() == importlib.metadata.version("hpo-vs-adapt")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_study_is_one_message_and_exit_status_2(study, command):
    study.write_text(STUDY.replace("lr: [1e-3", "lr: [-1"))
    result = call(command, "small.yaml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "small.yaml: `arms[0].tune.grid.lr[0]` must be a number > 0; got -1.\n"
    )
    assert files(study.parent) == {study}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_study_is_exit_status_2(study, command):
    result = call(command, "smal.yaml")
    assert result.exit_code == 2
    assert "there is no such file; . has small.yaml." in result.stderr


@pytest.mark.parametrize(
    "args", [["run"], ["run", "small.yaml", "--lanes"], ["lst"], ["list", "arms"]]
)
def test_wrong_options_are_exit_status_2(study, args):
    result = call(*args)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_the_rules_are_listed_with_settings_defaults_and_sources():
    result = call("list", "rules")
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    for name, rule in RULES.items():
        assert name in words
        assert " ".join(rule.reference.split()) in words
        assert f"defaults from: {rule.defaults}" in words
        assert f"adapts: {rule.adapts}" in words
        for setting, known in rule.settings.items():
            assert f"{setting} " in words
            assert known.doc in words
    assert "[0.9, 0.999]" in words


def test_a_list_can_be_cut_to_some_names_and_a_wrong_one_is_said_to_be():
    result = call("list", "rules", "tlr", "adam")
    assert result.exit_code == 0
    names = [line for line in result.output.splitlines() if line in RULES]
    assert names == ["tlr", "adam"]
    result = call("list", "workloads", "digit_mlp")
    assert result.exit_code == 2
    assert result.stderr == "Unknown workload `digit_mlp`; did you mean `digits_mlp`?\n"


def test_the_workloads_are_listed_with_sizes_targets_and_budgets():
    result = call("list", "workloads")
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    for name, workload in WORKLOADS.items():
        assert name in words
        assert f"{workload.metric.name} {workload.target:g}" in words
        assert f"{workload.epochs:g} epochs, batch size {workload.batch_size}" in words
    assert "1150 training, 288 validation, 359 test samples" in words


def test_a_plan_counts_the_trials_and_leaves_no_trace(study):
    result = call("plan", "small.yaml")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert ["iris_logreg", "sgd-grid", "policy", "4", "0", "4"] in rows
    assert ["iris_logreg", "sgd-grid", "retrain", "2", "0", "2"] in rows
    assert ["iris_logreg", "adam", "policy", "2", "0", "2"] in rows
    assert "8 trials planned, 0 found on disk, 8 missing." in result.output
    # 90 training samples, batches of 16 (the last 10 are dropped), 2 epochs
    assert f"about {8 * 2 * 80 / 1000:.2g} k sample gradients" in result.output
    assert files(study.parent) == {study}


def test_the_status_of_a_study_never_run_is_all_missing(study):
    result = call("status", "small.yaml")
    assert result.exit_code == 0, result.output
    assert "0 of 8 trials done, 0 running, 8 missing" in result.output
    assert files(study.parent) == {study}


def test_a_store_that_cannot_be_opened_is_exit_status_2(study):
    (study.parent / "taken").write_text("a file where a folder should be")
    study.write_text(STUDY + "storage: {records: taken}\n")
    result = call("run", "small.yaml")
    assert result.exit_code == 2
    assert "taken" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_database_that_cannot_be_opened_is_exit_status_2(study):
    study.write_text(STUDY + "storage: {optuna: 'nonsense://x'}\n")
    result = call("run", "small.yaml")
    assert result.exit_code == 2
    assert "nonsense" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_its_package_the_dashboard_says_how_to_install_it(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    result = call("dashboard", "small.yaml")
    assert result.exit_code == 2
    assert "pip install 'hpo-vs-adapt[dashboard]'" in result.stderr


def test_a_taken_port_is_exit_status_2(study):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = call("dashboard", "small.yaml", "--port", str(port))
    assert result.exit_code == 2
    assert f"`--port` must be free; got {port}" in result.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the small study was run, and what the command printed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.yaml").write_text(STUDY)
    return folder, finish(folder, "run", "small.yaml")


@pytest.mark.slow
def test_a_run_ends_with_its_arms_a_verdict_and_the_report(finished):
    folder, (status, out, err) = finished
    assert status == 0, err
    rows = [line.split() for line in out.splitlines()]
    assert any(row[:3] == ["sgd-grid", "tuned", "4"] for row in rows)
    assert any(row[:3] == ["adam", "fixed", "2"] for row in rows)
    summary = json.loads((folder / "reports/small/summary.json").read_text())
    assert all(verdict["sentence"] in out for verdict in summary["verdict"])
    assert out.endswith("\nReport: reports/small/index.html\n")
    assert (folder / "reports/small/index.html").is_file()


@pytest.mark.slow
def test_a_run_without_a_terminal_reports_progress_in_lines(finished):
    _, (_, _, err) = finished
    lines = err.splitlines()
    assert lines[0].startswith("0 of 8 trials, 0 hits")
    assert any(line.startswith("8 of 8 trials") for line in lines)
    assert any(
        line.startswith("  iris_logreg sgd-grid: 6 of 6 trials") for line in lines
    )
    assert "\x1b" not in err


@pytest.mark.slow
def test_a_second_run_finds_all_trials_and_starts_no_worker(finished):
    folder, (_, first, _) = finished
    status, out, err = finish(folder, "run", "small.yaml", "--out", "again")
    assert status == 0
    assert "8 of 8 trials (8 found on disk)" in err
    assert "training" not in err
    assert out == first.replace("reports/small", "again")
    summaries = [
        folder / place / "summary.json" for place in ("again", "reports/small")
    ]
    assert summaries[0].read_bytes() == summaries[1].read_bytes()


@pytest.mark.slow
def test_a_terminal_sees_which_part_of_the_report_is_made(study):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hpo_vs_adapt", "report", str(study)]
    pipes = {"stdout": subprocess.PIPE, "stderr": theirs}
    env = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(command, **pipes, env=env) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the end of a terminal nobody writes to
            while part := os.read(ours, 1024):
                seen += part
        out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert b"Report: page" in seen
    assert out.count(b"Report: ") == 1  # where it is


@pytest.mark.slow
def test_status_plan_and_report_see_what_a_run_has_left(finished, monkeypatch):
    folder, _ = finished
    monkeypatch.chdir(folder)
    status = call("status", "small.yaml").output
    assert "8 of 8 trials done, 0 running, 0 missing" in status
    assert "8 trials planned, 8 found on disk" in call("plan", "small.yaml").output
    result = call("report", "small.yaml", "--out", "elsewhere")
    assert result.exit_code == 0
    assert (folder / "elsewhere/index.html").is_file()


@pytest.mark.slow
def test_the_dashboard_serves_the_studies_on_loopback_until_ctrl_c(finished):
    folder, _ = finished
    process = start(folder, "dashboard", "small.yaml")
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert address is not None, line
    with urllib.request.urlopen(f"{address[0]}api/studies") as answer:
        studies = json.load(answer)["study_summaries"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    names = {one["study_name"].partition(" (")[0] for one in studies}
    assert {"small/iris_logreg/sgd-grid/0", "small/iris_logreg/adam"} <= names
    assert (process.returncode, err) == (0, "")


BROKEN_RULE = """\
from hpo_vs_adapt.optim.fixed import SGD


class Broken(SGD):
    def update(self, w, g, state, oracle):
        raise RuntimeError("out of luck")
"""


@pytest.mark.slow
def test_crashed_trials_are_named_and_end_in_exit_status_1_with_a_report(tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN_RULE)
    (tmp_path / "small.yaml").write_text(
        STUDY.replace("rule: adam}", "rule: 'broken.py:Broken'}")
    )
    status, out, err = finish(tmp_path, "run", "small.yaml")
    assert status == 1, err
    assert "Crashed: iris_logreg, adam, policy trial 0, seed 0: " in err
    assert "Crashed: iris_logreg, adam, policy trial 1, seed 1: " in err
    assert "out of luck" in err
    assert "Traceback" not in err
    assert out.endswith("\nReport: reports/small/index.html\n")
    assert (tmp_path / "reports/small/index.html").is_file()
