"""Studies are replayed: what is on disk is not trained again, whoever asks for it."""

import dataclasses
import json
import shutil

import pytest

from hpo_vs_adapt.run import plan_study, run_study
from tests.running import (
    IRIS,
    assert_same,
    findings,
    grid,
    make_study,
    optuna_trials,
    ray_here,
    records_of,
    start,
    train,
    write,
)

pytestmark = pytest.mark.slow

RATE = {"lr": {"low": 1e-4, "high": 1.0, "log": True}}
RANDOM = {
    "name": "sgd-random",
    "optimizer": {"rule": "sgd", "momentum": 0.9},
    "tune": {"by": "random", "trials": 3, "space": RATE, "retrain": 2},
}
TPE = {
    "name": "adam-tpe",
    "optimizer": {"rule": "adam"},
    "tune": {
        "by": "optuna",
        "sampler": "tpe",
        "sampler_args": {"n_startup_trials": 2},
        "trials": 6,
        "batch": 2,
        "space": RATE,
        "retrain": 2,
    },
}
ADAM = {"name": "adam", "optimizer": {"rule": "adam"}}
TLR = {"name": "tlr", "optimizer": {"rule": "tlr"}}
ARMS = [grid(0.01, 0.1, retrain=2), RANDOM, TPE, ADAM, TLR]
DIGITS = {"name": "digits_mlp", "budget": {"epochs": 1}}
WHOLE = {
    "arms": ARMS,
    "workloads": [IRIS, DIGITS],
    "seeds": [0, 1],
    "sensitivity": [
        {"arms": ["sgd-grid"], "vary": {"lr": [0.001, 1.0], "batch_size": [16, 32]}}
    ],
}
SIZES = [(8, 1), (2, 2), (1, 4)]  # lanes and workers

ALONE = {"lanes": 8, "packs": 1}


@pytest.fixture(scope="module")
def ray_with_slots():
    with ray_here():
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory, ray_with_slots):
    """The whole study, its results and what was done, by lanes and workers."""
    done = {}
    for lanes, workers in SIZES:
        folder = tmp_path_factory.mktemp(f"lanes{lanes}")
        resources = {"lanes": lanes, "packs": workers, "cpu": 0.5}
        study = make_study(folder, resources=resources, **WHOLE)
        done[lanes, workers] = (study, *train(study))
    return done


@pytest.fixture
def copied(runs, tmp_path):
    """A copy of the whole study as it was run, to go on from; and a maker of others."""
    study, results, _ = runs[8, 1]
    folder = tmp_path / "copied"
    shutil.copytree(study.source.parent, folder)

    def make(**parts):
        return make_study(folder, **{**WHOLE, "resources": ALONE, **parts})

    return make, results


def test_lanes_and_workers_change_no_bit_of_the_results(runs):
    (_, first, _), *others = runs.values()
    assert len(first.records) == 92
    for _, other, _ in others:
        assert_same(first, other)


def test_the_three_runs_really_differed(runs):
    packs = [summary.packs for _, _, summary in runs.values()]
    assert packs == sorted(packs)
    assert packs[0] < packs[1] < packs[2]
    assert packs[2] == runs[1, 4][2].trials
    processes = [len(summary.processes) for _, _, summary in runs.values()]
    assert processes[0] == 1
    assert processes[1] <= 2 < processes[2] <= 4
    most = [max(r.lanes for r in records_of(study)) for study, _, _ in runs.values()]
    assert 4 < most[0] <= 8
    assert most[1:] == [2, 1]


def test_lanes_and_workers_change_nothing_in_the_optuna_studies(runs):
    seen = []
    for study, _, _ in runs.values():
        seen.append(
            {
                name: [
                    (t.number, t.state.name, t.params, t.values, t.intermediate_values)
                    for t in trials
                ]
                for name, trials in optuna_trials(study).items()
            }
        )
    assert len(seen[0]) == 30
    assert seen[0] == seen[1] == seen[2]
    states = {trial[1] for trials in seen[0].values() for trial in trials}
    assert states == {"COMPLETE"}


AGAIN = """\
import json, sys
from hpo_vs_adapt import Study, run_study
results = run_study(Study.from_yaml("study.yaml"))
print(json.dumps([results.summary(), "ray" in sys.modules]))
"""


def test_a_second_run_trains_nothing_and_does_not_even_import_ray(copied):
    make, first = copied
    study = make()
    before = {r.key: r for r in records_of(study)}
    process = start(study.source.parent, "-c", AGAIN, module=False)
    out, err = process.communicate()
    assert process.returncode == 0, err
    summary, imported = json.loads(out)
    assert findings(summary) == findings(json.loads(json.dumps(first.summary())))
    assert not imported
    assert {r.key for r in records_of(study)} == set(before)


def missing(study):
    """Return the trials that are planned and not found, by workload and arm."""
    rows = plan_study(study).rows
    return {
        (row.workload, row.arm, row.role): row.planned - row.found
        for row in rows
        if row.planned > row.found
    }


NEW_ARM = {"name": "momentum", "optimizer": {"rule": "sgd", "momentum": 0.5}}
WINE = {"name": "wine_logreg", "budget": {"epochs": 1}}


def test_a_new_arm_wants_its_own_trials_only(copied):
    make, _ = copied
    assert missing(make(arms=[*ARMS, NEW_ARM])) == {
        ("iris_logreg", "momentum", "policy"): 2,
        ("digits_mlp", "momentum", "policy"): 2,
    }


def test_a_new_workload_wants_its_own_trials_only(copied):
    make, _ = copied
    wanted = missing(make(workloads=[IRIS, WINE, DIGITS]))
    assert {workload for workload, _, _ in wanted} == {"wine_logreg"}
    assert wanted["wine_logreg", "adam-tpe", "policy"] == 12


def test_a_new_seed_wants_its_own_trials_only(copied):
    make, _ = copied
    wanted = missing(make(seeds=[0, 1, 2]))
    for workload in ("iris_logreg", "digits_mlp"):
        assert wanted[workload, "sgd-grid", "policy"] == 2
        assert wanted[workload, "sgd-grid", "sweep"] == 4
        assert wanted[workload, "adam-tpe", "policy"] == 6
        assert wanted[workload, "tlr", "policy"] == 1


def test_what_is_new_is_trained_and_nothing_else_is(copied, ray_with_slots):
    make, first = copied
    study = make(arms=[*ARMS, NEW_ARM], seeds=[0, 1, 2])
    known = {record.key for record in records_of(study)}
    results, summary = train(study)
    keys = {record.key for record in records_of(study)}
    assert keys > known
    assert summary.trials == len(keys - known)
    # The rows of the old arms and seeds are as they were.
    on = ["workload", "arm", "role", "stream", "number", "key", "best_metric", "cost"]
    old = first.records[first.records["role"] == "policy"][on]
    both = old.merge(results.records[on], on=on)
    assert len(both) == len(old)


def test_the_winners_of_all_arms_are_retrained_with_the_same_new_seeds(runs):
    records = runs[8, 1][1].records
    again = records[records["role"] == "retrain"]
    seeds = again.groupby(["workload", "arm", "stream"])["seed"].agg(tuple)
    assert len(seeds) == 2 * 3 * 2
    assert len(set(seeds)) == 1
    assert not set(seeds.iloc[0]) & {0, 1}


def test_a_study_of_another_name_finds_the_trials_it_shares(copied):
    make, _ = copied
    study = dataclasses.replace(make(arms=[TLR, TPE], sensitivity=[]), name="other")
    results = run_study(study)  # trains nothing, or Ray's workers would show
    assert missing(study) == {}
    assert len(results.records) == 2 * (2 + 12 + 4)
    assert results.records["cost"].gt(0).all()  # charged all the same
    names = {name.split("/")[0] for name in optuna_trials(study)}
    assert names == {"tiny", "other"}


def test_a_damaged_record_is_named_set_aside_and_retrained(
    copied, caplog, ray_with_slots
):
    make, first = copied
    study = make()
    key = first.records.query("arm == 'adam'")["key"].iloc[0]
    folder = study.source.parent / "runs"
    (file,) = folder.glob(f"records/*/{key}.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    results, summary = train(study)
    assert summary.trials == 1
    assert str(file) in caplog.text
    assert "is damaged" in caplog.text
    (aside,) = (folder / "damaged").iterdir()
    assert aside.read_bytes() == content
    assert_same(results, first)


FAST = {"name": "whole", "optimizer": {"rule": "adam", "lr": 0.05}}
SHORT = {**FAST, "name": "short", "stop_at_target": True}


def test_an_arm_that_stops_at_its_target_shares_records_with_one_that_does_not(
    tmp_path, ray_with_slots
):
    easy = {"name": "iris_logreg", "target": 0.5, "budget": {"epochs": 8}}
    parts = {"workloads": [easy], "seeds": [0, 1], "resources": ALONE}
    short = make_study(tmp_path, [SHORT], **parts)
    alone, _ = train(short)
    assert set(alone.records["end"]) == {"target"}
    both = make_study(tmp_path, [SHORT, FAST], **parts)
    results, summary = train(both)
    assert summary.trials == 2  # what was cut at the target does not serve the other
    rows = results.records.set_index(["arm", "number"])
    assert (rows.loc["short"]["key"] == rows.loc["whole"]["key"]).all()
    assert set(rows.loc["short"]["end"]) == {"target"}
    assert set(rows.loc["whole"]["end"]) == {"budget"}
    for column in ("cost", "best_metric", "cost_to_target", "steps"):
        assert rows.loc["short"][column].tolist() == alone.records[column].tolist()
    assert {len(r.curve) for r in records_of(both)} == {21}  # the longer ones stay


OWN = """\
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


def test_a_changed_workload_file_makes_exactly_its_records_worthless(
    tmp_path, ray_with_slots
):
    write(tmp_path, "own.py", OWN)
    parts = {"workloads": ["own.py:Own", IRIS], "resources": ALONE}
    study = make_study(tmp_path, [grid(0.1, 0.2), ADAM], **parts)
    first, _ = train(study)
    write(tmp_path, "own.py", OWN + "\n# a comment\n")
    assert missing(study) == {}
    changed = "nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))"
    write(tmp_path, "own.py", OWN.replace("nn.Linear(4, 3)", changed))
    name = study.workloads[0].name
    assert missing(study) == {
        (name, "sgd-grid", "policy"): 2,
        (name, "adam", "policy"): 1,
    }
    second, summary = train(study)
    assert summary.trials == 3
    mine = first.records["workload"] == name
    changed_keys = first.records["key"] != second.records["key"]
    assert changed_keys.tolist() == mine.tolist()
    # The old Optuna studies are kept beside the new ones.
    assert len(optuna_trials(study)) == 6
