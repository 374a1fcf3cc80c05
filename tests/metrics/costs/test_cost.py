import itertools
import math

import numpy as np
import pytest

from hpo_vs_adapt.metrics import (
    Crossing,
    expected_finite_list,
    expected_running_time,
    target_crossing,
)

COSTS = [10, 4, 6, 10, 3]
HITS = [0, 1, 1, 0, 1]


def pass_cost(order, costs, hits):
    """What is spent until the first hit, going through `order`."""
    total = 0.0
    for place in order:
        total += costs[place]
        if hits[place]:
            return total
    raise AssertionError("no hit in the list")


def random_passes(seed, most=6):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, most + 1))
    hits = rng.random(size) < 0.5
    hits[rng.integers(size)] = True
    return rng.uniform(0, 10, size), hits


def test_ert_has_the_golden_value():
    assert expected_running_time(COSTS, HITS) == 11.0


def test_the_finite_list_has_the_golden_value():
    assert expected_finite_list(COSTS, HITS) == pytest.approx(13 / 3 + 2 / 4 * 10)
    assert round(expected_finite_list(COSTS, HITS), 4) == 9.3333


@pytest.mark.parametrize("seed", range(20))
def test_the_finite_list_is_the_mean_over_all_orders(seed):
    costs, hits = random_passes(seed)
    orders = itertools.permutations(range(len(costs)))
    every = [pass_cost(order, costs, hits) for order in orders]
    assert expected_finite_list(costs, hits) == pytest.approx(np.mean(every))


def test_ert_is_the_mean_bill_of_restarts():
    rng = np.random.default_rng(3)
    draws = rng.integers(len(COSTS), size=200_000)
    spent = np.cumsum(np.take(COSTS, draws))
    ends = spent[np.take(HITS, draws) == 1]
    assert np.diff(ends).mean() == pytest.approx(11.0, rel=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_ert_is_the_hit_and_the_misses_before_it(seed):
    costs, hits = random_passes(seed)
    p = hits.mean()
    misses = costs[~hits].mean() if p < 1 else 0.0
    expected = costs[hits].mean() + (1 - p) / p * misses
    assert expected_running_time(costs, hits) == pytest.approx(expected)


@pytest.mark.parametrize("bill", [expected_running_time, expected_finite_list])
@pytest.mark.parametrize("seed", range(10))
def test_bills_scale_with_costs_and_never_fall_with_a_failure(bill, seed):
    costs, hits = random_passes(seed)
    base = bill(costs, hits)
    assert bill(7 * costs, hits) == pytest.approx(7 * base)
    assert bill([*costs, 2.0], [*hits, False]) > base
    assert bill([*costs, 0.0], [*hits, False]) == pytest.approx(base)


def test_ert_overstates_a_list_that_is_tried_without_replacement():
    assert expected_running_time(COSTS, HITS) > expected_finite_list(COSTS, HITS)


@pytest.mark.parametrize("bill", [expected_running_time, expected_finite_list])
def test_bills_are_infinite_without_a_hit_and_unknown_without_a_trial(bill):
    assert bill([3, 4], [False, False]) == math.inf
    assert math.isnan(bill([], []))
    assert bill([3], [True]) == 3


@pytest.mark.parametrize("bill", [expected_running_time, expected_finite_list])
@pytest.mark.parametrize(
    ("costs", "hits", "word"),
    [
        ([1, 2], [True], "equally long"),
        ([[1]], [[True]], "one-dimensional"),
        ([1, math.inf], [True, False], "finite"),
        ([1, math.nan], [True, True], "finite"),
        ([1, -1], [True, True], "not negative"),
        ([1, 1], [True, math.nan], "true or false"),
    ],
)
def test_bills_refuse_what_is_not_a_cost(bill, costs, hits, word):
    with pytest.raises(ValueError, match=word):
        bill(costs, hits)


def test_a_crossing_is_the_first_evaluation_that_meets_the_target():
    crossing = target_crossing([0, 10, 20, 30], [0.1, 0.5, 0.8, 0.7], 0.8)
    assert crossing == Crossing(first=20, sustained=20, after=10)


def test_a_loss_meets_its_target_from_above():
    crossing = target_crossing([0, 10, 20], [2.0, 1.0, 0.5], 1.0, mode="min")
    assert crossing == Crossing(first=10, sustained=10, after=0)


def test_a_lucky_crossing_is_not_a_sustained_one():
    cost, value = [0, 1, 2, 3, 4, 5], [0.1, 0.9, 0.2, 0.9, 0.9, 0.1]
    assert target_crossing(cost, value, 0.8, sustained=2) == Crossing(1, 3, 0)
    assert target_crossing(cost, value, 0.8, sustained=3) == Crossing(1, math.inf, 0)


def test_a_crossing_at_the_last_evaluation_is_not_sustained():
    crossing = target_crossing([0, 1, 2], [0.1, 0.2, 0.9], 0.8, sustained=2)
    assert crossing == Crossing(first=2, sustained=math.inf, after=1)


def test_a_curve_below_its_target_never_crosses_and_no_budget_is_imputed():
    crossing = target_crossing([0, 1, 2], [0.1, 0.2, 0.3], 0.8)
    assert crossing == Crossing(first=math.inf, sustained=math.inf, after=2)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_nothing_crosses_after_a_value_that_is_not_finite(broken):
    crossing = target_crossing([0, 1, 2, 3], [0.1, broken, 0.9, 0.9], 0.8)
    assert crossing == Crossing(first=math.inf, sustained=math.inf, after=3)


def test_a_crossing_before_the_divergence_stands():
    value = [0.1, 0.9, math.nan, math.nan]
    crossing = target_crossing([0, 1, 2, 3], value, 0.8, sustained=2)
    assert crossing == Crossing(first=1, sustained=math.inf, after=0)


def test_evaluations_may_follow_one_another_at_the_same_cost():
    found = target_crossing([0, 5, 5, 9], [0.1, 0.2, 0.9, 0.9], 0.8, sustained=2)
    assert found == Crossing(first=5, sustained=5, after=5)


def test_the_start_and_an_empty_curve_have_an_answer():
    assert target_crossing([0, 1], [0.9, 0.9], 0.8) == Crossing(0, 0, 0)
    assert target_crossing([], [], 0.8) == Crossing(math.inf, math.inf, 0)


@pytest.mark.parametrize("seed", range(10))
def test_a_harder_target_is_never_met_earlier(seed):
    rng = np.random.default_rng(seed)
    cost, value = np.cumsum(rng.random(30)), rng.random(30)
    firsts = [target_crossing(cost, value, t).first for t in np.linspace(0, 1.1, 12)]
    assert firsts == sorted(firsts)
    assert firsts[-1] == math.inf


@pytest.mark.parametrize("seed", range(10))
def test_crossings_agree_with_a_walk_along_the_curve(seed):
    rng = np.random.default_rng(seed)
    cost, value = np.arange(20.0), rng.random(20)
    crossing = target_crossing(cost, value, 0.5, sustained=3)
    met = [v >= 0.5 for v in value]
    runs = [i for i in range(18) if met[i] and met[i + 1] and met[i + 2]]
    assert crossing.first == met.index(True)
    assert crossing.after == max(met.index(True) - 1, 0)
    assert crossing.sustained == (runs[0] if runs else math.inf)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"cost": [0, 1]}, "equally long"),
        ({"cost": [0, 2, 1]}, "never decrease"),
        ({"cost": [0, 1, math.nan]}, "finite"),
        ({"target": math.nan}, "`target`"),
        ({"mode": "maximum"}, "`mode`"),
        ({"sustained": 0}, "`sustained`"),
    ],
)
def test_a_crossing_refuses_what_it_cannot_read(given, word):
    fine = {"cost": [0, 1, 2], "value": [0.1, 0.5, 0.9], "target": 0.8}
    with pytest.raises(ValueError, match=word):
        target_crossing(**(fine | given))
