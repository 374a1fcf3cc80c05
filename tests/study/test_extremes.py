"""Study files that no program should hang, burst or stumble over: one sentence each."""

import pytest

from hpo_vs_adapt.study import Study, StudyError

STUDY = """\
name: x
seeds: [0]
workloads: [WORKLOAD]
arms:
  - name: a
    optimizer: {rule: RULE, lr: LR}
    tune: {by: grid, grid: {batch_size: [4]}}
"""
USUAL = {"WORKLOAD": "sphere", "RULE": "sgd", "LR": "0.1"}
LONG = "n" * 300


def refused(tmp_path, text: str) -> str:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(StudyError) as told:
        Study.from_yaml(file)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (
            "LR",
            "1" + "0" * 400,
            "`arms[0].optimizer.lr` must be a number of at most 300",
        ),
        (
            "LR",
            "0x1" + "0" * 5000,
            "`arms[0].optimizer.lr` must be a number of at most",
        ),
        ("LR", "&r [*r]", "`arms[0].optimizer.lr[0]` must not be in itself"),
        ("LR", "!!timestamp now", "this is no valid YAML"),
        ("LR", '!!int ""', "this is no valid YAML"),
        (
            "[4]",
            "{low: 1, high: 9, points: 1000000000}",
            "points` must be at most 100,000",
        ),
        (
            "[4]",
            "{low: 5e-324, high: 1e+308, points: 3, log: true}",
            "high` must be near",
        ),
        ("WORKLOAD", f"'{LONG}.py:X'", "File name too long"),
        ("WORKLOAD", f"'{LONG}:X'", "is too long for a module"),
        ("WORKLOAD", r'"a\0.py:X"', "`workloads[0].name` must be text"),
        ("RULE", f"'{LONG}.py:X'", "File name too long"),
    ],
)
def test_a_value_beyond_everything_is_one_sentence(tmp_path, place, value, said):
    text = STUDY.replace(place, value)
    for name, usual in USUAL.items():
        text = text.replace(name, usual)
    assert said in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("tune", "said"),
    [
        (
            "{by: grid, grid: {lr: {low: 0.1, high: 1, points: 999}, "
            "momentum: {low: 0, high: 0.9, points: 999}}}",
            "`arms[0].tune.grid` must have at most 100,000 combinations; got 998,001.",
        ),
        ("{by: random, trials: 1000000000}", "`arms[0].tune.trials` must be at most"),
        ("{by: random, trials: 2, retrain: 10000000}", "`arms[0].tune.retrain` must"),
        ("{by: random, trials: 2, repeats: 10000000}", "`arms[0].tune.repeats` must"),
    ],
)
def test_more_trials_than_anybody_can_train_are_one_sentence(tmp_path, tune, said):
    arm = f"{{name: a, optimizer: {{rule: sgd}}, tune: {tune}}}"
    text = f"name: x\nworkloads: [sphere]\narms: [{arm}]\n"
    assert said in refused(tmp_path, text)


def test_a_sweep_of_more_points_than_anybody_can_train_is_one_sentence(tmp_path):
    span = "{low: 0.1, high: 0.9, points: 999}"
    text = (
        "name: x\nworkloads: [sphere]\narms: [{name: a, optimizer: {rule: sgd}}]\n"
        f"sensitivity: [{{arms: [a], vary: {{lr: {span}, momentum: {span}}}}}]\n"
    )
    said = "`sensitivity[0].vary` must have at most 100,000 combinations; got 998,001."
    assert said in refused(tmp_path, text)


def test_anchors_that_multiply_are_one_sentence(tmp_path):
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    assert "must have at most 1,000,000 values" in refused(tmp_path, "\n".join(lines))


def test_an_anchor_that_is_used_twice_is_no_ring():
    arms = [{"name": n, "optimizer": {"rule": "sgd"}} for n in "ab"]
    tune = {"by": "grid", "grid": {"lr": [0.1, 1.0]}}
    described = {
        "name": "x",
        "workloads": ["sphere"],
        "arms": [a | {"tune": tune} for a in arms],
    }
    assert len(Study.from_dict(described).arms) == 2
