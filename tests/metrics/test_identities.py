"""Identities and inequalities between formulas, on numbers made up by hypothesis."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.costs.break_even import (
    break_even_failure_fraction,
    break_even_runs,
)
from hpo_vs_adapt.metrics.costs.cost import (
    expected_finite_list,
    expected_running_time,
    target_crossing,
)
from hpo_vs_adapt.metrics.costs.parallel import expected_parallel
from hpo_vs_adapt.metrics.tuners.best_of_k import best_of_k
from hpo_vs_adapt.metrics.uncertainty.resampling import probability_of_improvement
from hpo_vs_adapt.metrics.uncertainty.survival import restricted_mean, survival

of_any = settings(max_examples=50, deadline=None, derandomize=True)

COSTS = st.floats(0.01, 1e6)
PASSES = st.lists(st.tuples(COSTS, st.booleans()), min_size=1, max_size=12)
SHORT = st.lists(st.tuples(COSTS, st.booleans()), min_size=1, max_size=6)


def split(passes):
    costs, hits = zip(*passes, strict=True)
    return np.array(costs), np.array(hits)


@of_any
@given(SHORT)
def test_a_list_costs_no_more_than_draws_with_replacement(passes):
    costs, hits = split(passes)
    ert, finite = expected_running_time(costs, hits), expected_finite_list(costs, hits)
    assert finite <= ert * (1 + 1e-12)
    assert expected_parallel(costs, hits, 1) == pytest.approx((finite, finite))


@of_any
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


@of_any
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


@of_any
@given(PASSES, st.floats(1.0, 1e6))
def test_without_loss_the_restricted_mean_is_that_of_the_cut_times(passes, horizon):
    costs, hits = split(passes)
    times = np.where(hits, costs, math.inf)  # misses by policy stay at risk
    expected = np.minimum(times, horizon).mean()
    assert restricted_mean(times, hits, horizon) == pytest.approx(expected)
    share = survival(times, hits)["survival"]
    assert (share.diff().dropna() <= 0).all()


@of_any
@given(*[st.floats(0.0, 1e6)] * 4)
def test_tuning_has_paid_after_the_break_even_and_not_before(tuning, tuned, other, run):
    number = break_even_runs(tuning, tuned, other, run)

    def ahead(times):
        return other + times * run - (tuning + times * tuned)

    slack = 1e-6 * (1 + tuning + tuned + other + run)
    if number == 0:
        assert tuning <= other
    elif number < math.inf:
        assert ahead(number) == pytest.approx(0, abs=slack * (1 + number))
        assert ahead(number / 2) < slack
    else:
        assert tuned >= run
        assert tuning > other


@of_any
@given(PASSES, COSTS)
def test_at_the_failure_fraction_both_bills_are_the_same(passes, other):
    costs, hits = split(passes)
    share = break_even_failure_fraction(costs[hits], costs[~hits], other)

    def ert(price):
        return expected_running_time(np.where(hits, costs, price * costs), hits)

    if 0 < share < 1:
        assert ert(share) == pytest.approx(other)
    elif share == 0:
        assert ert(0.0) >= other * (1 - 1e-12)
    else:
        assert ert(1.0) <= other * (1 + 1e-12)


@of_any
@given(*[st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)] * 2)
def test_the_probability_of_improvement_is_shared_by_both(a, b):
    ours = probability_of_improvement(a, b)
    assert ours + probability_of_improvement(b, a) == pytest.approx(1)
    assert probability_of_improvement(a, b, "min") == pytest.approx(1 - ours)
    assert probability_of_improvement(np.exp(a), np.exp(b)) == ours


@of_any
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10), st.floats(0, 1))
def test_what_comes_after_a_nan_is_no_crossing(values, target):
    cost = np.arange(len(values) + 2.0)
    known = target_crossing(cost[: len(values)], values, target)
    ended = target_crossing(cost, [*values, math.nan, 2.0], target)
    assert (ended.first, ended.sustained) == (known.first, known.sustained)
