"""What commands say when something is wrong: what a user can mend, and our mistakes."""

import ast
import errno
import sys
from pathlib import Path

import pytest
import ray
import sqlalchemy
import typer
from typer.testing import CliRunner, Result

import hpo_vs_adapt
from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.cli.messages import reporting
from hpo_vs_adapt.observers.dashboard.mirror import StreamChanged
from hpo_vs_adapt.observers.dashboard.urls import explaining_losses
from hpo_vs_adapt.plan.prepared import PreparedWorkload
from hpo_vs_adapt.schedule.ray_tune import WorkerProblem
from hpo_vs_adapt.schedule.session import ResourceProblem
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.wording import Problem

STUDY = """\
name: small
seeds: [0]
workloads: [{name: WORKLOAD, budget: {epochs: 2}BATCH}]
arms: [{name: adam, optimizer: {rule: adam}}]
"""

OWN = """\
import numpy as np
from torch import nn
from hpo_vs_adapt.workloads import Arrays, Metric, Workload


class Good(Workload):
    target, target_source, epochs, batch_size = 0.5, "a test", 2, 4
    metric = Metric("error", "min", low=0.0)

    def load(self, data):
        return Arrays(np.arange(40.0).reshape(20, 2), np.arange(20.0))

    def model(self):
        return nn.Linear(2, 1)

    def loss(self, outputs, y):
        return nn.functional.mse_loss(outputs.squeeze(-1), y)

    def score(self, outputs, y):
        return self.loss(outputs, y)


class NotMade(Good):
    def __init__(self):
        raise RuntimeError("no workload today")


class NoData(Good):
    def load(self, data):
        return {}["column"]


class NoFile(Good):
    def load(self, data):
        return open("measured.csv")


class NoModel(Good):
    def model(self):
        assert False


class WrongLoss(Good):
    def loss(self, outputs, y):
        raise ValueError("shapes [2] and [3].")


class Endless(Good):
    def loss(self, outputs, y):
        return self.loss(outputs, y)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*args: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(args))


def study(workload: str = "iris_logreg", batch: str = "", more: str = "") -> str:
    text = STUDY.replace("WORKLOAD", f"'{workload}'").replace("BATCH", batch) + more
    Path("small.yaml").write_text(text)
    return "small.yaml"


def one_message(result: Result) -> str:
    """Return what was said, after seeing that it is one message for the user."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NotMade", "making it raised RuntimeError: no workload today."),
        ("NoData", "reading its data raised KeyError: 'column'."),
        ("NoFile", "reading its data failed: [Errno 2] No such file or directory: "),
        ("NoModel", "raised AssertionError."),
    ],
)
def test_what_a_workload_of_ones_own_raises_is_one_message(folder, name, said):
    (folder / "own.py").write_text(OWN)
    message = one_message(call("plan", study(f"own.py:{name}")))
    assert f"`own.py:{name}`" in message
    assert said in message
    assert ".." not in message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("WrongLoss", r"ValueError: shapes \[2\] and \[3\]\."),
        ("Endless", "RecursionError: maximum"),
    ],
)
def test_what_a_loss_of_ones_own_raises_is_told_before_training(folder, name, said):
    (folder / "own.py").write_text(OWN)
    [entry] = Study.from_yaml(study(f"own.py:{name}")).workloads
    with pytest.raises(Problem, match=f"running its model on a batch raised {said}"):
        PreparedWorkload(entry, folder).flops(4)


def test_a_batch_beyond_the_data_is_one_message(folder):
    message = one_message(call("plan", study(batch=", batch_size: 9999")))
    assert message == (
        "`batch_size` must be at most the number of training samples, 90; got 9999.\n"
    )


def test_data_that_are_not_there_are_one_message(folder):
    (folder / "empty").mkdir()
    text = study("fashion_mnist_mlp", batch=", data: empty")
    message = one_message(call("plan", text))
    assert "empty" in message


def test_an_address_where_nobody_listens_is_one_message(folder):
    ray.shutdown()  # what other tests have left running would be used
    message = one_message(call("run", study(), "--address", "127.0.0.1:1"))
    assert "`address` must be that of a running Ray cluster" in message


@pytest.mark.parametrize("url", ["nonsense", "postgresql://me@here:port/db", "x://"])
@pytest.mark.parametrize("command", ["run", "status", "dashboard"])
def test_a_url_that_is_none_is_one_message(folder, command, url):
    text = study(more=f"storage: {{optuna: '{url}'}}\n")
    assert "`storage.optuna` must be" in one_message(call(command, text))


def test_a_log_that_nobody_knows_is_one_message(folder):
    message = one_message(call("report", study(), "--log", "wandb"))
    assert message == "`--log` must be tensorboard or mlflow; got 'wandb'.\n"


def reported(error: BaseException, capsys, *, verbose: bool) -> tuple[int, str]:
    with pytest.raises(typer.Exit) as caught, reporting(verbose):
        raise error
    return caught.value.exit_code, capsys.readouterr().err


@pytest.mark.parametrize("kind", [StreamChanged, ResourceProblem, WorkerProblem])
def test_problems_of_a_run_are_one_message(kind, capsys):
    assert reported(kind("Mend it."), capsys, verbose=False) == (2, "Mend it.\n")


def test_a_problem_has_its_traceback_with_verbose(capsys):
    status, text = reported(WorkerProblem("Mend it."), capsys, verbose=True)
    assert status == 2
    assert "raise error" in text
    assert text.rstrip().endswith("WorkerProblem: Mend it.")


@pytest.mark.parametrize(
    "error", [ValueError("12"), OSError("13"), ZeroDivisionError()]
)
def test_a_mistake_of_our_own_is_a_traceback_and_who_to_tell(error, capsys):
    status, text = reported(error, capsys, verbose=False)
    assert status == 70
    assert "Traceback" in text
    assert "raise error" in text
    last = text.splitlines()[-1]
    assert last.startswith("This is a mistake in hpo-vs-adapt ")
    assert "Please report it" in last


def test_a_command_that_hits_a_mistake_of_our_own_says_so(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "hpo_vs_adapt.cli.views", None)
    result = call("plan", study())
    assert result.exit_code == 70
    assert "ModuleNotFoundError" in result.stderr
    assert "This is a mistake in hpo-vs-adapt" in result.stderr.splitlines()[-1]


def test_an_interrupt_anywhere_is_exit_status_130(capsys):
    status, text = reported(KeyboardInterrupt(), capsys, verbose=False)
    assert (status, text) == (130, "Interrupted.\n")


def test_a_reader_that_has_gone_is_no_mistake():
    with pytest.raises(BrokenPipeError), reporting(False):
        raise BrokenPipeError(errno.EPIPE, "head has read enough")


def test_a_database_that_is_lost_is_a_problem(tmp_path):
    url = f"sqlite:///{tmp_path / 'none' / 'x.db'}"
    said = r"`storage\.optuna`, .*unable to open.*again"
    with pytest.raises(Problem, match=said), explaining_losses(url):
        sqlalchemy.create_engine(url).connect()


def test_every_problem_of_the_package_is_one_that_commands_report():
    package = Path(hpo_vs_adapt.__file__).parent
    apart = {
        "DataError",  # part of the records' keys; `DataProblem` is what users see
        "SettingProblem",  # part of the records' keys; in a `StudyError` by then
        "FieldError",  # collected in a `StudyError`
        *("Damaged", "NewerSchema"),  # of a record's file; its store says what to do
    }
    bases: dict[str, set[str]] = {}
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {ast.unparse(base) for base in node.bases}
    found = {"Problem"}
    while new := {name for name in bases if bases[name] & found} - found:
        found |= new
    errors = {"Exception", "ValueError", "OSError", "RuntimeError"}
    raised = {name for name in bases if bases[name] & errors} - found
    assert raised == apart
