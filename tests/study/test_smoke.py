"""The key `smoke` of a study: what a smoke run changes, and what is refused."""

import dataclasses
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.report import write_report
from hpo_vs_adapt.study import Study, StudyError
from hpo_vs_adapt.study.text import parse
from hpo_vs_adapt.tables.catalogue import Tables
from tests.report import builder

STUDY: dict[str, Any] = {
    "name": "long",
    "seeds": [0, 1, 2],
    "workloads": [
        "digits_mlp",
        {"name": "iris_logreg", "label": "iris", "batch_size": 8},
    ],
    "arms": [
        {
            "name": "grid",
            "optimizer": {"rule": "sgd", "momentum": 0.9},
            "tune": {"by": "grid", "grid": {"lr": [0.01, 0.1]}, "retrain": 2},
        },
        {"name": "tlr", "optimizer": {"rule": "tlr"}},
        {"name": "adam", "optimizer": {"rule": "adam"}},
    ],
    "reference": "tlr",
    "sensitivity": [
        {"arms": ["grid", "tlr"], "vary": {"lr": [0.1, 1.0]}},
        {"arms": ["adam"], "vary": {"lr": [0.1]}},
    ],
}


def smoke(**smoke: Any) -> Study:
    return Study.from_dict({**STUDY, "smoke": smoke}, smoke=True)


def problem(smoke: Any) -> str:
    with pytest.raises(StudyError) as caught:
        Study.from_dict({**STUDY, "smoke": smoke})  # not only where it is asked for
    (found,) = caught.value.problems
    return found


def test_without_being_asked_for_the_smoke_run_changes_nothing():
    plain = Study.from_dict(STUDY)
    study = Study.from_dict({**STUDY, "smoke": {"seeds": [7], "arms": ["adam"]}})
    assert (study.name, study.seeds, study.smoke) == ("long", (0, 1, 2), False)
    assert (study.arms, study.workloads) == (plain.arms, plain.workloads)


def test_a_smoke_run_has_a_name_of_its_own():
    study = smoke()
    assert (study.name, study.smoke) == ("long-smoke", True)
    assert study.seeds == (0, 1, 2)


def test_seeds_are_replaced():
    assert smoke(seeds=[4]).seeds == (4,)


def test_the_budget_is_that_of_all_workloads_but_those_with_their_own():
    study = smoke(
        budget={"epochs": 2},
        workloads={"digits_mlp": {"budget": {"epochs": 0.5}}, "iris": None},
    )
    assert [entry.epochs for entry in study.workloads] == [0.5, 2]


def test_workloads_and_arms_that_are_not_named_are_left_out():
    study = smoke(workloads=["iris"], arms=["adam", "grid"])
    assert [entry.name for entry in study.workloads] == ["iris"]
    assert [arm.name for arm in study.arms] == ["grid", "adam"]
    assert study.reference == "grid"  # the one that was named is gone
    assert [sweep.arms for sweep in study.sensitivity] == [("grid",), ("adam",)]


def test_sweeps_on_workloads_that_are_left_out_are_left_out():
    vary = {"lr": [0.1]}
    sweeps = [
        {"arms": ["adam"], "vary": vary, "workloads": ["digits_mlp"]},
        {"arms": ["tlr"], "vary": vary, "workloads": ["digits_mlp", "iris"]},
    ]
    study = Study.from_dict(
        {**STUDY, "sensitivity": sweeps, "smoke": {"workloads": ["iris"]}}, smoke=True
    )
    assert [(s.arms, s.workloads) for s in study.sensitivity] == [(("tlr",), ("iris",))]


def test_changes_are_merged_key_by_key():
    study = smoke(
        workloads={"iris": {"evaluate_every": 3}},
        arms={"grid": {"tune": {"retrain": 0}, "optimizer": {"momentum": 0.5}}},
    )
    (entry,) = study.workloads
    assert (entry.batch_size, entry.evaluate_every) == (8, 3)
    (arm,) = study.arms
    assert arm.tune is not None
    assert (arm.tune.retrain, arm.tune.grid["lr"]) == (0, (0.01, 0.1))
    assert (arm.rule, dict(arm.settings)) == ("sgd", {"momentum": 0.5})


def test_sweeps_are_replaced_as_a_whole():
    assert smoke(sensitivity=[]).sensitivity == ()
    study = smoke(sensitivity=[{"arms": ["tlr"], "vary": {"lr": [0.5]}}])
    assert [dict(sweep.vary) for sweep in study.sensitivity] == [{"lr": (0.5,)}]


def test_its_text_is_the_study_as_it_runs():
    study = smoke(seeds=[4], arms=["adam"])
    again = Study.from_dict(parse(study.text))
    assert (again.name, again.seeds, again.arms) == ("long-smoke", (4,), study.arms)
    assert "smoke:" not in study.text


def test_published_values_of_what_is_left_out_are_passed_over():
    table = [
        {"workload": "digits_mlp", "arm": "adam", "lr": 0.1, "value": 1},
        {"workload": "iris", "arm": "adam", "lr": 0.1, "value": 2},
        {"workload": "iris", "arm": "tlr", "value": 3},
    ]
    published = {
        "source": "a paper",
        "table": table,
        "statistic": "final_test_metric",
        "select": {"over": "momentum", "by": "test"},
        "beside": {"workloads": {"digits_mlp": "iris"}, "by": "validation"},
    }
    parts = {"workloads": ["iris"], "arms": ["adam"], "sensitivity": []}
    study = Study.from_dict({**STUDY, "published": published, "smoke": parts})
    assert study.published is not None
    assert len(study.published.rows) == 3
    less = Study.from_dict(
        {**STUDY, "published": published, "smoke": parts}, smoke=True
    )
    assert less.published is not None
    assert [row.value for row in less.published.rows] == [2]
    assert less.published.beside is None


def test_a_study_without_smaller_settings_says_how_to_add_some():
    with pytest.raises(StudyError, match=r"`smoke` is missing: .*\{seeds: \[0\]"):
        Study.from_dict(STUDY, smoke=True)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"workloads": ["irs"]},
            "`smoke.workloads`: the study has no `irs`; did you mean `iris`?",
        ),
        (
            {"arms": {"tlrr": {}}},
            "`smoke.arms`: the study has no `tlrr`; did you mean `tlr`?",
        ),
        ({"seeds": [-1]}, "`smoke.seeds[0]` must be an integer >= 0; got -1."),
        (
            {"budget": {"epochs": 0}},
            "`smoke.budget.epochs` must be a number > 0; got 0.",
        ),
        ({"sedes": [0]}, "unknown key `smoke.sedes`; did you mean `seeds`?"),
        (
            {"arms": {"adam": {"stop": True}}},
            "unknown key `arms[0].stop`; known are",
        ),
        ({"arms": "adam"}, "`smoke.arms` must be a mapping; got 'adam'."),
    ],
)
def test_mistakes_show_before_a_smoke_run_is_made(wrong, sentence):
    assert problem(wrong).startswith(sentence)


def call(folder, monkeypatch, *args: str):
    monkeypatch.chdir(folder)
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(args))


def test_the_command_line_plans_the_smoke_run(tmp_path, monkeypatch):
    smoke = {"seeds": [0], "arms": ["adam"], "workloads": ["iris"], "sensitivity": []}
    (tmp_path / "long.yaml").write_text(json.dumps({**STUDY, "smoke": smoke}))
    for command, found in (
        ("plan", "1 trial planned, 0 found on disk, 1 missing."),
        ("status", "0 of 1 trials done, 0 running, 1 missing"),
    ):
        result = call(tmp_path, monkeypatch, command, "long.yaml", "--smoke")
        assert result.exit_code == 0, result.output
        assert found in result.output


@pytest.mark.parametrize("command", ["run", "plan", "status", "report"])
def test_to_ask_for_a_smoke_run_that_is_not_there_is_exit_status_2(
    tmp_path, monkeypatch, command
):
    (tmp_path / "long.yaml").write_text(json.dumps(STUDY))
    result = call(tmp_path, monkeypatch, command, "long.yaml", "--smoke")
    assert result.exit_code == 2
    assert result.stderr.startswith("long.yaml: `smoke` is missing: ")
    assert "Traceback" not in result.stderr


def test_the_report_says_that_it_is_of_a_smoke_run(tmp_path):
    one = builder.study([builder.fixed_arm()], seeds=[0, 1], sweep=False)
    for flag in (True, False):
        results = builder.finished(dataclasses.replace(one, smoke=flag))
        text = write_report(Tables(results), tmp_path / str(flag)).read_text()
        assert ("A smoke run:" in text) == flag
