import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.basics.crossings import record_curves
from hpo_vs_adapt.metrics.costs.parallel import race_workers
from hpo_vs_adapt.metrics.replay.race import Race, finished, run_race, start_times
from tests.metrics.curves import curved, tables
from tests.metrics.races import race_by_events

LISTS = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=7)


def race_of(costs, hits, workers):
    cost = np.array([costs], dtype=float)
    met = np.where([hits], cost, np.inf)
    return [part[0].item() for part in finished(start_times(cost, workers), cost, met)]


@given(LISTS, st.integers(1, 4))
def test_a_race_is_what_happens_event_after_event(trials, workers):
    costs, hits = zip(*trials, strict=True)
    assert race_of(costs, hits, workers) == list(race_by_events(trials, workers))


@given(LISTS, st.integers(1, 4))
def test_a_race_with_a_hit_is_that_of_the_bills(trials, workers):
    costs, hits = zip(*trials, strict=True)
    latency, bill = race_workers([costs], [hits], workers)
    if any(hits):
        assert race_of(costs, hits, workers)[:2] == [latency[0], bill[0]]
    else:
        assert race_of(costs, hits, workers)[1:] == [sum(costs), False]


@given(LISTS, st.integers(2, 4))
def test_more_workers_are_never_later_than_one(trials, workers):
    costs, hits = zip(*trials, strict=True)
    assert race_of(costs, hits, workers)[0] <= race_of(costs, hits, 1)[0]


def records():
    trials = [
        curved("a", 0, [0.1, 0.2, 0.3], [0, 10, 20]),
        curved("a", 1, [0.1, 0.5, 0.9], [0, 10, 20]),
        curved("a", 2, [0.1, 0.4, 0.8], [0, 4, 8]),
    ]
    return record_curves(*tables(*trials), {"digits": "max"})


def race(order, workers, crossing):
    curves = records()
    trials = np.array([order])
    end = curves.limit[trials]
    crossing = np.array(crossing)
    found = run_race(curves, trials, crossing, np.zeros(end.shape), end, workers)
    parts = (found.bill, found.latency, found.hit, found.best)
    return [part[0].item() for part in parts]


def test_the_best_is_that_of_all_evaluations_up_to_the_first_hit():
    crossing = [math.inf, 20, 8]  # target 0.8
    assert race([0, 1, 2], 1, crossing) == [40, 40, True, 0.9]
    assert race([2, 0, 1], 1, crossing) == [8, 8, True, 0.8]
    # The first of two workers is stopped at 8 and has seen nothing but its start.
    assert race([1, 2, 0], 2, crossing) == [16, 8, True, 0.8]
    # Three: the crossing of 1 at 10, target 0.5, but 2 was there at 8.
    assert race([0, 1, 2], 3, [math.inf, 10, 8]) == [24, 8, True, 0.8]
    assert race([0, 0, 0], 2, crossing) == [60, 40, False, 0.3]


def test_a_trial_that_has_not_begun_brings_no_value():
    crossing = [math.inf, math.inf, 0]
    assert race([2, 1], 1, crossing) == [0, 0, True, 0.1]
    assert race([2, 1], 1, [math.inf, math.inf, 4]) == [4, 4, True, 0.4]


def test_what_follows_a_hit_does_not_happen():
    def one(*numbers):
        return Race(*(np.array([number]) for number in numbers))

    hit = one(5.0, 4.0, True, 0.9).then(one(7.0, 7.0, True, 1.0))
    assert [hit.bill[0], hit.latency[0], hit.hit[0], hit.best[0]] == [5, 4, True, 0.9]
    miss = one(5.0, 4.0, False, 0.9).then(one(7.0, 6.0, True, 0.5))
    assert [miss.bill[0], miss.latency[0], miss.hit[0]] == [12, 10, True]
    assert miss.best[0] == pytest.approx(0.9)
