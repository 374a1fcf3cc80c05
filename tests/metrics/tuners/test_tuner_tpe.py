import math

import numpy as np
import optuna
import pytest

from hpo_vs_adapt.metrics.basics.cost import expected_running_time
from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from hpo_vs_adapt.metrics.replay.replay import replay_tuner
from hpo_vs_adapt.metrics.uncertainty.intervals import ert_interval
from tests.metrics.curves import contributions, curved, peaked, rates, tables

TARGET = 0.8


def words(size=8):
    return [{"base": f"rule {place}"} for place in range(size)]


def test_tpe_that_is_still_starting_up_is_random_search():
    grid = peaked(words(), seeds=2)
    args = {"n_startup_trials": 99}
    found = replay_tuner(grid, "tpe", 3, TARGET, repetitions=200, sampler_args=args)
    spent, hits = found["bill"], found["hit"]
    expected = expected_running_time(*contributions(grid, TARGET))
    low, high = ert_interval(spent, hits, 0.999)
    assert low < expected < high


@pytest.mark.slow
def test_tpe_learns_where_random_search_does_not():
    tops = 1 - np.abs(np.linspace(-1, 1, 15))
    trials = [
        curved("g", n, [0.0, top], [0, 10], by="grid", seed=0, settings=setting)
        for n, (setting, top) in enumerate(zip(rates(15), tops, strict=True))
    ]
    grid = CurveGrid.from_records(*tables(*trials), "digits", "g", "max")
    # A thirtieth of the axis hits.
    shares = [
        replay_tuner(grid, "tpe", 40, 29 / 30, repetitions=20, sampler_args=args)["hit"]
        for args in ({}, {"n_startup_trials": 99})
    ]
    assert shares[0].mean() == 1
    assert shares[1].mean() < 0.95


def test_tpe_with_workers_is_bounded_by_its_trials():
    grid = peaked(rates())
    found = replay_tuner(grid, "tpe", 6, math.inf, 3, repetitions=5)
    alone = replay_tuner(grid, "tpe", 6, math.inf, 1, repetitions=5)
    np.testing.assert_allclose(alone["bill"], alone["latency"])
    assert (found["latency"] < found["bill"]).all()
    assert (found["latency"] * 3 >= found["bill"]).all()
    assert not found["hit"].any()
    reached = replay_tuner(grid, "tpe", 12, 0.3, 3, repetitions=20)
    assert (reached.loc[reached["hit"], "best"] >= 0.3 - 1e-9).all()
    assert reached["hit"].any()


def test_what_is_no_number_can_be_tuned_too():
    choices = [{"betas": (0.9, 0.99)}, {"betas": (0.9, 0.999)}, {"betas": None}]
    found = replay_tuner(peaked(choices), "tpe", 12, math.inf, repetitions=2)
    assert not found["hit"].any()
    assert found["best"].notna().all()


def test_optuna_is_as_loud_afterwards_as_before():
    level = optuna.logging.get_verbosity()
    replay_tuner(peaked(rates()), "tpe", 2, TARGET, repetitions=1)
    assert optuna.logging.get_verbosity() == level


def test_means_of_equal_values_meet_the_target_they_equal():
    flat = [
        curved("g", n, [0.0, 0.7], [0, 10], by="grid", seed=0, settings=setting)
        for n, setting in enumerate(rates(3))
    ]
    grid = CurveGrid.from_records(*tables(*flat), "digits", "g", "max")
    found = replay_tuner(grid, "tpe", 1, 0.7, repetitions=60)
    assert found["bill"].tolist() == [10.0] * 60
    assert found["hit"].all()
