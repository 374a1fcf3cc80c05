from __future__ import annotations

import socket
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from hpo_vs_adapt.observers.logs.trials import LoggedTrial, TrialLog
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.observers.logs.logs import LogProblem, TrialLogs, open_logs
from tests.observers.logs.examples import (
    TRIALS,
    answers,
    call,
    client,
    runs_in,
    scalars,
    tiny,
)

pytestmark = pytest.mark.filterwarnings(
    # Of MLflow's own tables, as newer versions of SQLAlchemy see them.
    "ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"
)


@pytest.mark.slow
def test_a_log_that_was_killed_halfway_is_written_anew(again, tmp_path):
    database = tmp_path / "logs" / "mlflow.db"
    with open_logs(["mlflow"], again) as logs:
        load_results(again, logs)
    [half] = runs_in(database)["iris_logreg/adam/0"]
    client(database).update_run(half.info.run_id, status="RUNNING")
    with open_logs(["mlflow"], again) as logs:
        load_results(again, logs)
    assert f"{TRIALS - 1} of them before" in logs.summaries()[0]
    [whole] = runs_in(database)["iris_logreg/adam/0"]
    assert whole.info.run_id != half.info.run_id
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics == half.data.metrics


@pytest.mark.slow
def test_a_trial_that_has_changed_replaces_its_folder_and_adds_a_run(again, tmp_path):
    names = ["tensorboard", "mlflow"]
    with open_logs(names, again) as logs:
        load_results(again, logs)
    changed = tiny(tmp_path, target=0.2)  # met by other trials, at other costs
    with open_logs(names, changed) as logs:
        load_results(changed, logs)
    place = "tiny/iris_logreg/adam/0"
    folder = tmp_path / "logs" / "tensorboard" / place
    [event] = scalars(folder)["final/cost_to_target"]
    [trial] = [t for t in answers(changed) if "/".join(t.place) == place]
    assert event.value == trial.final["cost_to_target"]
    before, after = sorted(
        runs_in(tmp_path / "logs" / "mlflow.db")["iris_logreg/adam/0"],
        key=lambda run: -run.data.metrics["final/cost_to_target"],
    )
    assert after.data.metrics["final/cost_to_target"] == event.value
    assert before.data.metrics["final/cost_to_target"] > event.value


@pytest.mark.slow
def test_a_log_that_fails_spares_the_others_and_can_be_written_later(again, tmp_path):
    database = tmp_path / "logs" / "mlflow.db"
    with open_logs(["tensorboard", "mlflow"], again) as logs:
        with sqlite3.connect(database) as connection:
            connection.execute("ALTER TABLE metrics RENAME TO lost")
        connection.close()
        load_results(again, logs)
    [problem] = logs.problems
    assert f"sqlite:///{database} cannot be written: " in str(problem)
    assert f"TensorBoard: {TRIALS} trials logged. " in logs.summaries()[0]
    assert "MLflow: 0 trials logged. " in logs.summaries()[1]

    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE lost RENAME TO metrics")
    connection.close()
    with open_logs(["mlflow"], again) as logs:
        load_results(again, logs)
    assert logs.problems == []
    runs = runs_in(database)
    assert len(runs) == TRIALS
    assert {run.info.status for (run,) in runs.values()} == {"FINISHED", "FAILED"}


@pytest.mark.slow
def test_a_log_that_fails_leaves_report_and_exit_status(again, tmp_path):
    mine = tmp_path / "tb" / "tiny" / "iris_logreg" / "sgd-grid" / "0" / "0"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("keep")
    result = call("report", "study.yaml", "--log", "tensorboard=tb")
    assert result.exit_code == 1  # for the broken arm, as without logs
    assert (tmp_path / "reports" / "tiny" / "index.html").is_file()
    place = "tb/tiny/iris_logreg/sgd-grid/0/0"
    assert f"Not all trials were logged: {place} is in the way: " in result.stderr
    assert "`hpo-vs-adapt report` with the same `--log`" in result.stderr
    assert (mine / "notes.txt").read_text() == "keep"


@pytest.mark.slow
def test_an_error_while_logging_leaves_out_what_is_not_written(again):
    class Slow(TrialLog):
        title = hint = "slow"

        def write(self, trial: LoggedTrial) -> bool:
            begun.set()
            go_on.wait()
            return True

    begun, go_on = threading.Event(), threading.Event()
    logs = TrialLogs(again, [Slow()])
    load_results(again, logs)
    begun.wait()
    with pytest.raises(KeyboardInterrupt), logs:
        raise KeyboardInterrupt
    assert logs.waiting == TRIALS
    go_on.set()


@pytest.mark.slow
def test_the_tracking_uri_of_the_environment_is_followed(again, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'theirs.db'}")
    with open_logs(["mlflow"], again) as logs:
        load_results(again, logs)
    assert len(runs_in(tmp_path / "theirs.db")) == TRIALS
    assert not (tmp_path / "logs").exists()


@pytest.mark.slow
def test_a_deleted_experiment_is_named(again, tmp_path):
    open_logs(["mlflow"], again)
    mlflow = client(tmp_path / "logs" / "mlflow.db")
    number = mlflow.get_experiment_by_name("tiny").experiment_id
    mlflow.delete_experiment(number)
    with pytest.raises(LogProblem, match=f"mlflow experiments restore -x {number}"):
        open_logs(["mlflow"], again)


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tiny(tmp_path)


def refused(study: Study, *options: str) -> str:
    """Return what a run says that ends before anything is trained."""
    result = call("run", "study.yaml", *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert RecordStore(study.storage.records, writable=False).keys() == []
    assert not Path("reports").exists()
    return result.stderr


def test_an_unknown_log_is_refused(untrained):
    text = refused(untrained, "--log", "wandb")
    assert text == "`--log` must be tensorboard or mlflow; got 'wandb'.\n"


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("tensorboard", ["tensorboard", "torch.utils.tensorboard"]),
        ("mlflow", ["mlflow", "mlflow.entities"]),
    ],
)
def test_a_missing_library_is_named_before_training(
    untrained, monkeypatch, name, modules
):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    text = refused(untrained, "--log", name)
    assert f"`--log {name}` needs the package" in text
    assert f"pip install 'hpo-vs-adapt[{name}]'" in text


def test_a_folder_that_cannot_be_made_is_named_before_training(untrained, tmp_path):
    (tmp_path / "tb").write_text("a file")
    text = refused(untrained, "--log", "tensorboard=tb")
    assert "tb cannot be written: File exists." in text


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named_before_training(untrained):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    text = refused(untrained, "--log", f"mlflow=http://127.0.0.1:{port}")
    assert f"http://127.0.0.1:{port} cannot be opened: " in text
    assert "Check MLFLOW_TRACKING_URI" in text
