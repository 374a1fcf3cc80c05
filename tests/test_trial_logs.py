from __future__ import annotations

import json
import math
import socket
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hpo_vs_adapt.cli import app
from hpo_vs_adapt.logged_trials import LoggedTrial, TrialLog
from hpo_vs_adapt.records import RecordStore
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.trial_logs import LogProblem, TrialLogs, open_logs
from tests.running import IRIS, grid, make_study, optuna_trials, start, write

pytestmark = pytest.mark.filterwarnings(
    # Of MLflow's own tables, as newer versions of SQLAlchemy see them.
    "ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"
)

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
    with TrialLogs([Listening()]) as logs:
        load_results(study, logs)
    return heard


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the study was run and logged, and what the command printed."""
    folder = tmp_path_factory.mktemp("finished")
    tiny(folder)
    process = start(
        folder,
        *("run", "study.yaml", "--log", "tensorboard", "--log", "mlflow"),
        MLFLOW_TRACKING_URI="",
    )
    out, err = process.communicate()
    assert process.returncode == 1, err  # for the broken arm
    return folder, out, err


@pytest.fixture
def again(finished, tmp_path, monkeypatch):
    """The same study and records, without any logs."""
    folder = finished[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study = tiny(tmp_path)
    (tmp_path / "runs").symlink_to(folder / "runs")
    return study


@pytest.mark.slow
def test_a_run_says_where_its_logs_are(finished):
    folder, out, err = finished
    assert out.splitlines()[-2:] == [
        f"TensorBoard: {TRIALS} trials logged. tensorboard --logdir "
        f"{folder}/logs/tensorboard",
        f"MLflow: {TRIALS} trials logged. mlflow ui --backend-store-uri "
        f"sqlite:///{folder}/logs/mlflow.db",
    ]
    assert "mlflow" not in err  # its own chatter


@pytest.mark.slow
def test_a_log_has_the_name_and_number_of_the_optuna_trial(finished):
    folder = finished[0]
    study = Study.from_yaml(folder / "study.yaml")
    expected = {
        f"{name}/{trial.number}": trial.user_attrs["record"]
        for name, trials in optuna_trials(study).items()
        for trial in trials
    }
    root = folder / "logs" / "tensorboard"
    found = {
        file.parent.relative_to(root).as_posix(): json.loads(file.read_text())["record"]
        for file in root.rglob("trial.json")
    }
    assert found == expected
    assert len(found) == TRIALS
    runs = runs_in(folder / "logs" / "mlflow.db")
    records = {f"tiny/{n}": run.data.tags["record"] for n, (run,) in runs.items()}
    assert records == expected


@pytest.mark.slow
def test_event_files_hold_the_whole_curve_at_what_it_cost(finished):
    folder = finished[0]
    study = Study.from_yaml(folder / "study.yaml")
    compared = 0
    for trial in answers(study):
        logged = scalars(folder.joinpath("logs", "tensorboard", *trial.place))
        series = {
            n.partition("/")[2]: s for n, s in logged.items() if "final/" not in n
        }
        assert set(series) == set(trial.curve.dropna(axis=1, how="all"))
        for name, events in series.items():
            rows = trial.curve[-len(events) :]
            assert trial.curve[name][: -len(events)].isna().all()
            assert [e.step for e in events] == list(rows["cost"].round())
            values = rows[name].to_numpy("float32")
            np.testing.assert_array_equal(np.float32([e.value for e in events]), values)
            times = [e.wall_time - events[-1].wall_time for e in events]
            seconds = rows["seconds"] - rows["seconds"].iloc[-1]
            np.testing.assert_allclose(times, seconds, atol=1e-5)
            compared += 1
    assert compared > 12 * (TRIALS - 1)


@pytest.mark.slow
def test_final_numbers_and_hyperparameters_are_those_of_the_results(finished):
    folder = finished[0]
    records = load_results(Study.from_yaml(folder / "study.yaml")).records
    runs = runs_in(folder / "logs" / "mlflow.db")
    by_record = {
        (r.data.tags["arm"], r.data.tags["record"]): r for (r,) in runs.values()
    }
    assert len(records) == TRIALS
    for row in records.to_dict("records"):
        run = by_record[row["arm"], row["key"]]
        events = scalars(folder.joinpath("logs/tensorboard", "tiny", run.info.run_name))
        for name in ("cost", "cost_to_target", "best_metric", "test_metric"):
            logged = run.data.metrics.get(f"final/{name}", math.nan)
            known = row[name] if math.isfinite(row[name]) else math.nan
            assert logged == pytest.approx(known, nan_ok=True)
            [event] = events.get(f"final/{name}", [None])
            assert (
                event is None
                if math.isnan(known)
                else (event.value == pytest.approx(known))
            )
        given = {
            "rule": row["rule"],
            "batch_size": row["batch_size"],
            **row["settings"],
        }
        assert run.data.params == {name: str(value) for name, value in given.items()}
        tags = run.data.tags
        assert [tags[n] for n in ("workload", "role", "end", "seed")] == [
            str(row[n]) for n in ("workload", "role", "end", "seed")
        ]
        assert run.info.status == ("FAILED" if row["end"] == "crashed" else "FINISHED")


@pytest.mark.slow
def test_runs_of_mlflow_hold_the_whole_curve(finished):
    folder = finished[0]
    database = folder / "logs" / "mlflow.db"
    mlflow, runs = client(database), runs_in(database)
    for trial in answers(Study.from_yaml(folder / "study.yaml")):
        [run] = runs["/".join(trial.place[1:])]
        for name in ("evaluation/validation_metric", "spending/step", "rule/lr"):
            history = mlflow.get_metric_history(run.info.run_id, name)
            points = [(p.step, p.value) for p in trial.points() if p.name == name]
            logged = [(m.step, m.value) for m in history]
            np.testing.assert_array_equal(sorted(logged), sorted(points))
        seconds = (run.info.end_time - run.info.start_time) / 1000
        assert seconds == pytest.approx(trial.final["seconds"], abs=0.002)


@pytest.mark.slow
def test_a_trial_that_stopped_at_its_target_is_logged_up_to_there(finished):
    trials = answers(Study.from_yaml(finished[0] / "study.yaml"))
    [whole] = [t for t in trials if t.tags["arm"] == "adam"]
    [cut] = [t for t in trials if t.tags["arm"] == "adam-stops"]
    assert whole.tags["record"] == cut.tags["record"]
    assert cut.tags["end"] == "target"
    logged = scalars(finished[0].joinpath("logs/tensorboard", *cut.place))
    metrics = logged["evaluation/validation_metric"]
    assert metrics[-1].value >= TARGET > max(event.value for event in metrics[:-1])
    assert len(metrics) < len(whole.curve)


@pytest.mark.slow
def test_a_trial_that_diverged_keeps_what_is_not_finite(finished):
    folder = finished[0]
    place = "iris_logreg/sgd-grid/sweep/lr/1"
    losses = scalars(folder / "logs/tensorboard/tiny" / place)[
        "evaluation/validation_loss"
    ]
    assert not math.isfinite(losses[-1].value)
    database = folder / "logs" / "mlflow.db"
    [run] = runs_in(database)[place]
    assert run.data.tags["end"] == "diverged"
    stored = client(database).get_metric_history(
        run.info.run_id, "evaluation/validation_loss"
    )
    assert math.isnan(stored[-1].value)  # and not the largest number there is


@pytest.mark.slow
def test_a_crash_is_logged_with_what_was_raised(finished):
    folder = finished[0]
    [run] = runs_in(folder / "logs" / "mlflow.db")["iris_logreg/broken/0"]
    assert "out | of luck" in run.data.tags["error"]
    described = folder / "logs/tensorboard/tiny/iris_logreg/broken/0/trial.json"
    assert "out | of luck" in json.loads(described.read_text())["error"]


@pytest.mark.slow
def test_what_is_found_is_logged_once(again, tmp_path):
    options = ["--log", "tensorboard", "--log", "mlflow"]
    first = call("report", "study.yaml", *options)
    assert f"TensorBoard: {TRIALS} trials logged. " in first.stdout
    assert f"MLflow: {TRIALS} trials logged. " in first.stdout
    database = tmp_path / "logs" / "mlflow.db"
    runs = {name: run.info.run_id for name, (run,) in runs_in(database).items()}
    files = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "logs").rglob("*events*")
    }
    assert (len(runs), len(files)) == (TRIALS, 2 * TRIALS)

    second = call("report", "study.yaml", *options)
    assert f"TensorBoard: {TRIALS} trials logged, {TRIALS} of them bef" in second.stdout
    assert f"MLflow: {TRIALS} trials logged, {TRIALS} of them before." in second.stdout
    assert runs == {n: run.info.run_id for n, (run,) in runs_in(database).items()}
    assert files == {path: path.stat().st_mtime_ns for path in files}


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
    logs = TrialLogs([Slow()])
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
