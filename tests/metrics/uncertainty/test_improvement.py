import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpo_vs_adapt.metrics.uncertainty.resampling import (
    improvement_interval,
    iqm,
    probability_of_improvement,
)

INF = math.inf

scores = st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0, INF]), min_size=1, max_size=6)


def test_the_interquartile_mean_has_the_golden_values():
    assert iqm(range(1, 9)) == 4.5
    assert iqm([0, 0.2, 0.4, 0.5, 0.9, 1, 1, 3, 5, 9]) == pytest.approx(
        1.13333, abs=5e-6
    )


@pytest.mark.parametrize("n", range(1, 12))
def test_the_interquartile_mean_is_a_trimmed_mean(n):
    values = np.random.default_rng(n).normal(size=n)
    assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25))
    assert iqm(values[::-1]) == iqm(values)


def test_the_interquartile_mean_takes_runs_and_tasks_together():
    table = np.arange(12.0).reshape(3, 4)
    assert iqm(table) == iqm(table.ravel()) == 5.5


def test_outliers_do_not_move_the_interquartile_mean():
    assert iqm([1, 2, 3, INF]) == 2.5
    assert iqm([-INF, 2, 3, INF]) == 2.5
    assert iqm([1, 2, INF, INF]) == INF
    assert math.isnan(iqm([-INF, -INF, INF, INF]))
    assert math.isnan(iqm([]))
    assert iqm([7]) == 7
    with pytest.raises(ValueError, match="`values` must not hold NaN"):
        iqm([1, math.nan])


def by_pairs(a, b):
    won = [1.0 if x > y else 0.5 if x == y else 0.0 for x, y in itertools.product(a, b)]
    return np.mean(won)


@given(scores, scores)
def test_improvement_is_the_share_of_pairs_won(a, b):
    found = probability_of_improvement(a, b)
    assert found == pytest.approx(by_pairs(a, b))
    assert probability_of_improvement(b, a) == pytest.approx(1 - found)
    assert probability_of_improvement(a, b, "min") == pytest.approx(1 - found)


def test_improvement_is_mann_and_whitneys_u_over_all_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 20), rng.integers(1, 9, 15)
    u = stats.mannwhitneyu(a, b).statistic
    assert probability_of_improvement(a, b) == pytest.approx(u / 300)


def test_improvement_is_averaged_over_tasks():
    rng = np.random.default_rng(1)
    a, b = rng.random((6, 3)), rng.random((4, 3))
    expected = np.mean([by_pairs(a[:, task], b[:, task]) for task in range(3)])
    assert probability_of_improvement(a, b) == pytest.approx(expected)
    # Tasks with other scales are not compared with each other.
    scale = np.array([1, 100, 1e4])
    assert probability_of_improvement(a * scale, b * scale) == pytest.approx(expected)


def test_tasks_may_have_unequal_runs():
    a = {"digits": [1.0, 2.0, 3.0], "wine": [5.0]}
    b = {"wine": [4.0, 6.0], "digits": [2.0]}
    assert probability_of_improvement(a, b) == pytest.approx((0.5 + 0.5) / 2)
    with pytest.raises(ValueError, match="the same tasks"):
        probability_of_improvement(a, {"digits": [2.0]})


def test_costs_that_were_never_reached_are_equal():
    assert probability_of_improvement([INF, 5], [INF, INF], "min") == 0.75
    assert probability_of_improvement([INF], [INF], "min") == 0.5


def test_improvement_over_nothing_is_unknown():
    assert math.isnan(probability_of_improvement([], [1.0]))
    assert math.isnan(
        probability_of_improvement({"a": [1], "b": []}, {"a": [1], "b": [2]})
    )
    assert math.isnan(probability_of_improvement({}, {}))
    assert np.isnan(improvement_interval({}, {})).all()
    assert np.isnan(improvement_interval([1.0, 2.0], [1.0])).all()


@pytest.mark.parametrize("function", [probability_of_improvement, improvement_interval])
def test_runs_that_cannot_be_compared_are_refused(function):
    with pytest.raises(ValueError, match="`b` must not hold NaN"):
        function([1.0], [math.nan])
    with pytest.raises(ValueError, match="`mode` must be"):
        function([1.0], [1.0], "higher")
    with pytest.raises(ValueError, match="`a` must be runs"):
        function({"digits": [[1.0]]}, {"digits": [1.0]})


def test_the_interval_of_improvement_is_that_of_resampled_runs():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.5, 1, (8, 2)), rng.normal(0, 1, (6, 2))
    draws = []
    for _ in range(2000):
        tasks = [
            by_pairs(rng.choice(a[:, task], 8), rng.choice(b[:, task], 6))
            for task in range(2)
        ]
        draws.append(np.mean(tasks))
    expected = tuple(np.quantile(draws, [0.025, 0.975]))
    # Shares come in steps of a hundredth: pairs, halves of the mean over tasks.
    assert improvement_interval(a, b) == pytest.approx(expected, abs=0.03)
    narrower = improvement_interval(a, b, confidence=0.5)
    assert expected[0] < narrower[0] < narrower[1] < expected[1]


def test_the_order_of_runs_changes_no_interval():
    rng = np.random.default_rng(3)
    a, b = rng.random((7, 2)), rng.random((5, 2))
    found = improvement_interval(a, b, seed=1)
    assert improvement_interval(rng.permuted(a, axis=0), b[::-1], seed=1) == found
    tasks = [{str(task): one[:, task] for task in (1, 0)} for one in (a, b)]
    assert improvement_interval(*tasks, seed=1) == found


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"confidence": 1}])
def test_resampling_refuses_what_it_cannot_do(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
        improvement_interval([1.0, 2.0], [1.0, 2.0], **wrong)
