import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.basics.crossings import first_reaching, record_curves
from tests.metrics.builder import table, trial


@given(seed=st.integers(0, 10_000))
def test_stretches_are_searched_as_one_by_one(seed):
    rng = np.random.default_rng(seed)
    stretches = [np.sort(rng.integers(0, 9, rng.integers(0, 7))) for _ in range(5)]
    rising = np.concatenate(stretches).astype(float)
    sizes = np.array([len(one) for one in stretches])
    stop = np.cumsum(sizes)
    start = stop - sizes
    level = rng.integers(0, 11, 5).astype(float)
    found = first_reaching(rising, start, stop, level)
    for at, begin, one, reach in zip(found, start, stretches, level, strict=True):
        expected = next((i for i, x in enumerate(one) if x >= reach), len(one))
        assert at == begin + expected


def curves_of(values, **given):
    points = {"key": "k", "step": range(len(values)), "validation_metric": values}
    curve = pd.DataFrame(points).assign(cost=lambda one: 10.0 * one["step"])
    row = trial("a", key="k", **({"cost": 10.0 * (len(values) - 1)} | given))
    return record_curves(table(row), curve, {"digits": "max"}, sustained=2)


def test_the_best_so_far_ends_with_a_value_that_is_not_finite():
    paths = curves_of([0.1, 0.5, 0.3, math.nan, 0.9])
    assert paths.best.tolist() == [0.1, 0.5, 0.5, 0.5, 0.5]
    assert paths.lasting.tolist() == [0.1, 0.3, 0.3, 0.3, 0.3]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_curve_that_begins_without_a_value_reaches_nothing(value):
    paths = curves_of([value, 0.9])
    _, found = paths.first(np.array([0.0]))
    assert not found.any()


def test_a_trial_that_was_cut_short_keeps_the_evaluation_it_ended_at():
    paths = curves_of([0.1, 0.5, 0.6, 0.7], cost=20.0 * (1 - 1e-15), end="pruned")
    assert (paths.stop - paths.start).tolist() == [3]
    assert not paths.extended.any()
    paths = curves_of([0.1, 0.5, 0.6, 0.7], cost=20.0, end="target")
    assert (paths.stop - paths.start).tolist() == [4]
    assert paths.extended.all()


def test_curves_of_no_record_are_left_out():
    curve = {"key": ["x", "k"], "step": 0, "cost": 0.0, "validation_metric": [1.0, 0.5]}
    paths = record_curves(table(trial(key="k")), pd.DataFrame(curve), {"digits": "max"})
    assert paths.best.tolist() == [0.5]
