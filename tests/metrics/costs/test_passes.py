import math

import numpy as np
import pytest

from hpo_vs_adapt.metrics import (
    arm_passes,
    expected_finite_list,
    expected_running_time,
)
from tests.metrics.builder import BUDGET, runs, shuffled, table, trial


def passes_of(*trials):
    passes = arm_passes(table(*trials))
    return list(zip(passes["cost"], passes["hit"], strict=True))


@pytest.mark.parametrize("by", ["single", "random"])
def test_a_seed_and_a_random_trial_are_passes_of_their_own(by):
    found = passes_of(*runs("a", 400, None, 250, by=by))
    assert found == [(400, True), (BUDGET, False), (250, True)]


def test_a_grid_stream_is_one_pass_that_costs_its_list_in_random_order():
    found = passes_of(*runs("a", None, 400, 600, None, 300, by="grid"))
    assert found == [(pytest.approx(1300 / 3 + 2 / 4 * BUDGET), True)]


def test_a_grid_stream_without_a_hit_costs_all_that_it_ran():
    short = trial("a", 1, by="grid", cost=120.0, end="diverged", failed=True)
    assert passes_of(trial("a", 0, by="grid"), short) == [(BUDGET + 120, False)]


def test_an_optuna_stream_is_one_pass_up_to_its_first_hit():
    found = passes_of(*runs("a", None, None, 350, 100, None, by="optuna"))
    assert found == [(2 * BUDGET + 350, True)]


def test_an_optuna_stream_is_read_by_number_not_by_arrival():
    trials = runs("a", None, 350, None, 100, by="optuna")
    assert passes_of(*reversed(trials)) == passes_of(*trials) == [(BUDGET + 350, True)]


def test_an_optuna_stream_without_a_hit_costs_all_that_it_ran():
    assert passes_of(*runs("a", None, None, by="optuna")) == [(2 * BUDGET, False)]


@pytest.mark.parametrize("by", ["grid", "optuna"])
def test_streams_are_passes_apart(by):
    one = runs("a", None, 500, by=by, stream=0)
    two = runs("a", None, None, by=by, stream=1)
    passes = arm_passes(table(*two, *one))
    assert passes["stream"].tolist() == [0, 1]
    assert passes["hit"].tolist() == [True, False]
    assert passes["cost"].tolist()[1] == 2 * BUDGET


def test_a_stream_of_optuna_is_one_pass_and_not_its_trials():
    trials = runs("a", None, None, 100, 100, 100, by="optuna")
    of_trials = expected_running_time([t["cost"] for t in trials], [0, 0, 1, 1, 1])
    assert passes_of(*trials) == [(2 * BUDGET + 100, True)]
    assert of_trials != 2 * BUDGET + 100


def test_retrains_and_sweeps_are_in_no_pass():
    policy = runs("a", None, 500, by="grid")
    others = [
        trial("a", 2, 100, by="grid", role="retrain"),
        trial("a", 3, 100, by="grid", role="sweep", stream=-1),
    ]
    assert passes_of(*policy, *others) == passes_of(*policy)


def test_a_trial_that_hit_before_it_diverged_costs_its_crossing():
    broken = trial("a", 0, 300, cost=450.0, end="diverged", failed=True)
    assert passes_of(broken) == [(300, True)]


def test_a_diverged_trial_is_a_miss_that_costs_what_it_burnt():
    burnt = trial("a", 1, cost=50.0, end="diverged", failed=True)
    (hit, miss) = passes_of(trial("a", 0, 400), burnt)
    assert miss == (50, False)
    bill = expected_running_time(*zip(hit, miss, strict=True))
    assert bill == 450
    dropped = expected_running_time([400], [True])
    imputed = expected_running_time([400, BUDGET], [True, False])
    assert bill not in (dropped, imputed)


def test_a_stream_that_still_runs_adds_what_it_has_spent_and_no_hit():
    met = runs("a", None, 500, by="optuna", stream=0)
    running = runs("a", None, None, None, by="optuna", stream=1)
    found = passes_of(*met, *running)
    assert found == [(1500, True), (3000, False)]
    assert expected_running_time(*zip(*found, strict=True)) == 4500


def test_passes_do_not_depend_on_the_order_of_rows():
    trials = table(
        *runs("a", 400.1, None, 250.3),
        *runs("b", None, 0.1, 0.2, 0.7, by="grid", stream=1),
        *runs("c", None, 0.3, by="optuna"),
    )
    for seed in range(2):
        assert arm_passes(shuffled(trials, seed)).equals(arm_passes(trials))


def test_no_trials_are_no_passes():
    passes = arm_passes(table())
    assert list(passes.columns) == ["workload", "arm", "stream", "cost", "hit"]
    assert passes.empty
    assert passes["hit"].dtype == bool


def test_passes_refuse_a_table_that_they_cannot_read():
    with pytest.raises(ValueError, match="missing \\['cost_to_target'\\]"):
        arm_passes(table(trial()).drop(columns="cost_to_target"))
    with pytest.raises(ValueError, match="`by` must be"):
        arm_passes(table(trial(by="hyperband")))
    for wrong in (math.inf, math.nan, -1.0):
        with pytest.raises(ValueError, match="`cost_to_target` must be finite"):
            arm_passes(table(trial(hit=True, cost_to_target=wrong)))
        with pytest.raises(ValueError, match="`cost` must be finite"):
            arm_passes(table(trial(cost=wrong)))


def priced_pass(by, costs, hits, price):
    """What one stream spends, by a walk through its trials."""
    charged = [c if hit else price * c for c, hit in zip(costs, hits, strict=True)]
    if by == "grid" and any(hits):
        return expected_finite_list(charged, hits)
    total = 0.0
    for cost, hit in zip(charged, hits, strict=True):
        total += cost
        if hit and by == "optuna":
            break
    return total


@pytest.mark.parametrize("price", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("by", ["grid", "optuna", "portfolio"])
def test_passes_of_many_streams_agree_with_a_walk_through_each(by, price):
    rng = np.random.default_rng(7)
    rows, expected = [], []
    for stream in range(30):
        hits = rng.random(rng.integers(1, 7)) < 0.3
        costs = rng.uniform(1, BUDGET, hits.size)
        crossings = [c if hit else None for c, hit in zip(costs, hits, strict=True)]
        found = runs("a", *crossings, by=by, stream=stream)
        for row, cost in zip(found, costs, strict=True):
            row["cost"] = BUDGET if row["hit"] else cost
        rows += found
        walk = "optuna" if by == "portfolio" else by
        expected.append(priced_pass(walk, costs, hits, price))
    passes = arm_passes(shuffled(table(*rows)), price)
    assert passes["stream"].tolist() == list(range(30))
    assert passes["cost"].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("by", ["single", "random"])
def test_a_miss_is_charged_its_price_and_a_hit_its_crossing(by):
    passes = arm_passes(table(*runs("a", 400, None, by=by)), failure_price=0.25)
    assert passes["cost"].tolist() == [400, 0.25 * BUDGET]


@pytest.mark.parametrize("price", [-0.1, 1.1, math.nan, math.inf])
def test_a_price_out_of_range_is_refused(price):
    with pytest.raises(ValueError, match="`failure_price` must be from 0 to 1"):
        arm_passes(table(trial()), price)
