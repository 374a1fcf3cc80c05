"""Packs on a real Ray: processes, GPUs, memory, and trials that fail."""

import os

import pytest

from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.schedule.session import ResourceProblem
from hpo_vs_adapt.schedule.worker import measure_job
from tests.running import (
    assert_same,
    grid,
    lost,
    make_study,
    optuna_states,
    optuna_trials,
    ray_here,
    records_of,
    train,
    write,
)

pytestmark = pytest.mark.slow

OWN = """\
import os
import resource
import time
from pathlib import Path

import ray
import torch
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
        return nn.Linear(4, 3)
"""


@pytest.fixture(scope="module", autouse=True)
def ray_with_two_gpus():
    """Two CPUs and two GPUs; Ray takes our word for the GPUs."""
    with ray_here(num_cpus=2, num_gpus=2):
        yield


def test_many_packs_are_trained_by_no_more_processes_than_slots(tmp_path):
    tpe = {
        "name": "tpe",
        "optimizer": {"rule": "sgd"},
        "tune": {
            "by": "optuna",
            "trials": 3,
            "space": {"lr": [0.1, 1.0]},
            "retrain": 0,
        },
    }
    study = make_study(
        tmp_path,
        [grid(*(2.0**-n for n in range(8))), tpe],
        resources={"lanes": 1, "gpu": 0},
    )
    results, summary = train(study)
    assert len(results.records) == 11
    assert summary.packs == summary.trials == len(records_of(study)) >= 8
    assert 1 <= len(summary.processes) <= 2
    assert os.getpid() not in summary.processes


MEETING = """

PLACE, DRIVER = Path({place!r}), {driver}


class Meeting(Own):
    def model(self):
        if os.getpid() != DRIVER:
            self.meet()
        return super().model()

    def meet(self):
        # Nobody goes on before four are here, so all four train at one time.
        ids = [str(int(gpu)) for gpu in ray.get_gpu_ids()]
        (PLACE / str(os.getpid())).write_text(" ".join(ids))
        while len(list(PLACE.iterdir())) < 4:
            time.sleep(0.05)
"""


@pytest.mark.long
def test_half_a_gpu_a_pack_puts_two_packs_on_one_gpu_at_a_time(tmp_path):
    place = tmp_path / "met"
    place.mkdir()
    own = OWN + MEETING.format(place=str(place), driver=os.getpid())
    workload = write(tmp_path, "own.py", own) + ":Meeting"
    study = make_study(
        tmp_path,
        [grid(0.1, 0.2, 0.3, 0.4)],
        [workload],
        resources={"lanes": 1, "gpu": 0.5, "cpu": 0.5},
    )
    _, summary = train(study)
    gpus = {int(file.name): file.read_text() for file in place.iterdir()}
    assert set(gpus) == summary.processes
    assert sorted(gpus.values()) == ["0", "0", "1", "1"]


@pytest.mark.parametrize("memory", [1, 4_000_000])
def test_lanes_are_measured_within_the_memory(tmp_path, memory):
    study = make_study(tmp_path, [grid(0.1)], ["digits_mlp"])
    plan = Plan(study, RecordStore(study.storage.records))
    prepared = plan.prepared["digits_mlp"]
    plan.advance()
    job = plan.next_pack(1, lambda request: 1)
    lanes = measure_job(job, {"digits_mlp": prepared.arrays}, "cpu", 1, memory)
    weights = 64 * 64 + 64 + 64 * 10 + 10
    # Two rows are the least: a lone lane is padded to two.
    assert lanes == 2 if memory == 1 else lanes >= 2
    assert lanes == 2 or lanes * weights * 4 * 8 <= memory


@pytest.mark.parametrize("resources", [{"cpu": 3}, {"gpu": 2.5}, {"cpu": 2, "gpu": 3}])
def test_a_pack_that_does_not_fit_is_one_error_that_names_both(tmp_path, resources):
    study = make_study(tmp_path, [grid(0.1)], resources=resources)
    with pytest.raises(ResourceProblem, match=r"`resources` must fit the machines"):
        train(study)
    assert records_of(study) == []


@pytest.mark.long
def test_a_pack_with_a_gpu_to_itself_is_measured_where_it_trains(tmp_path):
    study = make_study(tmp_path, [grid(*(2.0**-n for n in range(6)))])
    _, summary = train(study)
    assert summary.trials == 6
    assert summary.packs <= 3


HUNGRY = """

DRIVER = {driver}


class Hungry(Own):
    def loss(self, outputs, y):
        if os.getpid() == DRIVER:
            return super().loss(outputs, y)
        before = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + 3 * 2**29
        resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
        try:  # half a GB a lane, reserved and never touched: four are too much
            outputs.new_empty(2**27)
            return super().loss(outputs, y)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
"""


def test_a_pack_that_runs_out_of_memory_is_retried_in_halves(tmp_path):
    rates = [2.0**-n for n in range(8)]
    results, packs = {}, {}
    for lanes in (8, 1):
        folder = tmp_path / str(lanes)
        own = OWN + HUNGRY.format(driver=os.getpid())
        study = make_study(
            folder,
            [grid(*rates)],
            [
                {
                    "name": write(folder, "own.py", own) + ":Hungry",
                    "budget": {"epochs": 1},
                }
            ],
            resources={"lanes": lanes, "gpu": 0, "packs": 1},
        )
        results[lanes], summary = train(study)
        packs[lanes] = summary.packs
        assert summary.trials == 8
        assert set(optuna_states(study)) == {"COMPLETE"}
        assert max(record.lanes for record in records_of(study)) == min(lanes, 2)
    assert packs == {8: 7, 1: 8}  # 8, 4 and 4 fail, then four of 2
    assert_same(results[8], results[1])


STRICT = """

class Strict(Own):
    vectorise = False

    def loss(self, outputs, y):
        if outputs.abs().max() > 1e6:
            raise ArithmeticError("the outputs are out of bounds")
        return super().loss(outputs, y)
"""


def test_a_lane_that_crashes_leaves_its_neighbours_alone(tmp_path):
    kept = []
    for rates in ([0.1, 0.2, 1e10, 0.4], [0.1, 0.2, 0.4]):
        folder = tmp_path / str(len(rates))
        study = make_study(
            folder,
            [grid(*rates)],
            [write(folder, "own.py", OWN + STRICT) + ":Strict"],
            resources={"lanes": 4, "gpu": 0},
        )
        results, _ = train(study)
        rows = results.records.assign(lr=[s["lr"] for s in results.records["settings"]])
        rows = rows.set_index("lr").sort_index()
        kept.append(rows.loc[[0.1, 0.2, 0.4], ["key", "end", "best_metric", "hit"]])
        if len(rates) == 4:
            crashed, crashed_study = rows.loc[1e10], study
    assert kept[0].equals(kept[1])
    assert set(kept[0]["end"]) == {"budget"}
    assert crashed["end"] == "crashed"
    assert crashed["failed"]
    assert crashed["error"] == "ArithmeticError: the outputs are out of bounds"
    assert crashed["cost"] > 0
    # What the pack of four had trained until then is charged to all four.
    assert set(lost(crashed_study)) == {*kept[0]["key"], crashed["key"]}
    states = {
        trial.params["lr"]: (trial.state.name, trial.user_attrs["end_reason"])
        for trials in optuna_trials(crashed_study).values()
        for trial in trials
    }
    assert states == {
        0.1: ("COMPLETE", "budget"),
        0.2: ("COMPLETE", "budget"),
        0.4: ("COMPLETE", "budget"),
        1e10: ("FAIL", "crashed"),
    }
