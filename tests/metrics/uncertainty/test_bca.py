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
