import copy

import pytest

from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.study import Resources, Space, Storage, Study
from tests.studies import STUDY, changed

EXAMPLE = """\
name: quickstart
seeds: [0, 1, 2]
workloads:
  - digits_mlp
  - {name: mnist1d_mlp, target: 0.60, budget: {epochs: 40}, batch_size: 128}
arms:
  - name: sgd-grid
    optimizer: {rule: sgd, momentum: 0.9}
    tune: {by: grid, grid: {lr: [1e-4, 1e-3, 1e-2, 1e-1, 1]}, retrain: 3}
  - name: adam-tpe
    optimizer: {rule: adam, schedule: cosine}
    tune:
      by: optuna
      sampler: tpe
      trials: 16
      space: {lr: {low: 1e-5, high: 1, log: true}}
  - name: tlr
    optimizer: {rule: tlr, base: sgd}
reference: sgd-grid
sensitivity:
  - vary: {lr: {low: 1e-6, high: 10, points: 8, log: true}, batch_size: [32, 128]}
    arms: [sgd-grid, tlr]
storage: {records: runs, optuna: sqlite:///runs/optuna.db}
resources: {lanes: auto, gpu: auto, cpu: 1}
"""


def test_the_design_example_is_read_as_written(tmp_path):
    file = tmp_path / "quickstart.yaml"
    file.write_text(EXAMPLE)
    study = Study.from_yaml(file)
    assert study.name == "quickstart"
    assert study.seeds == (0, 1, 2)
    assert study.reference == "sgd-grid"
    assert study.source == file
    assert study.base == tmp_path
    assert study.text == EXAMPLE
    digits, mnist = study.workloads
    assert (digits.name, digits.reference, digits.split) == (
        "digits_mlp",
        "digits_mlp",
        "default",
    )
    assert (mnist.target, mnist.epochs, mnist.batch_size) == (0.6, 40.0, 128)
    grid, tpe, tlr = study.arms
    assert [(a.name, a.kind, a.by) for a in study.arms] == [
        ("sgd-grid", "tuned", "grid"),
        ("adam-tpe", "tuned", "optuna"),
        ("tlr", "adaptive", "single"),
    ]
    assert grid.tune is not None
    assert grid.tune.grid == {"lr": (1e-4, 1e-3, 1e-2, 0.1, 1)}
    assert grid.tune.retrain == 3
    assert tpe.settings == {"schedule": "cosine"}
    assert tpe.tune is not None
    assert tpe.tune.space == {"lr": Space("float", 1e-5, 1.0, log=True)}
    assert tlr.settings == {"base": "sgd"}
    (sweep,) = study.sensitivity
    assert sweep.arms == ("sgd-grid", "tlr")
    assert sweep.vary["lr"] == (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
    assert sweep.vary["batch_size"] == (32, 128)
    assert study.resources == Resources()
    assert study.storage == Storage()


def test_what_is_left_out_has_the_stated_defaults():
    study = Study.from_dict(STUDY)
    assert study.seeds == (0, 1, 2)
    assert study.reference == "sgd-grid"  # the first tuned arm
    assert study.sensitivity == ()
    assert study.storage == Storage("runs", "sqlite:///runs/optuna.db")
    assert study.resources == Resources(None, None, 1.0, 2, None)
    tune = study.arms[1].tune
    assert tune is not None
    assert (tune.sampler, tune.batch, tune.repeats) == ("tpe", 1, None)
    assert (tune.training_seed, tune.retrain, tune.objective) == ("stream", 1, "metric")
    assert study.arms[3].kind == "fixed"
    assert not study.arms[3].stop_at_target


def test_a_workload_brings_its_own_target_budget_and_batch_size():
    from hpo_vs_adapt.workloads import WORKLOADS

    entry = Study.from_dict(STUDY).workloads[0]
    own = WORKLOADS["digits_mlp"]
    assert (entry.target, entry.epochs, entry.batch_size) == (
        own.target,
        own.epochs,
        own.batch_size,
    )
    assert entry.metric == own.metric
    assert (entry.evaluate_every, entry.evaluate_epochs) == (None, None)


def test_without_a_tuned_arm_the_first_arm_is_the_reference():
    study = copy.deepcopy(STUDY)
    study["arms"] = study["arms"][2:]
    assert Study.from_dict(study).reference == "tlr"


def test_everything_a_file_can_say_reaches_the_study():
    study = copy.deepcopy(STUDY)
    study |= {
        "seeds": [7],
        "reference": "adam",
        "storage": {"records": "s3://bucket/x", "optuna": "journal:log"},
        "resources": {"lanes": 8, "gpu": 0.5, "cpu": 2, "retries": 0, "packs": 3},
    }
    study["workloads"] = [
        {
            "name": "digits_mlp",
            "label": "digits",
            "evaluate_every": {"epochs": 0.5},
            "data": "data",
            "split": "paper",
            "precision": "float64",
        },
        {"name": "digits_mlp", "evaluate_every": 10},
    ]
    study["arms"][1]["stop_at_target"] = True
    study["arms"][1]["tune"] |= {
        "sampler": "qmc",
        "sampler_args": {"scramble": False},
        "batch": 4,
        "repeats": 2,
        "training_seed": "fresh",
        "retrain": 0,
        "objective": "cost",
        "space": {
            "lr": {"low": 0.1, "high": 1, "step": 0.1},
            "batch_size": {"low": 16, "high": 64, "log": True},
            "schedule": ["constant", "cosine"],
            "decay": {"choices": ["all", "matrices"]},
        },
    }
    read = Study.from_dict(study)
    assert read.seeds == (7,)
    assert read.reference == "adam"
    assert read.storage == Storage("s3://bucket/x", "journal:log")
    assert read.resources == Resources(8, 0.5, 2.0, 0, 3)
    first, second = read.workloads
    assert (first.name, first.reference) == ("digits", "digits_mlp")
    assert (first.evaluate_every, first.evaluate_epochs) == (None, 0.5)
    assert (first.data, first.split, first.precision) == ("data", "paper", "float64")
    assert (second.evaluate_every, second.evaluate_epochs) == (10, None)
    arm = read.arms[1]
    assert arm.stop_at_target
    assert arm.tune is not None
    assert arm.tune.space == {
        "lr": Space("float", 0.1, 1.0, step=0.1),
        "batch_size": Space("int", 16, 64, log=True),
        "schedule": Space("categorical", choices=("constant", "cosine")),
        "decay": Space("categorical", choices=("all", "matrices")),
    }
    assert (arm.tune.sampler, arm.tune.sampler_args) == ("qmc", {"scramble": False})
    assert (arm.tune.batch, arm.tune.repeats, arm.tune.retrain) == (4, 2, 0)
    assert (arm.tune.training_seed, arm.tune.objective) == ("fresh", "cost")


@pytest.mark.parametrize(("trials", "startup"), [(1, 1), (8, 4), (19, 9), (50, 10)])
def test_the_random_start_of_tpe_is_stated_and_leaves_room_for_tpe(trials, startup):
    tune = Study.from_dict(changed("arms.1.tune.trials", trials)).arms[1].tune
    assert tune is not None
    assert tune.sampler_args == {"n_startup_trials": startup}


def test_a_random_start_in_the_study_is_kept():
    study = changed("arms.1.tune.sampler_args", {"n_startup_trials": 3})
    tune = Study.from_dict(study).arms[1].tune
    assert tune is not None
    assert tune.sampler_args == {"n_startup_trials": 3}


@pytest.mark.parametrize(
    "text", ["1e-3", "'1e-3'", "1.e-3", "1.0e-3", "0.001", "+1E-3"]
)
def test_numbers_are_read_however_they_are_spelt(tmp_path, text):
    file = tmp_path / "s.yaml"
    file.write_text(
        "name: s\nworkloads: [digits_mlp]\n"
        f"arms: [{{name: a, optimizer: {{rule: sgd, lr: {text}}}}}]\n"
    )
    assert Study.from_yaml(file).arms[0].settings == {"lr": 0.001}


def test_grid_ranges_are_spaced_evenly_or_by_decades():
    even = {"low": 0.1, "high": 0.5, "points": 5}
    tune = Study.from_dict(changed("arms.0.tune.grid.lr", even)).arms[0].tune
    assert tune is not None
    assert tune.grid["lr"] == (0.1, 0.2, 0.3, 0.4, 0.5)
    sizes = {"low": 16, "high": 128, "points": 4, "log": True}
    tune = Study.from_dict(changed("arms.0.tune.grid.batch_size", sizes)).arms[0].tune
    assert tune is not None
    assert tune.grid["batch_size"] == (16, 32, 64, 128)
    assert all(isinstance(size, int) for size in tune.grid["batch_size"])


def test_lists_of_lists_are_a_grid_of_tuples():
    betas = [[0.9, 0.999], [0.8, 0.99]]
    study = copy.deepcopy(STUDY)
    study["arms"][1]["tune"] = {"by": "grid", "grid": {"betas": betas}}
    tune = Study.from_dict(study).arms[1].tune
    assert tune is not None
    assert tune.grid["betas"] == ((0.9, 0.999), (0.8, 0.99))


def test_a_study_made_in_python_keeps_its_text():
    study = Study.from_dict(changed("seeds", (1, 2)))
    assert study.seeds == (1, 2)
    assert study.source is None
    assert "seeds:\n- 1\n- 2\n" in study.text


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_where_a_tuner_looks_if_the_study_does_not(rule):
    arm = {
        "name": "a",
        "optimizer": {"rule": rule},
        "tune": {"by": "random", "trials": 1},
    }
    study = Study.from_dict({"name": "s", "workloads": ["digits_mlp"], "arms": [arm]})
    tune = study.arms[0].tune
    declared = {
        name: Space("float", one.low, one.high, one.log)
        for name, one in RULES[rule].space.items()
    }
    assert tune is not None
    assert tune.space == declared != {}
    assert tune.space_from == RULES[rule].space_from != "unknown"


def test_what_the_study_fixes_is_not_tuned_in_the_space_of_the_rule():
    arm = {
        "name": "a",
        "optimizer": {"rule": "nadamw", "lr": 0.01},
        "tune": {"by": "optuna", "trials": 4},
    }
    study = Study.from_dict({"name": "s", "workloads": ["digits_mlp"], "arms": [arm]})
    tune = study.arms[0].tune
    assert tune is not None
    assert set(tune.space) == {"weight_decay"}


def test_a_study_knows_the_command_that_runs_it(tmp_path, monkeypatch):
    file = tmp_path / "my studies" / "quickstart.yaml"
    file.parent.mkdir()
    file.write_text(EXAMPLE)
    assert Study.from_yaml(file).command == f"hpo-vs-adapt run '{file}'"
    monkeypatch.chdir(tmp_path)
    relative = "hpo-vs-adapt run 'my studies/quickstart.yaml'"
    assert Study.from_yaml(file).command == relative
    assert Study.from_yaml("my studies/quickstart.yaml").command == relative
    assert Study.from_dict(STUDY).command is None
