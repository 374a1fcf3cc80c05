"""Interquartile means of an arm's trainings, from records."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hpo_vs_adapt.metrics.uncertainty.arm_runs import arm_runs
from hpo_vs_adapt.metrics.uncertainty.interquartile import (
    IQM_ACROSS_COLUMNS,
    IQM_COLUMNS,
    iqm_across,
    iqm_table,
)
from tests.metrics.builder import table, trial


def trimmed(values, axis=-1):
    return stats.trim_mean(values, 0.25, axis=axis)


def seeds(arm, *metrics, **given):
    """Trials of an arm without tuning, the test metric .1 below the other."""
    return [
        trial(arm, n, None, best_metric=metric, test_metric=metric - 0.1, **given)
        for n, metric in enumerate(metrics)
    ]


def retrains(arm, matrix, **given):
    """Winners of streams (rows) again, with the same seeds (columns)."""
    role = {"by": "random", "role": "retrain"}
    return [
        trial(arm, column, None, stream=row, best_metric=metric, **role | given)
        | {"seed": 100 + column, "test_metric": metric}
        for row, metrics in enumerate(matrix)
        for column, metric in enumerate(metrics)
    ]


def searched(arm, *streams, **given):
    """Trials of searches that nobody trained again."""
    return [
        trial(arm, n, None, by="random", stream=stream, best_metric=metric)
        | {"test_metric": metric, "seed": stream}
        | given
        for stream, metrics in enumerate(streams)
        for n, metric in enumerate(metrics)
    ]


def row_of(found, **place):
    """The one row of a table at a place, as a mapping."""
    chosen = found[np.logical_and.reduce([found[k] == v for k, v in place.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_the_mean_of_seeds_leaves_the_outer_quarters_out():
    values = [0.1, 0.8, 0.9, 0.7, 0.6, 0.95, 0.85, 0.2]
    row = row_of(iqm_table(table(*seeds("a", *values))), arm="a")
    middle = sorted(values)[2:6]
    assert row["best_metric"] == pytest.approx(np.mean(middle))
    assert row["test_metric"] == pytest.approx(np.mean(middle) - 0.1)
    assert tuple(row[["runs_are", "runs", "streams", "seeds"]]) == ("seeds", 8, 1, 8)
    assert row["best_metric_low"] < row["best_metric"] < row["best_metric_high"]


def test_the_interval_of_seeds_is_that_of_the_bootstrap():
    values = np.random.default_rng(3).random(12)
    trials = table(*seeds("a", *values))
    row = row_of(iqm_table(trials, samples=20_000), arm="a")
    known = stats.bootstrap(
        (values,), trimmed, n_resamples=20_000, method="percentile", rng=0
    ).confidence_interval
    found = row[["best_metric", "best_metric_low", "best_metric_high"]]
    expected = (trimmed(values), known.low, known.high)
    np.testing.assert_allclose(found.astype(float), expected, atol=0.02)


@pytest.mark.parametrize("n", range(1, 12))
def test_the_mean_is_without_a_quarter_at_each_end_and_knows_no_order(n):
    values = np.random.default_rng(n).random(n)
    row = row_of(iqm_table(table(*seeds("a", *values))), arm="a")
    assert row["best_metric"] == pytest.approx(trimmed(values))
    turned = row_of(iqm_table(table(*seeds("a", *values[::-1]))), arm="a")
    assert turned["best_metric"] == row["best_metric"]


def test_retrains_stand_for_a_tuned_arm_and_its_search_does_not():
    trials = table(*searched("r", [0.99, 0.98]), *retrains("r", [[0.5, 0.6, 0.7, 0.8]]))
    row = row_of(iqm_table(trials), arm="r")
    assert row["best_metric"] == pytest.approx(0.65)
    assert (row["runs_are"], row["runs"]) == ("retrains", 4)


def test_streams_that_chose_the_same_settings_add_no_certainty():
    again = [[0.5, 0.6, 0.7, 0.8]] * 5
    once = row_of(iqm_table(table(*retrains("r", again[:1])), samples=20_000), arm="r")
    five = row_of(iqm_table(table(*retrains("r", again)), samples=20_000), arm="r")
    assert five["best_metric"] == pytest.approx(once["best_metric"])
    for end in ("best_metric_low", "best_metric_high"):
        assert five[end] == pytest.approx(once[end], abs=0.026)
    assert five["best_metric_low"] < 0.6 < 0.7 < five["best_metric_high"]


def test_streams_and_seeds_of_retrains_are_drawn_crossed():
    rng = np.random.default_rng(0)
    matrix = 0.5 + rng.normal(0, 0.1, (4, 1)) + rng.normal(0, 0.1, (1, 3))
    row = row_of(iqm_table(table(*retrains("r", matrix)), samples=20_000), arm="r")
    means = []
    for _ in range(3000):
        streams, columns = rng.choice(4, 4), rng.choice(3, 3)
        drawn = sorted(matrix[s, c] for s in streams for c in columns)
        means.append(sum(drawn[3:9]) / 6)
    low, high = np.quantile(means, [0.025, 0.975])
    assert row["best_metric_low"] == pytest.approx(low, abs=0.015)
    assert row["best_metric_high"] == pytest.approx(high, abs=0.015)
    assert high - low > 0.15


def test_without_retrains_the_best_trial_of_each_stream_stands_for_the_arm():
    trials = table(*searched("r", [0.5, 0.9, 0.9], [0.7, 0.6, 0.1]))
    runs = arm_runs(trials)
    assert list(runs["best_metric"]) == [0.9, 0.7]
    assert set(runs["runs_are"]) == {"winners"}
    low = arm_runs(trials, {"digits": "min"})
    assert list(low["best_metric"]) == [0.5, 0.1]


def test_a_trial_that_diverged_is_no_winner_however_high_it_had_come():
    diverged = {"end": "diverged", "failed": True}
    rows = searched("r", [0.99, 0.6])
    rows[0] |= diverged
    assert list(arm_runs(table(*rows))["best_metric"]) == [0.6]
    rows[1] |= diverged
    assert list(arm_runs(table(*rows))["best_metric"]) == [0.99]


@pytest.mark.parametrize(("mode", "worst"), [("max", 0.2), ("min", 0.9)])
def test_a_run_that_crashed_at_once_has_the_worst_metric_of_its_workload(mode, worst):
    crashed = {"end": "crashed", "failed": True}
    rows = seeds("a", 0.8, 0.9, math.nan) + seeds("b", 0.2, 0.5)
    rows[2] |= crashed
    runs = arm_runs(table(*rows), {"digits": mode})
    own = runs[runs["arm"] == "a"]
    assert sorted(own["best_metric"]) == sorted([0.8, 0.9, worst])
    assert len(own) == 3


def test_a_single_run_has_no_interval_and_a_workload_without_tests_no_test_metric():
    row = row_of(iqm_table(table(*seeds("a", 0.5))), arm="a")
    assert (row["best_metric"], row["test_metric"]) == (0.5, 0.4)
    assert math.isnan(row["best_metric_low"])
    rows = [one | {"test_metric": math.nan} for one in seeds("a", 0.5, 0.6)]
    row = row_of(iqm_table(table(*rows)), arm="a")
    assert math.isnan(row["test_metric"])
    assert math.isnan(row["test_metric_low"])
    assert row["best_metric_low"] == 0.5


def two_workloads():
    rng = np.random.default_rng(1)
    values = {
        (workload, arm): rng.random(4) * scale
        for (workload, scale), arm in itertools.product(
            [("digits", 1.0), ("wine", 100.0)], ["a", "b"]
        )
    }
    rows = [
        one
        for (workload, arm), metrics in values.items()
        for one in seeds(arm, *metrics, workload=workload)
    ]
    return values, table(*rows)


def test_means_across_workloads_are_of_scores_on_one_scale():
    values, trials = two_workloads()
    found = iqm_across(trials, {"wine": "min"})
    assert tuple(found.columns) == IQM_ACROSS_COLUMNS
    for arm in "ab":
        scores = []
        for workload, sign in (("digits", 1), ("wine", -1)):
            every = [sign * values[workload, one] for one in "ab"]
            low, high = np.percentile(every, [5, 95])
            scores.append((sign * values[workload, arm] - low) / (high - low))
        row = row_of(found, arm=arm)
        assert row["best_metric"] == pytest.approx(trimmed(np.ravel(scores)))
        assert (row["workloads"], row["runs"]) == (2, 8)
        assert row["best_metric_low"] < row["best_metric"] < row["best_metric_high"]


def test_an_arm_that_was_not_run_everywhere_has_no_mean_across_workloads():
    _, trials = two_workloads()
    gone = (trials["arm"] == "a") & (trials["workload"] == "wine")
    row = row_of(iqm_across(trials[~gone]), arm="a")
    assert row["workloads"] == 1
    assert math.isnan(row["best_metric"])
    assert iqm_across(trials[trials["workload"] == "wine"]).empty


@pytest.mark.parametrize("make", [iqm_table, iqm_across])
def test_wrong_resampling_is_refused_by_name(make):
    with pytest.raises(ValueError, match="`samples` must be at least 1; got 0"):
        make(table(), samples=0)
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
        make(table(), confidence=1.0)


def test_a_table_of_no_trial_has_its_columns():
    assert tuple(iqm_table(table()).columns) == IQM_COLUMNS
