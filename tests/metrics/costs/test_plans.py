import pytest

from hpo_vs_adapt.metrics import arm_bills, arm_passes, full_plans
from tests.metrics.builder import BUDGET, runs, shuffled, table, trial


def test_a_full_plan_runs_every_trial_to_its_end_and_the_winner_once_more():
    policy = runs("a", None, 500, None, by="random")
    retrains = runs("a", 700, 100, by="random", role="retrain")
    plans = full_plans(table(*policy, *reversed(retrains)))
    assert plans["cost"].tolist() == [3 * BUDGET + 700]
    assert plans["hit"].tolist() == [True]


@pytest.mark.parametrize("by", ["grid", "random", "optuna"])
def test_a_full_plan_hits_only_if_the_retrained_winner_does(by):
    policy = runs("a", None, 500, by=by)
    plans = full_plans(table(*policy, trial("a", 2, by=by, role="retrain")))
    assert plans["cost"].tolist() == [3 * BUDGET]
    assert plans["hit"].tolist() == [False]


def test_a_stream_without_a_retrain_is_no_plan_unless_all_of_it_crashed():
    crash = {"end": "crashed", "failed": True, "by": "grid", "cost": 5.0}
    waiting = runs("a", None, 500, by="grid", stream=0)
    crashed = runs("a", None, None, **crash, stream=1)
    diverged = runs("a", None, None, **(crash | {"end": "diverged"}), stream=2)
    plans = full_plans(table(*waiting, *crashed, *diverged))
    assert plans["stream"].tolist() == [1]
    assert plans["cost"].tolist() == [10]
    assert plans["hit"].tolist() == [False]


def test_the_full_plan_of_an_arm_that_is_not_tuned_is_its_passes():
    trials = table(*runs("a", 400, None, 250))
    assert full_plans(trials).equals(arm_passes(trials))


def test_a_full_plan_charges_misses_and_a_missing_retrain_their_price():
    policy = runs("a", None, 500, None, by="grid")
    missed = trial("a", 3, by="grid", role="retrain")
    met = trial("a", 3, 700, by="grid", role="retrain")
    half = full_plans(table(*policy, missed), failure_price=0.5)
    assert half["cost"].tolist() == [BUDGET + 0.5 * 3 * BUDGET]
    free = full_plans(table(*policy, met), failure_price=0)
    assert free["cost"].tolist() == [BUDGET + 700]


def test_plans_do_not_depend_on_the_order_of_rows():
    trials = table(
        *runs("a", 400.1, None, 250.3),
        *runs("b", None, 0.1, 0.2, 0.7, by="grid", stream=1),
        *runs("b", 0.3, by="grid", stream=1, role="retrain"),
        *runs("c", None, 0.3, by="optuna"),
    )
    for retrain in (True, False):
        plans = full_plans(trials, retrain=retrain)
        assert full_plans(shuffled(trials), retrain=retrain).equals(plans)


@pytest.mark.parametrize("retrain", [True, False])
def test_no_trials_are_no_plans_and_a_wrong_table_is_refused(retrain):
    plans = full_plans(table(), retrain=retrain)
    assert list(plans.columns) == ["workload", "arm", "stream", "cost", "hit"]
    assert plans.empty
    with pytest.raises(ValueError, match="`failure_price` must be from 0 to 1"):
        full_plans(table(trial()), 1.1, retrain)
    with pytest.raises(ValueError, match="`cost` must be finite"):
        full_plans(table(trial(cost=-1.0)), retrain=retrain)


@pytest.mark.parametrize("by", ["grid", "random", "optuna", "portfolio"])
def test_without_a_retrain_a_plan_costs_its_trials_and_hits_if_one_did(by):
    rows = [
        *runs("a", None, 500, 100, by=by, stream=0),
        *runs("a", 100, by=by, stream=0, role="retrain"),
        *runs("a", None, None, by=by, stream=1),
    ]
    plans = full_plans(table(*rows), failure_price=0.5, retrain=False)
    assert plans["cost"].tolist() == [2.5 * BUDGET, BUDGET]
    assert plans["hit"].tolist() == [True, False]


def test_the_three_bills_of_a_tuned_arm_are_those_of_three_ways_to_end():
    rows = [
        *runs("a", None, 500, None, by="optuna", stream=0),
        *runs("a", 300, by="optuna", stream=0, role="retrain"),
        *runs("a", 200, None, None, by="optuna", stream=1),
        *runs("a", 400, by="optuna", stream=1, role="retrain"),
        *runs("b", 250, 350),
    ]
    bills = arm_bills(table(*rows)).set_index("arm")
    tuned = bills.loc["a"]
    assert tuned["bill"] == (BUDGET + 500 + 200) / 2
    assert tuned["all_trials"] == 6 * BUDGET / 2
    assert tuned["full_plan"] == (6 * BUDGET + 300 + 400) / 2
    other = bills.loc["b"]
    assert other["bill"] == other["all_trials"] == other["full_plan"] == 300


def test_an_arm_that_is_not_tuned_has_its_passes_for_plans_either_way():
    trials = table(*runs("a", 400, None, 250))
    assert full_plans(trials, retrain=False).equals(arm_passes(trials))
