from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.observers.logs.mlflow import MlflowLog
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.study import Study
from tests.running import optuna_trials
from tests.observers.logs.examples import (
    TARGET,
    TRIALS,
    answers,
    call,
    client,
    runs_in,
    scalars,
)

pytestmark = pytest.mark.filterwarnings(
    # Of MLflow's own tables, as newer versions of SQLAlchemy see them.
    "ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"
)


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
            points = [
                (point.step, point.value)
                for point in trial.points()
                if point.name == name and math.isfinite(point.value)
            ]
            logged = [(metric.step, metric.value) for metric in history]
            assert sorted(logged) == sorted(points)
        seconds = (run.info.end_time - run.info.start_time) / 1000
        assert seconds == pytest.approx(trial.final["seconds"], abs=0.002)


@pytest.mark.slow
def test_a_long_curve_is_logged_whole(again, tmp_path):
    trial = next(t for t in answers(again) if len(t.curve))
    curve = pd.concat([trial.curve] * 50, ignore_index=True)
    curve["cost"] = range(len(curve))
    long = dataclasses.replace(trial, curve=curve)
    log = MlflowLog("tiny", f"sqlite:///{tmp_path / 'long.db'}")
    assert log.write(long)
    [[run]] = runs_in(tmp_path / "long.db").values()
    assert run.data.params == {name: str(value) for name, value in long.params.items()}
    mlflow = client(tmp_path / "long.db")
    names = {point.name for point in long.points()}
    histories = {n: mlflow.get_metric_history(run.info.run_id, n) for n in names}
    points = [point for point in long.points() if math.isfinite(point.value)]
    assert len(points) > 2000  # MLflow takes a thousand numbers at a time
    assert sum(map(len, histories.values())) == len(points)


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
def test_a_trial_that_diverged_keeps_what_is_not_finite_where_that_can_be_seen(
    finished,
):
    folder = finished[0]
    place = "iris_logreg/sgd-grid/sweep/lr/1"
    name = "evaluation/validation_loss"
    losses = scalars(folder / "logs/tensorboard/tiny" / place)[name]
    assert not math.isfinite(losses[-1].value)
    database = folder / "logs" / "mlflow.db"
    [run] = runs_in(database)[place]
    assert run.data.tags["end"] == "diverged"
    assert run.data.tags["mlflow.note.content"].startswith(
        f"Diverged after {losses[-1].step} sample gradients: "
    )
    stored = client(database).get_metric_history(run.info.run_id, name)
    finite = [loss.step for loss in losses if math.isfinite(loss.value)]
    assert [metric.step for metric in stored] == finite
    assert math.isfinite(run.data.metrics[name])  # of NaN its pages draw nothing


@pytest.mark.slow
def test_a_crash_is_logged_with_what_was_raised(finished):
    folder = finished[0]
    [run] = runs_in(folder / "logs" / "mlflow.db")["iris_logreg/broken/0"]
    assert "out | of luck" in run.data.tags["error"]
    assert run.data.tags["mlflow.note.content"] == f"Crashed: {run.data.tags['error']}"
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
