import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.uncertainty.survival import (
    SURVIVAL_COLUMNS,
    restricted_mean,
    survival,
)

trials = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=12)


def kaplan_meier(times, hits, at):
    """The product over hits up to `at`, written out."""
    share = 1.0
    for time in sorted(set(times)):
        if time <= at:
            at_risk = sum(t >= time for t in times)
            ended = sum(t == time and bool(h) for t, h in zip(times, hits, strict=True))
            share *= 1 - ended / at_risk
    return share


def test_kaplan_meier_has_the_golden_values():
    times, hits = [3, 4, 6, 10, 10], [1, 1, 1, 0, 0]
    found = survival(times, hits)
    assert tuple(found.columns) == SURVIVAL_COLUMNS
    assert found["cost"].tolist() == [3, 4, 6, 10]
    assert found["at_risk"].tolist() == [5, 4, 3, 2]
    assert found["survival"].tolist() == pytest.approx([0.8, 0.6, 0.4, 0.4])
    assert restricted_mean(times, hits, 8) == pytest.approx(5.8)


def test_early_censoring_has_the_golden_values():
    times, hits = [3, 4, 5, 6, 10], [1, 1, 0, 1, 0]
    found = survival(times, hits).set_index("cost")["survival"]
    assert found[6] == pytest.approx(0.3)
    assert restricted_mean(times, hits, 8) == pytest.approx(5.6)


def test_a_crash_is_a_miss_and_does_not_flatter_the_method():
    crash, hits = [3, 4, math.inf, 6, 10], [1, 1, 0, 1, 0]
    lost = [3, 4, 5, 6, 10]
    assert restricted_mean(crash, hits, 8) == pytest.approx(5.8)
    assert restricted_mean(lost, hits, 8) < restricted_mean(crash, hits, 8)
    dropped = restricted_mean([3, 4, 6, 10], [1, 1, 1, 0], 8)
    assert dropped < restricted_mean(lost, hits, 8)
    assert survival(crash, hits)["survival"].tolist()[2] == pytest.approx(0.4)
    assert survival(crash, hits)["at_risk"].tolist() == [5, 4, 3, 2]


def test_pruned_trials_are_at_risk_for_ever():
    # Half are pruned before they could hit: half never will.
    times, hits = [4.0, 5.0, 6.0, *[math.inf] * 3], [True] * 3 + [False] * 3
    assert survival(times, hits)["survival"].tolist()[-1] == pytest.approx(0.5)
    pruned = [4.0, 5.0, 6.0, *[1.0] * 3]
    assert survival(pruned, hits)["survival"].tolist()[-1] == 0


@given(trials)
def test_survival_is_the_product_over_hits(listed):
    times, hits = zip(*listed, strict=True)
    found = survival(times, hits)
    assert found["cost"].tolist() == sorted(set(times))
    for cost, share in zip(found["cost"], found["survival"], strict=True):
        assert share == pytest.approx(kaplan_meier(times, hits, cost), abs=1e-12)


@given(trials)
def test_bounds_hold_the_estimate_and_are_shares(listed):
    found = survival(*zip(*listed, strict=True))
    assert (found["low"] >= 0).all()
    assert (found["low"] <= found["survival"]).all()
    assert (found["survival"] <= found["high"]).all()
    assert (found["high"] <= 1).all()


@given(trials, st.integers(0, 12))
def test_with_a_common_budget_the_restricted_mean_is_the_mean(listed, horizon):
    # No trial is lost before the horizon: misses are never to hit.
    times = [t if hit else math.inf for t, hit in listed]
    hits = [hit for _, hit in listed]
    expected = np.minimum(times, horizon).mean()
    assert restricted_mean(times, hits, horizon) == pytest.approx(expected)


@given(trials)
def test_the_restricted_mean_is_the_area_under_the_curve(listed):
    times, hits = zip(*listed, strict=True)
    horizon = max(times)
    steps = np.arange(0, horizon)  # times are whole numbers
    area = sum(kaplan_meier(times, hits, step) for step in steps)
    assert restricted_mean(times, hits, horizon) == pytest.approx(area)


def test_bounds_are_those_of_greenwood_on_the_double_logarithm():
    times, hits = [1, 2, 3, 4], [1, 0, 1, 0]
    found = survival(times, hits).set_index("cost").loc[3]
    share = 3 / 4 * 1 / 2
    error = math.sqrt(1 / (4 * 3) + 1 / (2 * 1)) / abs(math.log(share))
    for name, sign in (("low", 1), ("high", -1)):
        expected = share ** math.exp(sign * 1.959964 * error)
        assert found[name] == pytest.approx(expected, rel=1e-6)


def test_without_a_hit_the_bound_is_what_so_many_trials_leave_possible():
    found = survival([5.0] * 10, [False] * 10)
    assert found["survival"].tolist() == [1]
    assert found["low"].tolist() == pytest.approx([0.025**0.1])
    assert found["high"].tolist() == [1]


def test_when_all_have_hit_the_upper_bound_stays():
    found = survival([1, 2, 3], [1, 1, 1])
    assert found["survival"].tolist()[-1] == 0
    assert found["low"].tolist()[-1] == 0
    assert found["high"].tolist()[-1] == found["high"].tolist()[-2] < 1
    at_once = survival([2.0] * 10, [1] * 10, confidence=0.9)
    assert at_once["high"].tolist() == pytest.approx([1 - 0.05**0.1])


def test_a_hit_comes_before_a_loss_at_the_same_cost():
    found = survival([2, 2], [1, 0])
    assert found["survival"].tolist() == [0.5]
    assert found["at_risk"].tolist() == [2]


def test_bounds_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    repetitions = 200
    covered = 0
    for times in rng.exponential(1.0, (repetitions, 25)):
        ends = np.minimum(times, 1.5)
        found = survival(ends, times <= 1.5)
        before = found[found["cost"] <= 0.7].iloc[-1]
        covered += before["low"] <= math.exp(-0.7) <= before["high"]
    # 95 %, and two and a half standard errors of this simulation (1.5 %).
    assert covered / repetitions > 0.912


def test_the_order_of_trials_changes_nothing():
    rng = np.random.default_rng(1)
    times, hits = rng.integers(1, 9, 30).astype(float), rng.random(30) < 0.5
    times[~hits & (rng.random(30) < 0.5)] = math.inf
    expected = survival(times, hits)
    for _ in range(5):
        order = rng.permutation(30)
        assert survival(times[order], hits[order]).equals(expected)
        mean = restricted_mean(times[order], hits[order], 5)
        assert mean == restricted_mean(times, hits, 5)


def test_nothing_and_never_have_an_answer():
    for times, hits in (([], []), ([math.inf] * 3, [False] * 3)):
        found = survival(times, hits)
        assert tuple(found.columns) == SURVIVAL_COLUMNS
        assert found.empty
    assert math.isnan(restricted_mean([], [], 5))
    assert restricted_mean([math.inf] * 3, [False] * 3, 5) == 5
    assert restricted_mean([2.0], [True], 5) == 2
    assert restricted_mean([2.0, math.inf], [True, False], 100) == 51
    assert restricted_mean([0.0], [True], 0) == 0


def test_the_restricted_mean_says_nothing_beyond_the_last_loss():
    with pytest.raises(ValueError, match="`horizon` must be at most"):
        restricted_mean([3, 10, 10], [1, 1, 0], 11)
    assert restricted_mean([3, 10, 10], [1, 0, 0], 10) == pytest.approx(23 / 3)
    assert restricted_mean([3, 5, 10], [1, 0, 1], 50) == pytest.approx(23 / 3)


@pytest.mark.parametrize(
    ("times", "hits", "word"),
    [
        ([1, 2], [True], "equally long"),
        ([[1]], [[True]], "one-dimensional"),
        ([1, math.nan], [True, False], "negative or NaN"),
        ([1, -1], [True, True], "negative or NaN"),
        ([1, 1], [True, math.nan], "true or false"),
        ([1, 1], [2, 0], "true or false"),
        ([1, math.inf], [True, True], "finite where `hits` is true"),
    ],
)
def test_survival_refuses_what_is_not_a_time(times, hits, word):
    with pytest.raises(ValueError, match=word):
        survival(times, hits)
    with pytest.raises(ValueError, match=word):
        restricted_mean(times, hits, 1)


@pytest.mark.parametrize("horizon", [-1, math.nan, math.inf])
def test_a_horizon_out_of_range_is_refused(horizon):
    with pytest.raises(ValueError, match="`horizon` must be finite"):
        restricted_mean([1], [True], horizon)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
        survival([1, 2], [True, True], confidence)
