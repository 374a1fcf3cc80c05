import math

import numpy as np

from hpo_vs_adapt.metrics.basics.crossings import record_curves
from hpo_vs_adapt.metrics.tuners.best_so_far import (
    best_of_orders,
    best_within,
    paid_within,
)
from tests.metrics.curves import curved, tables

MAX = {"digits": "max"}


def test_a_trial_counts_from_the_cost_of_its_evaluation_on():
    trials = [curved("a", 0, [0.1, 0.4, 0.7], [0, 10, 20], by="optuna")]
    trials += [curved("a", 1, [0.1, 0.8], [0, 20], by="optuna")]
    table = record_curves(*tables(*trials), MAX)
    spending = np.array([0, 9.99, 10, 19, 20, 99])
    found = best_within(table, np.zeros(6, dtype=int), spending)
    assert found.tolist() == [0.1, 0.1, 0.4, 0.4, 0.7, 0.7]


def test_what_was_lost_with_a_worker_comes_before_the_first_evaluation():
    trials = [curved("a", 0, [0.4, 0.7], [0, 20], cost=25.0, lost=5.0)]
    table = record_curves(*tables(*trials), MAX)
    found = best_within(table, np.zeros(4, dtype=int), np.array([4, 5, 24, 25]))
    assert found.tolist() == [-math.inf, 0.4, 0.4, 0.7]


def test_a_trial_without_evaluations_has_nothing_among_others_that_do():
    trials = [curved("a", 0, [], [], cost=5.0), curved("a", 1, [0.3], [10])]
    table = record_curves(*tables(*trials), MAX)
    found = best_within(table, np.array([0, 1, 1]), np.array([99.0, 9.0, 10.0]))
    assert found.tolist() == [-math.inf, -math.inf, 0.3]
    alone = record_curves(*tables(trials[0]), MAX)
    assert best_within(alone, np.array([0]), np.array([5.0])).tolist() == [-math.inf]


def test_a_search_by_halving_finds_what_counting_finds():
    rng = np.random.default_rng(0)
    trials = []
    for number in range(20):
        costs = np.cumsum(rng.integers(0, 3, rng.integers(0, 40)))
        trials.append(curved("a", number, rng.random(costs.size), costs))
    table = record_curves(*tables(*trials), MAX)
    which = rng.integers(20, size=500)
    spending = rng.integers(0, 60, 500).astype(float)
    found = paid_within(table, which, spending) - table.start[which]
    counted = [
        sum(line["cost"] <= cost for line in trials[place][1])
        for place, cost in zip(which, spending, strict=True)
    ]
    limits = np.array([row["cost"] for row, _ in trials])
    assert found.tolist() == counted
    assert (limits == table.limit).all()


def test_lists_go_on_where_the_trial_before_ended_and_keep_what_they_have():
    trials = [curved("a", 0, [0.1, 0.5], [0, 10]), curved("a", 1, [0.2, 0.9], [0, 20])]
    table = record_curves(*tables(*trials), MAX)
    final = best_within(table, np.arange(2), table.limit)
    assert final.tolist() == [0.5, 0.9]
    costs = np.array([0.0, 9.0, 10.0, 20.0, 29.0, 30.0, 99.0])
    orders = np.array([[0, 1], [1, 0], [0, -1]])
    found = best_of_orders(table, final, orders, costs)
    assert found.tolist() == [
        [0.1, 0.1, 0.5, 0.5, 0.5, 0.9, 0.9],
        [0.2, 0.2, 0.2, 0.9, 0.9, 0.9, 0.9],
        [0.1, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5],
    ]
