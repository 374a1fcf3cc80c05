import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hpo_vs_adapt.metrics.uncertainty.bca import RESAMPLES, bca_quantiles
from hpo_vs_adapt.metrics.uncertainty.intervals import ert_interval


def test_the_bootstrap_agrees_with_scipy():
    rng = np.random.default_rng(5)
    # Few hits and skewed costs: BCa's corrections move both ends.
    hits = np.arange(40) < 10
    costs = np.where(hits, rng.exponential(3, 40), rng.exponential(1, 40))

    def log_ert(c, h, axis=-1):
        return np.log(c.sum(axis=axis) / h.sum(axis=axis))

    def theirs(method):
        found = stats.bootstrap(
            (costs, hits.astype(float)),
            log_ert,
            paired=True,
            n_resamples=20_000,
            method=method,
            rng=np.random.default_rng(0),
        ).confidence_interval
        return np.array([found.low, found.high])

    ours = np.log(ert_interval(costs, hits))
    near = 0.04
    assert ours == pytest.approx(theirs("BCa"), abs=near)
    assert (np.abs(theirs("percentile") - theirs("BCa")) > near).any()
    assert (np.abs(ours - theirs("percentile")) > near).any()


def by_enumeration(spent, met, levels):
    """Log ERT of all resamples, sorted, and BCa's probabilities from them."""
    n = len(spent)
    drawn = np.array(list(itertools.product(range(n), repeat=n)))
    with np.errstate(divide="ignore"):
        every = np.sort(np.log(spent[drawn].sum(axis=1) / met[drawn].sum(axis=1)))
    theta = np.log(spent.sum() / met.sum())
    tied = np.abs(every - theta) < 1e-9
    bias = stats.norm.ppf(((every < theta) & ~tied).mean() + tied.mean() / 2)
    without = [np.delete(np.arange(n), place) for place in range(n)]
    jackknife = np.log([spent[left].sum() / met[left].sum() for left in without])
    away = jackknife.mean() - jackknife
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    shifted = bias + stats.norm.ppf(levels)
    adjusted = stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))
    return every, adjusted


def test_quantiles_are_those_of_all_resamples_at_the_adjusted_probabilities():
    spent, met = np.array([1.0, 2.1, 3.3, 4.7, 6.2, 90.0]), np.array([1.0] * 5 + [0])
    levels = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
    every, adjusted = by_enumeration(spent, met, levels)
    assert np.abs(adjusted - levels).max() > 0.05
    places = [
        np.mean([np.searchsorted(every, found, side) for side in ("left", "right")], 0)
        for found in (bca_quantiles(spent, met, levels, seed) for seed in range(40))
    ]
    assert np.mean(places, axis=0) / every.size == pytest.approx(adjusted, abs=0.012)


def test_resamples_that_equal_the_passes_count_half():
    spent, met = np.ones(6), np.array([0.0] * 4 + [1.0] * 2)
    levels = np.linspace(0.03, 0.97, 48)
    every, adjusted = by_enumeration(spent, met, levels)
    below, above = (
        every[(np.clip(adjusted + off, 0, 1 - 1e-9) * every.size).astype(int)]
        for off in (-0.03, 0.03)
    )
    sure = below == above  # no step of the distribution is near
    found = bca_quantiles(spent, met, levels, seed=0)
    assert sure.sum() > 20
    assert found[sure] == pytest.approx(below[sure])


def test_bounds_do_not_come_back_beyond_the_pole_of_the_formula():
    costs = [1.0] * 29 + [1e6]  # an acceleration near its largest, 1 / 6
    sure = (0.9, 0.999, 1 - 1e-6, 1 - 1e-9, 1 - 1e-12)
    bounds = [ert_interval(costs, [True] * 30, confidence) for confidence in sure]
    low, high = zip(*bounds, strict=True)
    assert list(low) == sorted(low, reverse=True)
    assert list(high) == sorted(high)


def test_without_skew_the_quantiles_are_those_of_the_resamples():
    # Costs that are symmetric in the logarithm, all hits: no bias, no acceleration.
    logs = np.linspace(-0.01, 0.01, 41)
    spent, met = np.exp(logs) * 100, np.ones(41)
    levels = np.array([0.025, 0.5, 0.975])
    found = bca_quantiles(spent, met, levels, seed=0)
    normal = stats.norm.ppf(levels, logs.mean(), logs.std() / math.sqrt(41))
    assert found - math.log(100) == pytest.approx(normal, abs=3e-4)


def test_a_resample_without_a_hit_is_beyond_all_bounds():
    spent, met = np.ones(20), np.arange(20) == 19
    found = bca_quantiles(spent, met.astype(float), np.array([0.01, 0.99]), seed=0)
    assert np.isfinite(found[0])
    assert found[1] == math.inf


def test_quantiles_are_values_of_resamples_and_the_same_for_the_same_seed():
    rng = np.random.default_rng(2)
    spent, met = np.sort(rng.uniform(1, 9, 30)), np.ones(30)
    levels = np.linspace(0.001, 0.999, 4 * RESAMPLES)
    found = bca_quantiles(spent, met, levels, seed=5)
    assert (np.diff(found) >= 0).all()
    assert np.unique(found).size <= RESAMPLES
    assert np.array_equal(found, bca_quantiles(spent, met, levels, seed=5))
    assert not np.array_equal(found, bca_quantiles(spent, met, levels, seed=6))
