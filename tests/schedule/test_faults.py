"""Drivers and workers that are killed or interrupted in the middle of a study."""

import json
import os
import re
import signal
import time

import pandas as pd
import pytest

from hpo_vs_adapt.plan.events import Listener, StopsRun
from hpo_vs_adapt.schedule import ray_tune
from tests.running import (
    command,
    descendants,
    findings,
    lost,
    make_study,
    optuna_states,
    optuna_trials,
    ray_here,
    records_of,
    start,
    tables,
    train,
    wait_for_end,
    write,
)

pytestmark = pytest.mark.slow

RATE = {"lr": {"low": 1e-4, "high": 1.0, "log": True}}
TPE = {
    "name": "adam-tpe",
    "optimizer": {"rule": "adam"},
    "tune": {
        "by": "optuna",
        "sampler": "tpe",
        "sampler_args": {"n_startup_trials": 3},
        "trials": 12,
        "space": RATE,
    },
}
ADAM = {"name": "adam", "optimizer": {"rule": "adam"}}
TRIALS = 2 * 12 + 2 + 2  # of the search, of its winners, of Adam
FIRST = 3  # trials that have ended when a run is disturbed

SLOW = f"""\
import os
import time
from pathlib import Path

from sklearn.datasets import load_iris
from torch import nn

from hpo_vs_adapt.workloads import Arrays, Workload


class Slow(Workload):
    target = 0.9
    epochs = 2
    batch_size = 16

    def load(self, data):
        x, y = load_iris(return_X_y=True)
        return Arrays(x, y)

    def model(self):
        # Once the first trials have ended, so that the run cannot end meanwhile.
        records = os.environ.get("SLOW_AFTER")
        if records and len(list(Path(records).glob("*/*.parquet"))) >= {FIRST}:
            time.sleep(0.2)
        return nn.Linear(4, 3)
"""


def long_study(folder):
    file = write(folder, "slow.py", SLOW)
    return make_study(
        folder, [TPE, ADAM], [f"{file}:Slow"], [0, 1], resources={"lanes": 4}
    )


def summary_of(study):
    file = study.source.parent / "reports/tiny/summary.json"
    return findings(json.loads(file.read_text()))


def run(study):
    """Run a study to its end by the command; return the status and what it said."""
    with ray_here():
        result = command(study.source.parent, "run", "study.yaml")
    return result.exit_code, result.stdout, result.stderr


def seen(study):
    """Return what people see of a study's trials in Optuna."""
    return {
        name: [(t.number, t.state.name, t.params, t.values) for t in trials]
        for name, trials in optuna_trials(study).items()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    study = long_study(tmp_path_factory.mktemp("undisturbed"))
    status, _, err = run(study)
    assert status == 0, err
    return study


def started(study):
    """Return a run of a study that has left some records, and its descendants."""
    folder = study.source.parent / "runs/records"
    options = ("run", "study.yaml")
    process = start(study.source.parent, *options, SLOW_AFTER=str(folder))
    while process.poll() is None and len(list(folder.glob("*/*.parquet"))) < FIRST:
        time.sleep(0.02)
    children = descendants(process.pid)
    assert process.poll() is None, "the run has ended before it could be disturbed"
    return process, children


@pytest.fixture(scope="session")
def orphans():
    """Processes of a run that was killed: all are gone when the tests have ended."""
    processes = {}
    yield processes
    assert wait_for_end(processes) == set()


def test_a_run_killed_in_mid_study_goes_on_to_the_same_summary(
    tmp_path, undisturbed, orphans
):
    study = long_study(tmp_path)
    process, children = started(study)
    process.kill()
    process.communicate()
    assert len(children) > 3  # Ray's own processes and the workers
    orphans.update(children)  # Ray's agents look for a lost raylet for a minute
    kept = {record.key for record in records_of(study)}
    assert FIRST <= len(kept) < TRIALS
    status, _, err = run(study)
    assert status == 0, err
    assert f"({len(kept)} found on disk)" in err
    assert summary_of(study) == summary_of(undisturbed)
    assert optuna_states(study) == ["COMPLETE"] * TRIALS
    assert seen(study) == seen(undisturbed)


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.long)])
def test_ctrl_c_keeps_what_is_finished_and_leaves_no_process(
    tmp_path, undisturbed, times
):
    study = long_study(tmp_path)
    process, children = started(study)
    for _ in range(times):
        # As a terminal does: to all processes of the group.
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    kept = len(records_of(study))
    last = err.splitlines()[-1]
    said = re.fullmatch(
        r"Interrupted\. To go on, run the same command again: "
        r"(\d+) finished trials are kept\.",
        last,
    )
    assert said is not None, err
    assert 0 <= kept - int(said[1]) <= 1  # one may be written just then
    assert wait_for_end(children) == set()
    assert "RUNNING" not in optuna_states(study)
    status = command(study.source.parent, "status", "study.yaml").stdout
    assert f"{kept} of {TRIALS} trials done, 0 running" in status
    if times == 1:
        status, _, err = run(study)
        assert status == 0, err
        assert summary_of(study) == summary_of(undisturbed)
        assert seen(study) == seen(undisturbed)


OWN = """\
import os
import signal
import time
from pathlib import Path

from sklearn.datasets import load_iris
from torch import nn

from hpo_vs_adapt.workloads import Arrays, Workload

DRIVER, PLACE = {driver}, Path({place!r})


class Own(Workload):
    target = 0.9
    epochs = 16
    batch_size = 16

    def load(self, data):
        x, y = load_iris(return_X_y=True)
        return Arrays(x, y)

    def model(self):
        return nn.Linear(4, 3)


class Dying(Own):
    \"\"\"Kills its process after 60 losses, the first time.\"\"\"

    def loss(self, outputs, y):
        if os.getpid() != DRIVER:
            self.count()
        return super().loss(outputs, y)

    def count(self):
        time.sleep(0.02)
        with (PLACE / str(os.getpid())).open("a") as file:
            file.write(".")
            calls = file.tell()
        if calls > 60 and not (PLACE / "died").exists():
            (PLACE / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def ray_with_two_slots():
    with ray_here():
        yield


def own_study(folder, place, name, seeds, retries):
    text = OWN.format(driver=os.getpid(), place=str(place))
    return make_study(
        folder,
        [ADAM],
        [write(folder, "own.py", text) + f":{name}"],
        seeds,
        resources={"lanes": 4, "packs": 1, "retries": retries},
    )


COSTS = ["cost", "cost_to_target", "sustained_cost", "cost_before_target", "lost"]
AMOUNTS = ["sample_gradients", "forward_samples", "steps", "flops"]


@pytest.mark.parametrize(
    "checkpoint_seconds", [0.0, pytest.param(1e6, marks=pytest.mark.long)]
)
def test_a_pack_goes_on_when_its_worker_is_killed(
    tmp_path, monkeypatch, ray_with_two_slots, checkpoint_seconds
):
    monkeypatch.setattr(ray_tune, "_CHECKPOINT_SECONDS", checkpoint_seconds)
    place = tmp_path / "calls"
    place.mkdir()
    done = {}
    for name in ("killed", "undisturbed"):
        study = own_study(tmp_path / name, place, "Dying", [0, 1, 2], retries=1)
        results, summary = train(study)
        assert summary.trials == 3
        assert optuna_states(study) == ["COMPLETE"] * 3
        calls = {int(f.name): f.stat().st_size for f in place.glob("[0-9]*")}
        done[name] = study, results, calls
        for file in place.glob("[0-9]*"):
            file.unlink()
    for mine, theirs in zip(
        tables(done["killed"][1], *COSTS, *AMOUNTS),
        tables(done["undisturbed"][1], *COSTS, *AMOUNTS),
        strict=True,
    ):
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
    wasted = lost(done["killed"][0])
    assert lost(done["undisturbed"][0]) == {}
    costs = [done[name][1].records.set_index("key")["cost"] for name in done]
    assert (costs[0] - costs[1]).to_dict() == {
        key: wasted.get(key, 0) for key in costs[0].index
    }
    (whole,) = done["undisturbed"][2].values()
    made = list(done["killed"][2].values())
    made.remove(61)  # by the process that was killed
    (second,) = made
    if checkpoint_seconds:
        assert second == whole  # from the start
        assert len(wasted) == 3  # all lanes pay what all have lost
        assert min(wasted.values()) > 0
    else:
        assert second < whole  # from where it was


class Full(StopsRun):
    """There is no place for what somebody has to write."""


class Writer(Listener):
    """Has no place any more once a trial has ended."""

    def told(self, answer):
        raise Full("the disk is full")


def test_an_error_of_the_driver_comes_out_as_itself(tmp_path, ray_with_two_slots):
    study = make_study(tmp_path, [ADAM], seeds=[0, 1], resources={"lanes": 1})
    with pytest.raises(Full, match=r"^the disk is full$"):
        train(study, Writer())
    assert records_of(study)
