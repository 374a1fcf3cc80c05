import math

from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.study.calibrations import calibrations
from hpo_vs_adapt.tables.origins import ORIGIN_COLUMNS, find_origins

SPACE = {"lr": {"low": 1e-4, "high": 1, "log": True}}
TUNED = {"by": "random", "trials": 2, "space": SPACE}


def origins(*arms):
    study = Study.from_dict({"name": "s", "workloads": ["digits_mlp"], "arms": arms})
    table = find_origins(study)
    assert tuple(table.columns) == ORIGIN_COLUMNS
    return {row.arm: row for row in table.itertuples()}


def arm(name, rule="sgd", **given):
    return {"name": name, "optimizer": {"rule": rule, **given.pop("optimizer", {})}} | (
        given
    )


def test_a_rule_says_where_its_defaults_come_from_and_unknown_trials_are_not_zero():
    found = origins(arm("a", "clara"))["a"]
    assert found.defaults_from == RULES["clara"].defaults
    assert math.isnan(found.defaults_trials)
    assert (found.space_from, found.space_trials) == ("", 0)


def test_a_study_says_where_a_space_comes_from():
    told = {**TUNED, "space_from": "a paper", "space_trials": 40}
    found = origins(arm("silent", tune=TUNED), arm("told", tune=told))
    assert found["silent"].space_from == "unknown"
    assert math.isnan(found["silent"].space_trials)
    assert (found["told"].space_from, found["told"].space_trials) == ("a paper", 40)


def test_a_rule_says_where_the_space_comes_from_that_a_study_leaves_to_it():
    left = {"by": "optuna", "trials": 2}
    found = origins(
        arm("rule", "clara", tune=left),
        arm("told", tune={**left, "space_from": "a paper", "space_trials": 3}),
    )
    assert found["rule"].space_from == RULES["clara"].space_from != "unknown"
    assert math.isnan(found["rule"].space_trials)
    assert (found["told"].space_from, found["told"].space_trials) == ("a paper", 3)


def test_calibrated_settings_cost_the_trials_of_their_calibration():
    found = origins(arm("frozen", "nadamw", optimizer={"calibrated": True}))["frozen"]
    chosen = calibrations()["nadamw"]
    assert found.defaults_trials == chosen.trials > 0
    assert all(name in found.defaults_from for name in chosen.workloads)


def test_a_portfolio_has_the_origins_of_its_members():
    both = {"name": "both", "any_of": ["frozen", "plain"]}
    twice = {"name": "twice", "any_of": ["frozen", "other"]}
    found = origins(
        arm("frozen", "nadamw", optimizer={"calibrated": True}),
        arm("other", "rmsprop", optimizer={"calibrated": True}),
        arm("plain"),
        both,
        twice,
    )
    assert math.isnan(found["both"].defaults_trials)
    known = found["frozen"].defaults_trials + found["other"].defaults_trials
    assert found["twice"].defaults_trials == known
    assert found["both"].defaults_from.startswith("calibrated once on")
