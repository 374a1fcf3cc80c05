import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.basics.cost import expected_finite_list
from hpo_vs_adapt.metrics.costs.parallel import expected_parallel, race_workers
from tests.metrics.races import race_by_events

COSTS = [10, 4, 6, 10, 3]
HITS = [0, 1, 1, 0, 1]

trials = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=5)


def race(costs, hits, workers):
    """Latency and bill of one order; inf without a hit."""
    latency, bill, hit = race_by_events(zip(costs, hits, strict=True), workers)
    return (latency, bill) if hit else (math.inf, math.inf)


def over_all_orders(costs, hits, workers):
    orders = itertools.permutations(range(len(costs)))
    every = [race(np.take(costs, o), np.take(hits, o), workers) for o in orders]
    return tuple(np.mean(every, axis=0))


def test_one_worker_is_the_list_tried_one_after_the_other():
    assert expected_parallel(COSTS, HITS, 1) == (13 / 3 + 5, 13 / 3 + 5)
    orders = np.array(list(itertools.permutations(range(5))))
    latency, bill = race_workers(np.take(COSTS, orders), np.take(HITS, orders), 1)
    assert bill.mean() == pytest.approx(expected_finite_list(COSTS, HITS))
    assert (bill == latency).all()


def test_two_workers_by_hand():
    # Two orders: the hit (4) starts at once or, after the short miss (1), at 1; with it
    # runs the long miss (9), which is stopped. Or both misses start first.
    costs, hits = [[4, 1, 9], [9, 1, 4], [1, 9, 4]], [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    latency, bill = race_workers(costs, hits, 2)
    assert latency.tolist() == [4, 5, 5]
    assert bill.tolist() == [4 + 1 + 3, 1 + 4 + 5, 1 + 4 + 5]


@pytest.mark.parametrize("workers", [2, 3, 5, 9])
@pytest.mark.parametrize("seed", range(4))
def test_a_list_is_the_mean_over_all_orders(seed, workers):
    rng = np.random.default_rng(seed)
    costs, hits = rng.uniform(0, 10, 5), np.arange(5) < 1 + seed % 3
    found = expected_parallel(costs, hits, workers)
    assert found == pytest.approx(over_all_orders(costs, hits, workers))


@given(trials, st.integers(1, 6))
def test_ties_and_free_trials_are_taken_as_any_other(listed, workers):
    costs, hits = zip(*listed, strict=True)
    found = expected_parallel(costs, hits, workers)
    assert found == pytest.approx(over_all_orders(costs, hits, workers))


def test_eight_trials_are_exact_for_every_seed():
    costs, hits = np.arange(1.0, 9.0), np.arange(8) % 3 == 2
    found = expected_parallel(costs, hits, 3)
    assert expected_parallel(costs, hits, 3, seed=5) == found
    rng = np.random.default_rng(1)
    some = [rng.permutation(8) for _ in range(4000)]
    mean = np.mean([race(costs[o], hits[o], 3) for o in some], axis=0)
    assert found == pytest.approx(mean, rel=0.05)


def test_equal_misses_leave_long_lists_exact():
    hits = np.arange(20) < 3
    costs = np.where(hits, [300.0, 500.0, 700.0] + [0.0] * 17, 1000.0)
    found = expected_parallel(costs, hits, 4)
    assert expected_parallel(costs, hits, 4, seed=1) == found
    # No hit is dearer than a miss, so four at a time are one batch after the other.
    latencies, bills = [], []
    for places in itertools.permutations(range(20), 3):
        batch = min(places) // 4
        at = min(c for p, c in zip(places, costs, strict=False) if p // 4 == batch)
        latencies.append(1000 * batch + at)
        bills.append(4 * latencies[-1])
    assert found == pytest.approx((np.mean(latencies), np.mean(bills)))


def test_longer_lists_are_drawn_and_agree_with_a_simulation():
    rng = np.random.default_rng(3)
    costs, hits = rng.uniform(1, 10, 15), np.arange(15) < 3
    found = expected_parallel(costs, hits, 4, seed=1)
    some = [rng.permutation(15) for _ in range(4000)]
    mean = np.mean([race(costs[o], hits[o], 4) for o in some], axis=0)
    assert found == pytest.approx(mean, rel=0.04)
    assert expected_parallel(costs, hits, 4, seed=2) == pytest.approx(found, rel=0.03)


def test_drawn_orders_agree_with_the_exact_list_of_one_worker():
    rng = np.random.default_rng(4)
    costs, hits = rng.uniform(1, 10, 12), np.arange(12) < 2
    orders = rng.permuted(np.tile(np.arange(12), (20_000, 1)), axis=1)
    _, bill = race_workers(costs[orders], hits[orders], 1)
    assert bill.mean() == pytest.approx(expected_finite_list(costs, hits), rel=0.02)


def test_more_workers_than_trials_start_everything_at_once():
    found = expected_parallel(COSTS, HITS, 5)
    assert found == (3, 15)
    assert expected_parallel(COSTS, HITS, 64) == found


@pytest.mark.parametrize("n", [5, 14])
def test_neither_the_order_of_trials_nor_anything_but_the_seed_changes_a_bit(n):
    rng = np.random.default_rng(n)
    costs, hits = rng.uniform(1, 10, n), rng.random(n) < 0.3
    hits[0] = True
    found = expected_parallel(costs, hits, 3, seed=4)
    for _ in range(5):
        order = rng.permutation(n)
        assert expected_parallel(costs[order], hits[order], 3, seed=4) == found


@given(trials, st.integers(1, 4))
def test_workers_cannot_make_the_first_hit_later_than_all_the_work(listed, workers):
    costs, hits = zip(*listed, strict=True)
    latency, bill = expected_parallel(costs, hits, workers)
    if any(hits):
        assert latency * workers == pytest.approx(max(bill, latency * workers))
        assert bill >= latency * (1 - 1e-12)
        scaled = expected_parallel([7 * c for c in costs], hits, workers)
        assert scaled == pytest.approx((7 * latency, 7 * bill))


def test_workers_lower_the_latency_and_raise_the_bill_of_equal_trials():
    costs, hits = [10.0] * 10, [True] * 2 + [False] * 8
    found = [expected_parallel(costs, hits, workers) for workers in (1, 2, 4, 8)]
    latencies, bills = zip(*found, strict=True)
    assert list(latencies) == sorted(latencies, reverse=True)
    assert list(bills) == sorted(bills)


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_lists_are_infinite_without_a_hit_and_unknown_without_a_trial(workers):
    assert expected_parallel([3, 4], [0, 0], workers) == (math.inf, math.inf)
    assert np.isnan(expected_parallel([], [], workers)).all()
    assert expected_parallel([3], [1], workers) == (3, 3)


def test_a_race_without_a_hit_or_a_trial_never_ends():
    latency, bill = race_workers([[3, 4, 5], [3, 4, 5]], [[0, 0, 0], [0, 0, 1]], 2)
    assert latency.tolist() == [math.inf, 8]
    assert bill.tolist() == [math.inf, 3 + 5 + 4]  # the other worker idles from 4 on
    nothing, _ = race_workers(np.empty((2, 0)), np.empty((2, 0)), 2)
    assert nothing.tolist() == [math.inf, math.inf]
    assert race_workers(np.empty((0, 3)), np.empty((0, 3)), 2)[1].size == 0


@pytest.mark.parametrize("workers", [0, -1, 1.5, math.nan, math.inf])
def test_workers_are_counted(workers):
    with pytest.raises(ValueError, match="`workers` must be a whole number"):
        expected_parallel([1], [True], workers)
    with pytest.raises(ValueError, match="`workers` must be a whole number"):
        race_workers([[1]], [[True]], workers)


@pytest.mark.parametrize(
    ("costs", "hits", "word"),
    [
        ([1, 2], [True], "equally long"),
        ([1, math.inf], [True, False], "finite"),
        ([1, math.nan], [True, True], "finite"),
        ([1, -1], [True, True], "not negative"),
        ([1, 1], [True, math.nan], "true or false"),
    ],
)
def test_a_list_refuses_what_is_not_a_cost(costs, hits, word):
    with pytest.raises(ValueError, match=word):
        expected_parallel(costs, hits, 2)


@pytest.mark.parametrize("costs", [[1.0, 2.0], [[1.0, math.nan]], [[1.0, -1.0]], [[1]]])
def test_a_race_refuses_what_is_not_a_table_of_costs(costs):
    with pytest.raises(ValueError, match="`costs`"):
        race_workers(costs, [[True, True]], 2)
