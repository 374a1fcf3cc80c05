"""Survival and restricted means of the trials of each arm, from records."""

import math

import numpy as np
import pytest
from scipy import stats

from hpo_vs_adapt.metrics.uncertainty.arm_survival import (
    RESTRICTED_MEAN_COLUMNS,
    SURVIVAL_TABLE_COLUMNS,
    restricted_mean_table,
    survival_table,
)
from tests.metrics.builder import BUDGET, runs, table, trial

HORIZONS = {"digits": BUDGET}


def diverged(at):
    """What a trial has that burned `at` and then diverged, without a hit."""
    return {"end": "diverged", "failed": True, "cost": at, "cost_to_target": math.inf}


def test_the_share_that_has_not_met_the_target_falls_at_each_hit():
    found = survival_table(table(*runs("a", 300, 400, 600, None, None)))
    assert tuple(found.columns) == SURVIVAL_TABLE_COLUMNS
    assert list(found["cost"]) == [300, 400, 600]
    assert list(found["survival"]) == pytest.approx([0.8, 0.6, 0.4])
    assert list(found["at_risk"]) == [5, 4, 3]


def test_a_trial_that_diverged_never_leaves_those_at_risk():
    rows = runs("a", 300, 400, None, 600, None)
    rows[2] |= diverged(at=500.0)
    trials = table(*rows)
    found = survival_table(trials)
    # Lost at 500, as an ordinary censoring, it would leave 0.3 after 600.
    assert found["survival"].iloc[-1] == pytest.approx(0.4)
    mean = restricted_mean_table(trials, {"digits": 800.0})["restricted_mean"]
    assert mean.iloc[0] == pytest.approx((300 + 400 + 600 + 800 + 800) / 5)


def test_an_arm_does_not_look_better_for_diverging_sooner():
    means = []
    for at in (10.0, 900.0):
        rows = runs("a", 300, 400, None)
        rows[2] |= diverged(at)
        means.append(restricted_mean_table(table(*rows), HORIZONS)["restricted_mean"])
    assert means[0].iloc[0] == means[1].iloc[0] == pytest.approx(1700 / 3)


def test_a_crossing_before_a_divergence_stands():
    rows = runs("a", 300, 400)
    rows[1] |= {"end": "diverged", "failed": True, "cost": 450.0}
    found = restricted_mean_table(table(*rows), HORIZONS).iloc[0]
    assert found["restricted_mean"] == 350
    assert (found["hits"], found["failures"], found["met"]) == (2, 1, 1.0)


def test_the_restricted_mean_is_that_of_costs_cut_at_the_horizon():
    found = restricted_mean_table(
        table(*runs("a", 300, 700, None, 900)), {"digits": 800.0}
    ).iloc[0]
    cut = np.array([300, 700, 800, 800])
    assert found["restricted_mean"] == pytest.approx(cut.mean())
    assert (found["hits"], found["met"], found["trials"]) == (3, 0.5, 4)
    interval = stats.t.interval(0.95, 3, loc=cut.mean(), scale=stats.sem(cut))
    assert found["low"] == pytest.approx(interval[0])
    assert found["high"] == 800  # Student's t goes beyond; nothing can cost more


@pytest.mark.parametrize("by", ["grid", "optuna", "portfolio"])
def test_whole_streams_are_what_the_interval_of_a_tuner_rests_on(by):
    streams = [[300, 500], [400, 200], [None, 600]]
    rows = [
        one
        for stream, crossings in enumerate(streams)
        for one in runs("a", *crossings, by=by, stream=stream)
    ]
    found = restricted_mean_table(table(*rows), HORIZONS).iloc[0]
    means = np.array([400, 300, 800])
    assert found["restricted_mean"] == pytest.approx(500)
    low, _ = stats.t.interval(0.95, 2, loc=500, scale=stats.sem(means))
    assert found["low"] == pytest.approx(max(low, 0))


def test_the_trials_of_random_search_are_independent():
    crossings = (300, 500, 400, 200, 600, 250)
    rows = [
        trial("a", n % 3, at, by="random", stream=n // 3)
        for n, at in enumerate(crossings)
    ]
    found = restricted_mean_table(table(*rows), HORIZONS).iloc[0]
    interval = stats.t.interval(
        0.95, 5, loc=np.mean(crossings), scale=stats.sem(crossings)
    )
    assert (found["low"], found["high"]) == pytest.approx(interval)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    crossings, hit = rng.uniform(200, 800, (400, 15)), rng.random((400, 15)) < 0.7
    rows = [
        trial(f"arm-{arm}", number, crossings[arm, number] if met else None)
        for (arm, number), met in np.ndenumerate(hit)
    ]
    found = restricted_mean_table(table(*rows), HORIZONS)
    truth = 0.7 * 500 + 0.3 * BUDGET
    held = (found["low"] <= truth) & (truth <= found["high"])
    assert len(held) == 400
    assert 0.92 <= held.mean() <= 0.97


def test_without_a_hit_within_the_horizon_nothing_is_known_of_the_spread():
    found = restricted_mean_table(
        table(*runs("a", 900, None, None)), {"digits": 500.0}
    ).iloc[0]
    assert found["restricted_mean"] == 500
    assert (found["hits"], found["met"]) == (1, 0)
    assert math.isnan(found["low"])
    assert math.isnan(found["high"])
    assert survival_table(table(*runs("a", None, None))).empty


def test_sweeps_and_retrains_are_in_neither_table():
    others = runs("a", 100, role="sweep") + runs("a", 100, role="retrain")
    alone = table(*runs("a", 300, 400))
    both = table(*runs("a", 300, 400), *others)
    for make in (survival_table, lambda t: restricted_mean_table(t, HORIZONS)):
        assert make(both).equals(make(alone))


def test_workloads_without_a_horizon_are_left_out():
    trials = table(*runs("a", 300, 400), *runs("a", 300, workload="wine"))
    found = restricted_mean_table(trials, HORIZONS)
    assert list(found["workload"]) == ["digits"]
    assert tuple(found.columns) == RESTRICTED_MEAN_COLUMNS


def test_wrong_confidence_is_refused_by_name():
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
        restricted_mean_table(table(), HORIZONS, confidence=0.0)
