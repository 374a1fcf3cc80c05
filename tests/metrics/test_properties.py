"""What must hold for any trials, found or made up by hypothesis."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpo_vs_adapt.metrics.basics.cost import (
    expected_finite_list,
    expected_running_time,
)
from hpo_vs_adapt.metrics.basics.hits import target_crossing
from hpo_vs_adapt.metrics.basics.passes import arm_passes
from hpo_vs_adapt.metrics.costs.parallel import expected_parallel
from hpo_vs_adapt.metrics.suites.profiles import (
    data_profile,
    leave_one_out_scores,
    profile_scores,
)
from hpo_vs_adapt.metrics.tuners.best_of_k import best_of_k
from hpo_vs_adapt.metrics.uncertainty.intervals import ert_interval
from hpo_vs_adapt.metrics.uncertainty.survival import restricted_mean, survival
from tests.metrics.builder import BUDGET, runs, table, trial

COSTS = st.floats(0.01, 1e6)
PASSES = st.lists(st.tuples(COSTS, st.booleans()), min_size=1, max_size=12)
SHORT = st.lists(st.tuples(COSTS, st.booleans()), min_size=1, max_size=6)
FACTORS = st.sampled_from([1e-3, 0.3, 7.0, 1e5])
TIMES = arrays(
    float,
    st.tuples(st.integers(1, 5), st.integers(1, 6)),
    elements=st.one_of(st.floats(0.01, 1e4), st.just(math.inf)),
)
KINDS = st.sampled_from(["single", "random", "grid", "optuna", "portfolio"])
CROSSINGS = st.lists(
    st.one_of(st.none(), st.floats(1.0, BUDGET)), min_size=1, max_size=8
)


def split(passes):
    costs, hits = zip(*passes, strict=True)
    return np.array(costs), np.array(hits)


def bills(trials):
    """Each arm's bill."""
    passes = arm_passes(trials).groupby("arm")[["cost", "hit"]]
    return {arm: expected_running_time(p["cost"], p["hit"]) for arm, p in passes}


def bill(trials):
    return bills(trials)["a"]


@given(PASSES, FACTORS)
def test_bills_are_in_the_unit_of_the_costs(passes, factor):
    costs, hits = split(passes)
    for formula in (expected_running_time, expected_finite_list):
        scaled = formula(factor * costs, hits)
        assert scaled == pytest.approx(factor * formula(costs, hits))


@given(SHORT, FACTORS, st.integers(1, 4))
def test_latency_and_bill_of_workers_are_in_the_unit_of_the_costs(
    passes, factor, workers
):
    costs, hits = split(passes)
    scaled = expected_parallel(factor * costs, hits, workers)
    latency, bill = expected_parallel(costs, hits, workers)
    assert scaled == pytest.approx((factor * latency, factor * bill))


@given(st.lists(st.tuples(COSTS, st.booleans()), min_size=2, max_size=30))
def test_intervals_are_in_the_unit_of_the_costs(passes):
    costs, hits = split(passes)
    scaled = ert_interval(1024 * costs, hits)
    low, high = ert_interval(costs, hits)
    assert scaled == pytest.approx((1024 * low, 1024 * high), nan_ok=True)


@pytest.mark.slow
@given(KINDS, CROSSINGS, FACTORS)
def test_bills_of_every_policy_are_in_the_unit_of_the_costs(by, crossings, factor):
    trials = table(*runs("a", *crossings, by=by))
    columns = ["cost", "cost_to_target"]
    scaled = trials.assign(**{name: factor * trials[name] for name in columns})
    both = bills(pd.concat([trials, scaled.assign(arm="scaled")]))
    assert both["scaled"] == pytest.approx(factor * both["a"])


@given(TIMES, FACTORS)
def test_data_profiles_know_only_times_in_multiples_of_the_budget(times, factor):
    budgets = np.array([1.0, 50.0, math.inf])
    before = data_profile(times, budgets)
    # A power of two, so that nothing is rounded across a budget.
    two = 2.0 ** round(math.log2(factor))
    after = data_profile(two * times, two * budgets)
    assert after.to_numpy().tolist() == before.to_numpy().tolist()


@given(PASSES, COSTS)
def test_one_more_failure_never_lowers_a_bill(passes, cost):
    costs, hits = split(passes)
    more = (np.append(costs, cost), np.append(hits, False))
    for formula in (expected_running_time, expected_finite_list):
        assert formula(*more) >= formula(costs, hits) * (1 - 1e-12)


@pytest.mark.slow
@given(KINDS, CROSSINGS)
def test_one_more_failing_trial_never_lowers_the_bill_of_a_policy(by, crossings):
    rows = runs("a", *crossings, by=by)
    ends = ("budget", "diverged", "crashed", "pruned")
    for end in ends:
        rows += runs(end, *crossings, by=by)
        rows += [trial(end, len(crossings), by=by, end=end, cost=50.0)]
    found = bills(table(*rows))
    for end in ends:
        assert found[end] >= found["a"] * (1 - 1e-12)


def test_a_competitor_may_turn_the_order_of_profile_scores():
    # The trap of performance profiles; so we show what each score is without the others
    times = pd.DataFrame([[2.0, 1.0], [1.0, 3.0], [1.0, 0.3]], index=["a", "b", "c"])
    among = profile_scores(times)
    alone = profile_scores(times.loc[["a", "b"]])
    assert among["a"] < among["b"]
    assert alone["a"] > alone["b"]
    left_out = leave_one_out_scores(times).set_index(["left_out", "method"])["score"]
    assert left_out["c"].to_dict() == pytest.approx(alone.to_dict())


def test_a_diverged_trial_is_a_miss_not_dropped_not_censored_not_imputed():
    hits = runs("a", 300, 400)
    gone = {"end": "diverged", "failed": True, "cost": 100.0}
    counted = bill(table(*hits, trial("a", 2, **gone)))
    dropped = bill(table(*hits))
    imputed = bill(table(*hits, trial("a", 2, **gone | {"cost": BUDGET})))
    assert [counted, dropped, imputed] == [400, 350, 850]

    # Kaplan-Meier: the trial that diverged at 100 stays at risk for ever.
    def share_left(times, met):
        return survival(times, met)["survival"].iloc[-1]

    counted = share_left([300, 400, math.inf], [True, True, False])
    censored = share_left([300, 400, 100], [True, True, False])
    dropped = share_left([300, 400], [True, True])
    assert counted == pytest.approx(1 / 3)
    assert [censored, dropped] == [0, 0]
    mean = [
        restricted_mean([300, 400, at], [True, True, False], 400.0)
        for at in (math.inf, 100.0)
    ]
    assert mean == pytest.approx([1100 / 3, 350])


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.data())
def test_what_is_a_set_of_trials_knows_no_order(values, data):
    other = data.draw(st.permutations(values))
    assert best_of_k(other, 1) == pytest.approx(best_of_k(values, 1))
    costs = np.abs(values)
    hits = costs > 10
    order = np.array(data.draw(st.permutations(range(len(values)))))
    shuffled = (costs[order], hits[order])
    assert expected_running_time(*shuffled) == expected_running_time(costs, hits)
    assert expected_finite_list(*shuffled) == expected_finite_list(costs, hits)
    assert np.array_equal(ert_interval(*shuffled), ert_interval(costs, hits), True)


@given(SHORT)
def test_a_list_costs_no_more_than_draws_with_replacement(passes):
    costs, hits = split(passes)
    ert, finite = expected_running_time(costs, hits), expected_finite_list(costs, hits)
    assert finite <= ert * (1 + 1e-12)
    assert expected_parallel(costs, hits, 1) == pytest.approx((finite, finite))


@given(SHORT)
def test_more_workers_cost_no_less_than_what_hits_cost_and_end_no_later(passes):
    costs, hits = split(passes)
    assume(hits.any())
    everyone, _ = expected_parallel(costs, hits, len(costs))
    assert everyone == pytest.approx(costs[hits].min())
    for workers in (1, 2, 4):
        latency, total = expected_parallel(costs, hits, workers)
        assert latency >= everyone * (1 - 1e-12)
        assert latency <= total * (1 + 1e-12)
        assert total <= workers * latency * (1 + 1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=10))
def test_the_best_of_more_draws_is_no_worse(values):
    ks = np.arange(1, len(values) + 1)
    slack = 1e-9 * max(abs(value) for value in values)
    for estimator in ("unbiased", "plugin"):
        best = best_of_k(values, ks, estimator)
        assert best[0] == pytest.approx(np.mean(values), abs=slack)
        assert (np.diff(best) >= -slack).all()
    assert best_of_k(values, len(values)) == pytest.approx(max(values), abs=slack)
    assert (best_of_k(values, ks, "plugin") <= best_of_k(values, ks) + slack).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10), st.floats(0, 1))
def test_what_comes_after_a_nan_is_no_crossing(values, target):
    cost = np.arange(len(values) + 2.0)
    known = target_crossing(cost[: len(values)], values, target)
    ended = target_crossing(cost, [*values, math.nan, 2.0], target)
    assert (ended.first, ended.sustained) == (known.first, known.sustained)
