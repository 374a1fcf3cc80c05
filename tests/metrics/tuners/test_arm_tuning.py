"""The best of k trials, and tunability, of tuned arms, from records."""

import itertools
import math

import numpy as np
import pytest

from hpo_vs_adapt.metrics.tuners.arm_tuning import (
    BEST_OF_K_COLUMNS,
    TUNABILITY_COLUMNS,
    best_of_k_table,
    tunability_table,
)
from hpo_vs_adapt.metrics.tuners.best_of_k import best_of_k_band
from tests.metrics.builder import runs, table, trial

STREAMS = [[0.1, 0.7, 0.5, 0.9], [0.2, 0.6, 0.8, 0.3]]


def search(by, streams=STREAMS, arm="a", **given):
    return [
        trial(arm, n, None, by=by, stream=stream, best_metric=metric, **given)
        for stream, metrics in enumerate(streams)
        for n, metric in enumerate(metrics)
    ]


def best_in_all_orders(values, k):
    return np.mean([max(order[:k]) for order in itertools.permutations(values)])


def test_random_search_has_the_mean_over_all_choices_from_all_streams():
    found = best_of_k_table(table(*search("random")))
    assert tuple(found.columns) == BEST_OF_K_COLUMNS
    assert list(found["k"]) == [1, 2, 3, 4]
    pooled = [*STREAMS[0], *STREAMS[1]]
    for row in found.itertuples():
        choices = itertools.combinations(pooled, row.k)
        assert row.expected == pytest.approx(np.mean([max(one) for one in choices]))


def test_a_grid_has_the_mean_over_all_orders_of_each_stream():
    found = best_of_k_table(table(*search("grid")))
    for row in found.itertuples():
        orders = [best_in_all_orders(stream, row.k) for stream in STREAMS]
        assert row.expected == pytest.approx(np.mean(orders))
    assert found["expected"].iloc[-1] == pytest.approx((0.9 + 0.8) / 2)


@pytest.mark.parametrize("by", ["optuna", "portfolio"])
def test_tuners_that_learn_keep_their_order_and_have_no_band(by):
    found = best_of_k_table(table(*search(by)))
    assert list(found["expected"]) == pytest.approx([0.15, 0.65, 0.75, 0.85])
    assert found[["low", "median", "high"]].isna().all(axis=None)


def test_the_band_is_that_of_the_trials_of_all_streams():
    bounds = {"digits": (0.0, 1.0)}
    found = best_of_k_table(table(*search("random")), bounds=bounds)
    known = best_of_k_band([*STREAMS[0], *STREAMS[1]], [1, 2, 3, 4], bounds=(0.0, 1.0))
    for name in ("low", "median", "high"):
        assert list(found[name]) == list(known[name])
    assert found["high"].max() == 1.0
    assert np.isinf(best_of_k_table(table(*search("random")))["high"]).any()


def test_a_metric_that_is_low_when_good_is_the_same_turned_over():
    trials = table(*search("random"))
    up = best_of_k_table(trials, {"digits": "max"}, {"digits": (0.0, 1.0)})
    down = best_of_k_table(
        trials.assign(best_metric=1 - trials["best_metric"]),
        {"digits": "min"},
        {"digits": (0.0, 1.0)},
    )
    for name, other in {
        "expected": "expected",
        "median": "median",
        "low": "high",
    }.items():
        np.testing.assert_allclose(down[name], 1 - up[other])
    assert (down["low"] <= down["median"]).all()
    assert (down["median"] <= down["high"]).all()


def test_a_workload_that_says_wrongly_what_its_metric_can_be_still_has_a_band():
    found = best_of_k_table(
        table(*search("random", [[1.5, 2.0]])), bounds={"digits": (0.0, 1.0)}
    )
    assert found["high"].max() == 2.0
    assert found["low"].min() == 0.0


@pytest.mark.parametrize("end", ["diverged", "crashed"])
def test_a_trial_that_failed_counts_with_the_worst_metric_of_its_arm(end):
    rows = search("grid", [[0.1, 0.7, 0.5]])
    rows[1] |= {"failed": True, "end": end}
    found = best_of_k_table(table(*rows))
    for row in found.itertuples():
        expected = best_in_all_orders([0.1, 0.1, 0.5], row.k)
        assert row.expected == pytest.approx(expected)
    # Left out instead, one trial of two would have a mean of 0.3.
    assert found["expected"].iloc[0] == pytest.approx(0.7 / 3)
    rows[1] |= {"best_metric": math.nan}
    again = best_of_k_table(table(*rows))
    assert list(again["expected"]) == list(found["expected"])


def test_streams_of_unequal_length_are_cut_to_the_shortest():
    found = best_of_k_table(table(*search("optuna", [[0.1, 0.7, 0.5], [0.2, 0.6]])))
    assert list(found["expected"]) == pytest.approx([0.15, 0.65])


def test_tunability_weighs_the_curve_of_the_best_of_k():
    trials = table(*search("grid"), *search("optuna", arm="b"))
    found = tunability_table(trials).set_index("arm")
    assert ("workload", "arm", *found.columns[1:]) == TUNABILITY_COLUMNS
    curves = best_of_k_table(trials).groupby("arm")["expected"]
    for arm, curve in curves:
        values = curve.to_numpy()
        row = found.loc[arm]
        assert row["early"] == pytest.approx(values @ [0.4, 0.3, 0.2, 0.1])
        assert row["uniform"] == pytest.approx(values.mean())
        assert row["late"] == pytest.approx(values @ [0.1, 0.2, 0.3, 0.4])
        assert (row["first"], row["last"]) == (values[0], values[-1])
        assert (row["streams"], row["trials"]) == (2, 4)
        assert row["early"] < row["uniform"] < row["late"]


def test_arms_without_tuning_and_arms_without_a_metric_have_no_rows():
    nothing = search("random", [[math.nan, math.nan]], arm="b")
    trials = table(*runs("a", 300, 400), *nothing)
    assert best_of_k_table(trials).empty
    assert tunability_table(trials).empty
    assert tuple(best_of_k_table(trials).columns) == BEST_OF_K_COLUMNS


def test_wrong_confidence_is_refused_by_name():
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
        best_of_k_table(table(), confidence=0.0)
