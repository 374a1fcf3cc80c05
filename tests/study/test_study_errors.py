import math
import re

import pytest

from hpo_vs_adapt.study import Study, StudyError
from tests.studies import changed, problem, problems

# Path, value, and how the sentence starts; @ stands for the path.
WRONG = [
    ("sedes", [1], "unknown key `@`; did you mean `seeds`?"),
    ("arms.0.tunee", {}, "unknown key `@`; did you mean `tune`?"),
    ("arms.1.tune.space.lr.lo", 1, "unknown key `@`; did you mean `low`?"),
    (
        "workloads.1.budget",
        {"epochs": 3, "epohs": 3},
        "unknown key `@.epohs`; did you mean `epochs`?",
    ),
    (
        "resources",
        {"zzz": 1},
        "unknown key `@.zzz`; known are `cpu`, `gpu`, `lanes`, `packs`, `retries`.",
    ),
    (
        "arms.0.optimizer.momentun",
        0.9,
        "unknown setting `@` of `sgd`; did you mean `momentum`?",
    ),
    ("arms.2.optimizer.rule", "trl", "`@`: Unknown rule `trl`"),
    ("workloads.0", "digit_mlp", "`@.name`: Unknown workload `digit_mlp`"),
    ("arms.1.tune.trials", 0, "`@` must be a positive integer; got 0."),
    ("arms.1.tune.trials", True, "`@` must be a positive integer; got T"),
    ("arms.1.tune.trials", 2.5, "`@` must be a positive integer; got 2"),
    ("arms.1.tune.batch", "four", "`@` must be a positive integer"),
    ("arms.0.tune.grid", {}, "`@` must name at least one setting; got {}."),
    ("arms.0.tune.grid.lr", [], "`@` must be a list with at least one value; got []."),
    ("arms.0.tune.grid.lr", 0.1, "`@` must be a list of values or a range"),
    (
        "arms.0.tune.grid.lr",
        [0.1, 0.2, 0.1],
        "`@` must not repeat a value; got 0.1 twice.",
    ),
    ("arms.0.tune.grid.lr", [0.1, 0], "`@[1]` must be a number > 0; got 0."),
    (
        "arms.0.tune.grid.lr",
        {"low": 0, "high": 1, "points": 3},
        "`@` must be a number > 0; got 0.0.",
    ),
    (
        "arms.0.tune.grid.lr",
        {"low": 0.1, "high": 1, "points": 1},
        "`@.points` must be an integer >= 2; got 1.",
    ),
    (
        "arms.0.tune.grid.lr",
        {"low": 0, "high": 1, "points": 3, "log": True},
        "`@.low` must be a number > 0 on a log scale; got 0.0.",
    ),
    (
        "arms.0.tune.grid.lr",
        {"low": 2, "high": 1, "points": 3},
        "`@.low` must be less than `high` (1); got 2.0.",
    ),
    ("arms.3.optimizer.lr", 0, "`@` must be a number > 0; got 0."),
    ("arms.3.optimizer.lr", -1, "`@` must be a number > 0; got -1."),
    ("arms.3.optimizer.lr", math.nan, "`@` must be a number > 0; got nan."),
    ("arms.3.optimizer.lr", math.inf, "`@` must be a number > 0; got inf."),
    ("arms.3.optimizer.lr", True, "`@` must be a number > 0; got True."),
    ("arms.3.optimizer.lr", "fast", "`@` must be a number > 0; got 'fast'."),
    ("arms.3.optimizer.lr", [0.1], "`@` must be a number > 0; got [0.1]."),
    ("arms.1.tune.space.lr.low", math.nan, "`@` must be a finite number; got nan."),
    (
        "arms.1.tune.space.lr.low",
        0,
        "`@` must be a number > 0 on a log scale; got 0.0.",
    ),
    ("arms.1.tune.space.lr.low", 1, "`@` must be less than `high` (1); got 1.0."),
    (
        "arms.1.tune.space.lr",
        {"low": 0, "high": 1},
        "`@.low` must be a number > 0; got 0.0.",
    ),
    ("arms.1.tune.space.lr", {"low": 1}, "`@.high` is missing."),
    (
        "arms.1.tune.space.lr",
        {"low": 0.1, "high": 1, "log": True, "step": 0.1},
        "`@` must not have both `log` and `step`; remove one.",
    ),
    (
        "arms.1.tune.space.lr",
        {"low": 0.1, "high": 1, "choices": [1]},
        "`@` must have `choices` or `low` and `high`, not both.",
    ),
    (
        "arms.1.tune.space.batch_size",
        {"low": 16, "high": 64, "step": 0.5},
        "`@.step` must be a positive integer; got 0.5.",
    ),
    (
        "arms.1.tune.space.batch_size",
        {"low": 0, "high": 64},
        "`@.low` must be a positive integer; got 0.0.",
    ),
    (
        "arms.1.tune.space.shedule",
        ["constant"],
        "unknown setting `@` of `adam`; did you mean `schedule`?",
    ),
    (
        "arms.1.tune.space.schedule",
        ["constant", "cosinus"],
        "`@[1]` must be 'constant', 'cosine' or 'multistep'",
    ),
    (
        "arms.0.tune.grid.momentum",
        [0.5],
        "`@` is tuned, but `arms[0].optimizer.momentum` fixes it",
    ),
    (
        "arms.0.tune.trials",
        3,
        "`@` belongs to `by: random` and `by: optuna`, not to `by: grid`",
    ),
    (
        "arms.1.tune.grid",
        {"lr": [1]},
        "`@` belongs to `by: grid`, not to `by: optuna`; remove it.",
    ),
    ("arms.0.tune.by", "tpe", "`@` must be `grid`, `random` or `optuna`; got 'tpe'."),
    ("arms.0.tune", {"by": "grid"}, "`@.grid` is missing; `by: grid` needs it."),
    ("arms.0.tune", {"grid": {"lr": [1]}}, "`@.by` is missing."),
    (
        "arms.2",
        {
            "name": "fixed",
            "optimizer": {"rule": "tlr", "lr": 0.1},
            "tune": {"by": "random", "trials": 2},
        },
        "`@.tune.space` is missing, and `optimizer` fixes all that `tlr` would tune;",
    ),
    ("arms.0.optimizer", "sgd", "`@` must be a mapping; got 'sgd'."),
    ("arms.0.optimizer", {"lr": 1}, "`@.rule` is missing."),
    ("arms.0.stop_at_target", 1, "`@` must be true or false; got 1."),
    ("arms.3.name", "tlr", "`@` must differ from that of `arms[2]`; got 'tlr' twice."),
    ("arms.3.name", "a/b", "`@` must be a name, not a path"),
    ("arms.3.name", 3, "`@` must be a name, not a path"),
    ("arms", [], "`@` must have at least one entry; got none."),
    (
        "workloads.1",
        "digits_mlp",
        "`@.label` must differ from that of `workloads[0]`; got 'digits_mlp'",
    ),
    (
        "workloads.1.target",
        90,
        "`@` must be between 0 and 1, the range of the accuracy; got 90",
    ),
    ("workloads.1.target", math.nan, "`@` must be a finite number; got n"),
    ("workloads.1.budget", {}, "`@.epochs` is missing."),
    ("workloads.1.budget", {"epochs": 0}, "`@.epochs` must be a number >"),
    (
        "workloads.1.evaluate_every",
        0,
        "`@` must be a positive integer (steps) or {epochs: ",
    ),
    (
        "workloads.1.evaluate_every",
        {"epochs": 1, "steps": 3},
        "`@` must be a positive integer (steps) or {epochs: ",
    ),
    ("workloads.1.split", "train", "`@` must be `default` or `paper`; got 'train'."),
    ("workloads", "digits_mlp", "`@` must be a list; got 'digits_mlp'."),
    ("name", "runs/x", "`@` must be a @, not a path"),
    ("name", "..", "`@` must be a @, not a path"),
    ("name", "", "`@` must be a @, not a path"),
    ("name", "x\n", "`@` must be a @, not a path"),
    ("name", 2026, "`@` must be a @, not a path"),
    ("seeds", [], "`@` must have at least one entry; got none."),
    ("seeds", [1, 2, 1], "`@[2]` must differ from the others; got 1 twice."),
    ("seeds", [True], "`@[0]` must be an integer >= 0; got True."),
    ("seeds", [-1], "`@[0]` must be an integer >= 0; got -1."),
    ("seeds", 3, "`@` must be a list; got 3."),
    (
        "reference",
        "sgd-grd",
        "`@` must be an arm's name; got 'sgd-grd'; did you mean `sgd-grid`?",
    ),
    (
        "sensitivity",
        [{"arms": ["tlrr"], "vary": {"lr": [1]}}],
        "`@[0].arms[0]`: there is no arm `tlrr`; did you mean `tlr`?",
    ),
    (
        "sensitivity",
        [{"arms": ["tlr", "tlr"], "vary": {"lr": [1]}}],
        "`@[0].arms` must not name `tlr` twice.",
    ),
    (
        "sensitivity",
        [{"arms": ["tlr", "adam"], "vary": {"gamma": [0.1]}}],
        "unknown setting `@[0].vary.gamma` of `adam`; known are `batch_size`",
    ),
    (
        "sensitivity",
        [{"arms": ["adam"], "vary": {"lr": [0.1, -1]}}],
        "`@[0].vary.lr[1]` must be a number > 0; got -1.",
    ),
    ("sensitivity", [{"arms": ["adam"], "vary": {}}], "`@[0].vary` must not be empty."),
    ("sensitivity", [{"arms": ["adam"]}], "`@[0].vary` is missing."),
    (
        "sensitivity",
        [
            {"arms": ["adam"], "vary": {"lr": [1]}},
            {"arms": ["adam"], "vary": {"lr": [2]}},
        ],
        "`@[1]` varies the same settings of `adam` as `@[0]`",
    ),
    (
        "sensitivity",
        [{"arms": ["adam"], "vary": {"lr": [1]}, "workloads": ["iris_logrg"]}],
        "`@[0].workloads[0]`: there is no workload `iris_logrg`; "
        "did you mean `iris_logreg`?",
    ),
    (
        "sensitivity",
        [{"arms": ["adam"], "vary": {"lr": [1]}, "workloads": ["digits_mlp"] * 2}],
        "`@[0].workloads` must not name `digits_mlp` twice.",
    ),
    (
        "sensitivity",
        [{"arms": ["adam"], "vary": {"lr": [1]}, "workloads": []}],
        "`@[0].workloads` must not be empty.",
    ),
    ("resources", {"lanes": 0}, "`@.lanes` must be auto or a positive integer; got"),
    ("resources", {"gpu": -1}, "`@.gpu` must be auto or a number >= 0; got -1."),
    ("resources", {"retries": 1.5}, "`@.retries` must be an integer >= 0; got 1.5."),
    ("storage", {"records": ""}, "`@.records` must be text that is not empty"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
def test_a_wrong_value_is_named_with_its_key_and_rule(path, value, sentence):
    expected = sentence.replace("@", re.sub(r"\.(\d+)", r"[\1]", path))
    found = problem(path, value)
    assert found.startswith(expected), found


@pytest.mark.parametrize(
    ("sampler", "args", "words"),
    [
        ("tpee", {}, ["tpee", "tpe"]),
        ("optuna.samplers:GridSampler", {}, ["GridSampler", "`by: grid`"]),
        ("optuna.samplers:BruteForceSampler", {}, ["BruteForceSampler", "`by: grid`"]),
        ("grid", {}, ["`by: grid`"]),
        ("tpe", {"n_startup": 3}, ["n_startup", "n_startup_trials"]),
        ("tpe", {"seed": 3}, ["seed"]),
        ("no.such.module:Sampler", {}, ["no.such.module:Sampler"]),
    ],
)
def test_a_wrong_sampler_is_refused(sampler, args, words):
    study = changed("arms.1.tune.sampler", sampler)
    study["arms"][1]["tune"]["sampler_args"] = args
    (found,) = problems(study)
    assert found.startswith("`arms[1].tune`: ")
    assert all(word in found for word in words), found


def test_every_problem_of_a_file_is_in_the_one_message(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(
        "name: s\nworkloads: [digits_mlpp, {name: iris_logreg, target: 2}]\n"
        "arms: [{name: a, optimizer: {rule: sgd, lr: -1, momentum: 2}}]\n"
        "reference: b\n"
    )
    with pytest.raises(StudyError) as caught:
        Study.from_yaml(file)
    message = str(caught.value)
    assert message.startswith(f"{file} has 5 problems:\n")
    for words in (
        "digits_mlpp",
        "target",
        "arms[0].optimizer.lr",
        "momentum",
        "reference",
    ):
        assert words in message


def test_one_problem_is_one_line_with_the_file(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("name: s\nworkloads: [digits_mlp]\n")
    with pytest.raises(StudyError) as caught:
        Study.from_yaml(file)
    assert str(caught.value) == f"{file}: `arms` is missing."


def test_settings_that_contradict_each_other_are_refused():
    (found,) = problems(
        changed("arms.2.optimizer", {"rule": "tlr", "preset": "paper", "gamma": 0.2})
    )
    assert found.startswith("`arms[2].optimizer`: ")
    assert "preset" in found


def test_tuned_settings_that_contradict_fixed_ones_are_refused():
    study = changed("arms.2.optimizer.preset", "paper")
    study["arms"][2]["tune"] = {"by": "grid", "grid": {"gamma": [0.2]}}
    (found,) = problems(study)
    assert found.startswith("`arms[2].optimizer` with gamma=0.2: ")


def test_swept_settings_that_contradict_fixed_ones_are_refused():
    study = changed("arms.2.optimizer.preset", "paper")
    study["sensitivity"] = [{"arms": ["tlr"], "vary": {"gamma": [0.2]}}]
    (found,) = problems(study)
    assert found.startswith("`sensitivity[0].vary` for `tlr` with gamma=0.2: ")


def test_a_long_wrong_value_is_cut_in_the_message():
    found = problem("arms.3.optimizer.lr", "x" * 1000)
    assert len(found) < 250
