"""`report --watch`: a report that is renewed while others train."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.cli.watching import is_complete, watch_results
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.study import Study
from tests.record_examples import make_record
from tests.running import findings, grid, make_study, ray_here, start, train

EVERY = "0.2"
"""Seconds between two looks."""

STUDY = {
    "arms": [
        {
            "name": "sgd-tpe",
            "optimizer": {"rule": "sgd"},
            "tune": {
                "by": "optuna",
                "sampler_args": {"n_startup_trials": 2},
                "trials": 12,
                "space": {"lr": {"low": 1e-3, "high": 1.0, "log": True}},
            },
        },
        grid(0.01, 0.1),
    ],
    "seeds": [0, 1],
    "resources": {"lanes": 2, "packs": 1},
}
TRIALS = (12 + 1 + 2) * 2  # of the sampler, the winner again, the grid; two seeds


def call(*args: str):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(args))


def read(report: Path) -> dict:
    return json.loads((report / "summary.json").read_text())


def trials_in(line: str) -> int:
    """Return how many trials a line of a watch counts."""
    found = re.fullmatch(
        rf"[\d:]{{8}}  (\d+) of {TRIALS} trials, \d+ hits?: seen/index.html\n", line
    )
    assert found, line
    return int(found[1])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study that is complete."""
    folder = tmp_path_factory.mktemp("done")
    study = make_study(folder, **STUDY)
    with ray_here():
        train(study)
    return folder, study


@pytest.mark.parametrize("seconds", ["0", "-3", "nan", "inf"])
def test_seconds_that_are_none_are_exit_status_2(tmp_path, seconds):
    make_study(tmp_path, **STUDY)
    result = call("report", str(tmp_path / "study.yaml"), "--watch", seconds)
    assert result.exit_code == 2
    assert "--watch" in result.output
    assert not (tmp_path / "runs").exists()


def test_a_study_that_is_wrong_is_not_watched(tmp_path):
    result = call("report", str(tmp_path / "no.yaml"), "--watch")
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr


@pytest.mark.parametrize(
    ("args", "seconds"),
    [([], None), (["--watch"], 10), (["--watch", "60"], 60), (["--watch=60"], 60)],
)
def test_the_option_may_be_written_with_seconds_and_without(args, seconds):
    group = typer.main.get_command(app)
    report = group.get_command(typer.Context(group), "report")
    context = report.make_context("report", [*args, "study.yaml"])
    assert context.params["watch"] == seconds
    assert context.params["study"] == Path("study.yaml")


@pytest.mark.slow
def test_a_complete_study_is_reported_once(done):
    folder, study = done
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    study_file = str(folder / "study.yaml")
    result = call("report", "--watch", study_file, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Watching {study.storage.records} for trials of ")
    assert result.output.endswith(f"\nReport: {out}/index.html\n")
    assert f" of {TRIALS} trials" not in result.output  # no line of an unfinished study
    assert read(out)["arms"]


class Script:
    """A clock on which something happens whenever somebody sleeps."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self._events = list(events)
        self._now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        self._now += 1.0  # every look takes a second
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._events.pop(0)()


def copy_records(keys: Iterable[str], study: Study, other: Study) -> None:
    """Copy records, by their keys, from one study to another."""
    source, target = (RecordStore(s.storage.records) for s in (study, other))
    for record in source.get_many(keys).values():
        target.put(record)


@pytest.mark.slow
def test_results_are_yielded_whenever_trials_of_the_study_have_ended(
    done, tmp_path, monkeypatch
):
    _, study = done
    rows = load_results(study).records
    grid_keys = set(rows.loc[rows["arm"] == "sgd-grid", "key"])
    other = make_record()  # of no trial of this study
    copy = make_study(tmp_path, **STUDY)
    clock = Script(
        lambda: None,
        lambda: copy_records(grid_keys, study, copy),
        lambda: RecordStore(copy.storage.records).put(other),
        lambda: copy_records(set(rows["key"]) - grid_keys, study, copy),
    )
    monkeypatch.setattr("hpo_vs_adapt.cli.watching.time", clock)
    seen = list(watch_results(copy, 0.01))
    assert [len(results.records) for results in seen] == [0, 4, TRIALS]
    assert [is_complete(results) for results in seen] == [False, False, True]
    assert len(clock.slept) == 4  # after each look but the last


@pytest.mark.slow
def test_a_watch_waits_as_long_as_it_was_busy(done, tmp_path, monkeypatch):
    _, study = done
    rows = load_results(study).records
    copy = make_study(tmp_path, **STUDY)
    clock = Script(lambda: None, lambda: copy_records(rows["key"], study, copy))
    monkeypatch.setattr("hpo_vs_adapt.cli.watching.time", clock)
    list(watch_results(copy, 0.5))
    assert clock.slept == [1.0, 1.0]
    clock = Script(lambda: None, lambda: copy_records(rows["key"], study, copy))
    shutil.rmtree(copy.storage.records)
    monkeypatch.setattr("hpo_vs_adapt.cli.watching.time", clock)
    list(watch_results(copy, 7.0))
    assert clock.slept == [7.0, 7.0]


@pytest.mark.slow
@pytest.mark.long
def test_a_report_is_renewed_while_another_process_trains(tmp_path):
    make_study(tmp_path, **STUDY)
    watch = start(tmp_path, "report", "study.yaml", "--watch", EVERY, "--out", "seen")
    assert watch.stdout is not None
    assert watch.stdout.readline().endswith("for trials of tiny (Ctrl-C ends it)\n")
    assert trials_in(watch.stdout.readline()) == 0
    run = start(tmp_path, "run", "study.yaml", "--out", "own")
    seen = [trials_in(watch.stdout.readline())]  # its streams take a dozen turns
    assert seen[0] > 0
    _, run_err = run.communicate()
    out, err = watch.communicate()
    assert (run.returncode, watch.returncode, err) == (0, 0, ""), run_err + err
    lines = out.splitlines(keepends=True)
    seen += [trials_in(line) for line in lines if re.match(r"\d\d:", line)]
    assert seen == sorted(set(seen))
    assert lines[-1] == "Report: seen/index.html\n"
    assert findings(read(tmp_path / "seen")) == findings(read(tmp_path / "own"))


@pytest.mark.slow
def test_ctrl_c_ends_a_watch_with_exit_status_0_and_leaves_the_report(tmp_path):
    make_study(tmp_path, **STUDY)
    watch = start(tmp_path, "report", "study.yaml", "--watch", EVERY, "--out", "seen")
    assert watch.stdout is not None
    lines = [watch.stdout.readline(), watch.stdout.readline()]
    assert f"  0 of {TRIALS} trials, 0 hits: seen/index.html" in lines[1]
    watch.send_signal(signal.SIGINT)
    out, err = watch.communicate()
    assert (watch.returncode, out, err) == (0, "", "")
    assert (tmp_path / "seen/index.html").is_file()
    assert not list((tmp_path / "seen").rglob("*.partial"))
    assert not (tmp_path / "runs").exists()  # who watches writes no record
