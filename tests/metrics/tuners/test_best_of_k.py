import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.tuners.best_of_k import (
    BAND_COLUMNS,
    best_of_k,
    best_of_k_band,
)

VALUES = [0.1, 0.5, 0.5, 0.7, 0.9]

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=6)


def test_best_of_k_has_the_golden_values():
    ks = [1, 2, 3, 5]
    plugin = best_of_k(VALUES, ks, "plugin")
    assert plugin.tolist() == pytest.approx([0.54, 0.684, 0.7512, 0.818784], abs=1e-12)
    unbiased = best_of_k(VALUES, ks)
    assert unbiased.tolist() == pytest.approx([0.54, 0.72, 0.80, 0.90], abs=1e-12)


@given(scores, st.integers(1, 6))
def test_the_unbiased_estimate_is_the_mean_over_all_subsets(values, k):
    found = best_of_k(values, k)
    if k > len(values):
        assert math.isnan(found)
        return
    every = [max(subset) for subset in itertools.combinations(values, k)]
    assert found == pytest.approx(np.mean(every), abs=1e-9)


@given(scores, st.integers(1, 3))
def test_the_plugin_is_the_mean_over_all_draws_with_replacement(values, k):
    every = [max(draw) for draw in itertools.product(values, repeat=k)]
    assert best_of_k(values, k, "plugin") == pytest.approx(np.mean(every), abs=1e-9)


def test_the_plugin_is_biased_and_the_other_is_not():
    rng = np.random.default_rng(0)
    samples = rng.random((2000, 6))
    truth = 4 / 5  # the best of four uniform numbers
    unbiased = np.mean([best_of_k(row, 4) for row in samples])
    plugin = np.mean([best_of_k(row, 4, "plugin") for row in samples])
    assert unbiased == pytest.approx(truth, abs=0.01)
    assert plugin < truth - 0.04


def test_one_k_is_a_number_and_several_are_an_array():
    assert isinstance(best_of_k(VALUES, 2), float)
    assert isinstance(best_of_k(VALUES, np.int64(2)), float)
    assert best_of_k(VALUES, [2]).shape == (1,)
    assert best_of_k(VALUES, np.arange(1, 4)).tolist() == [
        best_of_k(VALUES, k) for k in (1, 2, 3)
    ]


@pytest.mark.parametrize("estimator", ["unbiased", "plugin"])
def test_the_best_never_falls_with_k_nor_depends_on_the_order(estimator):
    rng = np.random.default_rng(1)
    values = rng.normal(size=200)
    found = best_of_k(values, np.arange(1, 201), estimator)
    assert (np.diff(found) >= -1e-12).all()
    again = best_of_k(rng.permutation(values), np.arange(1, 201), estimator)
    assert (again == found).all()


def test_many_values_do_not_overflow():
    values = np.arange(5000.0)
    # The best of k of n places is (k n - 1) / (k + 1) on average, counted from 0.
    expected = [2500 * 5001 / 2501 - 1, 10 * 5001 / 11 - 1]
    assert best_of_k(values, [2500, 10]).tolist() == pytest.approx(expected)


def test_a_diverged_trial_may_be_as_bad_as_can_be():
    values = [-math.inf, 1.0, 2.0]
    assert best_of_k(values, [1, 2, 3]).tolist() == [-math.inf, pytest.approx(5 / 3), 2]
    assert best_of_k(values, [1, 9], "plugin").tolist() == [-math.inf, -math.inf]


def test_dropping_a_diverged_trial_would_flatter_the_search():
    assert best_of_k([0.1, *VALUES], 2) < best_of_k(VALUES, 2)


@pytest.mark.parametrize("estimator", ["unbiased", "plugin"])
def test_nothing_has_no_best(estimator):
    assert math.isnan(best_of_k([], 1, estimator))
    assert np.isnan(best_of_k([], [1, 2], estimator)).all()
    assert best_of_k(VALUES, [], estimator).shape == (0,)
    assert best_of_k([0.3], 1, estimator) == pytest.approx(0.3)


def test_the_band_is_a_table_in_the_order_of_ks():
    found = best_of_k_band(VALUES, [5, 1, 2], bounds=(0, 1))
    assert tuple(found.columns) == BAND_COLUMNS
    assert found["k"].tolist() == [5, 1, 2]
    assert (found["low"] <= found["median"]).all()
    assert (found["median"] <= found["high"]).all()


def test_the_median_of_the_best_is_a_quantile_of_the_values():
    values = np.arange(1.0, 11.0)
    found = best_of_k_band(values, [1, 2, 3])
    # 0.5^(1/k) of ten values: the 5th, the 8th (0.707), the 8th (0.794).
    assert found["median"].tolist() == [5, 8, 8]


def test_the_band_depends_on_ranks_alone_and_not_on_their_order():
    rng = np.random.default_rng(2)
    values = rng.random(20)
    band = best_of_k_band(values, [1, 2, 4])
    for _ in range(3):
        again = best_of_k_band(rng.permutation(values), [1, 2, 4])
        assert again.equals(band)
    lifted = best_of_k_band(np.exp(values), [1, 2, 4])
    bounds = ["low", "median", "high"]
    assert np.allclose(np.log(lifted[bounds]), band[bounds])


def test_ties_and_trials_that_diverged_are_values_too():
    values = [-math.inf] * 5 + [0.5] * 10 + [0.7] * 5
    found = best_of_k_band(values, [1, 3])
    assert found["median"].tolist() == [0.5, 0.7]
    assert found["low"].tolist() == [-math.inf, 0.5]
    assert found["high"].tolist() == [0.7, math.inf]


def test_what_the_values_do_not_say_is_left_to_the_bounds():
    far = best_of_k_band(VALUES, [1, 50], bounds=(0, 1))
    assert far["high"].tolist() == [1, 1]
    assert far["low"].tolist()[0] == 0
    assert best_of_k_band(VALUES, [50])["high"].tolist() == [math.inf]
    nothing = best_of_k_band([], [1, 2], bounds=(0, 1))
    assert nothing["low"].tolist() == [0, 0]
    assert nothing["median"].isna().all()
    assert nothing["high"].tolist() == [1, 1]
    assert best_of_k_band(VALUES, []).empty


def test_a_surer_band_is_wider():
    values = np.arange(20.0)
    wide = best_of_k_band(values, [1, 2], confidence=0.99)
    narrow = best_of_k_band(values, [1, 2], confidence=0.5)
    assert (wide["low"] < narrow["low"]).all()
    assert (wide["high"] > narrow["high"]).all()


@pytest.mark.parametrize("n", [20, 150])
def test_the_band_holds_the_whole_curve_as_often_as_it_says(n):
    rng = np.random.default_rng(n)
    ks = [1, 2, 3, 5, 8, 13, 20]
    truth = 0.5 ** (1 / np.array(ks))  # of uniform numbers
    repetitions = 400
    missed = 0
    for values in rng.random((repetitions, n)):
        band = best_of_k_band(values, ks)
        missed += not ((band["low"] <= truth) & (truth <= band["high"])).all()
    # A band of the whole distribution holds at seven of its quantiles, and more often.
    # 5 %, and two and a half standard errors of this simulation (1.1 %).
    assert missed / repetitions < 0.05 + 0.0275


def test_a_band_is_no_wider_than_it_must_be():
    rng = np.random.default_rng(7)
    ks = np.unique(np.geomspace(1, 400, 40).astype(int))
    truth = 0.5 ** (1 / ks)
    repetitions = 400
    missed = 0
    for values in rng.random((repetitions, 20)):
        band = best_of_k_band(values, ks)
        missed += not ((band["low"] <= truth) & (truth <= band["high"])).all()
    assert missed > 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_values_that_are_no_values_are_refused(wrong):
    with pytest.raises(ValueError, match="worst value"):
        best_of_k([0.1, wrong], 1)
    with pytest.raises(ValueError, match="worst value"):
        best_of_k_band([0.1, wrong], [1])


@pytest.mark.parametrize("k", [0, -1, 1.5, math.nan, math.inf, [1, 0], [[1]]])
def test_draws_are_counted(k):
    with pytest.raises(ValueError, match="`k` must be"):
        best_of_k(VALUES, k)
    with pytest.raises(ValueError, match="`k` must be"):
        best_of_k_band(VALUES, k)


def test_other_arguments_are_refused_too():
    with pytest.raises(ValueError, match="`estimator` must be"):
        best_of_k(VALUES, 1, "biased")
    with pytest.raises(ValueError, match="one-dimensional"):
        best_of_k([VALUES], 1)
    with pytest.raises(ValueError, match="`values` must be within"):
        best_of_k_band(VALUES, [1], bounds=(0, 0.8))
    for confidence in (0, 1, 95, math.nan):
        with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
            best_of_k_band(VALUES, [1], confidence)
