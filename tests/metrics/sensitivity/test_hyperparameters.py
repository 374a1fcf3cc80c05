import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpo_vs_adapt.metrics.sensitivity.hyperparameters import (
    effective_dimension,
    hyperparameter_sensitivity,
    subset_curve,
)

scores = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.integers(0, 100).map(lambda n: n / 100),
)


def grid(*levels):
    """Every configuration of hyperparameters with so many levels each."""
    rows = list(itertools.product(*(range(n) for n in levels)))
    return pd.DataFrame(rows, columns=[f"h{n}" for n in range(len(levels))])


def enumerated(configurations, found):
    """The curve of tuning k hyperparameters, from the definition, with loops."""
    rows = configurations.to_numpy()
    default = rows[np.argmax(found.mean(axis=1))]
    curve = []
    for k in range(rows.shape[1] + 1):
        of_sets = []
        for chosen in itertools.combinations(range(rows.shape[1]), k):
            fixed = [place for place in range(rows.shape[1]) if place not in chosen]
            allowed = [
                score
                for row, score in zip(rows, found, strict=True)
                if all(row[place] == default[place] for place in fixed)
            ]
            of_sets.append(np.mean(np.max(allowed, axis=0)))
        curve.append(max(of_sets))
    return curve


def test_sensitivity_is_what_tuning_on_each_environment_adds():
    table = [[0.9, 0.1, 0.5], [0.2, 0.8, 0.5], [0.6, 0.6, 0.6]]
    phi, tuned, default = hyperparameter_sensitivity(table)
    assert tuned == pytest.approx((0.9 + 0.8 + 0.6) / 3)
    assert default == pytest.approx(0.6)
    assert phi == pytest.approx(tuned - default)


def test_one_configuration_best_everywhere_leaves_nothing_to_tune():
    assert hyperparameter_sensitivity([[0.7, 0.8], [0.6, 0.8]]) == (0, 0.75, 0.75)
    assert hyperparameter_sensitivity([[0.3, 0.5]]) == (0, 0.4, 0.4)


def test_normalised_scores_are_relative_to_percentiles_and_not_clipped():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(30, 4)) * [1, 10, 100, 0.1] + [0, 5, -7, 3]
    low = np.percentile(raw, 5, axis=0)
    scaled = (raw - low) / (np.percentile(raw, 95, axis=0) - low)
    assert scaled.max() > 1
    expected = hyperparameter_sensitivity(scaled)
    assert hyperparameter_sensitivity(raw, normalise=True) == pytest.approx(expected)


def test_an_environment_in_which_all_is_equal_counts_as_zero():
    table = [[0.0, 3.0], [0.5, 3.0], [1.0, 3.0]]
    phi, tuned, _ = hyperparameter_sensitivity(table, normalise=True)
    assert phi == 0
    assert tuned == pytest.approx((1 - 0.05) / 0.9 / 2)


def test_a_configuration_that_was_not_run_everywhere_changes_nothing():
    whole = [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]
    more = [*whole, [math.nan, 1e6]]
    for normalise in (False, True):
        expected = hyperparameter_sensitivity(whole, normalise)
        assert hyperparameter_sensitivity(more, normalise) == expected
    nothing = hyperparameter_sensitivity([[math.nan, 1.0], [1.0, math.nan]])
    assert np.isnan(nothing).all()
    assert np.isnan(hyperparameter_sensitivity(np.empty((0, 3)))).all()


@given(scores, st.randoms(use_true_random=False))
def test_sensitivity_does_not_depend_on_the_order_and_is_never_negative(table, random):
    rows = list(range(len(table)))
    random.shuffle(rows)
    found = hyperparameter_sensitivity(table)
    assert hyperparameter_sensitivity(table[rows]) == pytest.approx(found)
    assert found[0] >= 0
    scaled = hyperparameter_sensitivity(3 * table + 1)
    assert scaled[0] == pytest.approx(3 * found[0])


@pytest.mark.parametrize("seed", range(15))
def test_the_curve_is_that_of_all_sets_of_hyperparameters(seed):
    rng = np.random.default_rng(seed)
    configurations = grid(*rng.integers(1, 4, size=int(rng.integers(1, 4))))
    found = rng.random((len(configurations), 3))
    result = subset_curve(configurations, found)
    assert result.curve == pytest.approx(enumerated(configurations, found))
    assert len(result.subsets) == configurations.shape[1] + 1
    assert [len(one) for one in result.subsets] == list(range(len(result.subsets)))


def test_the_dimension_lies_between_the_points_of_the_curve():
    # Tuned alone, h0 gives .9 and .6, h1 .65 and .6; both give 1 and .6.
    configurations = grid(2, 2)
    found = np.array([[0.6, 0.6], [0.65, 0.5], [0.9, 0.2], [1.0, 0.1]])
    result = subset_curve(configurations, found)
    assert result.curve == pytest.approx([0.6, 0.75, 0.8])
    assert result.subsets == ((), ("h0",), ("h0", "h1"))
    assert result.dimension == pytest.approx(1 + (0.76 - 0.75) / 0.05)
    assert effective_dimension(configurations, found) == result.dimension
    assert effective_dimension(configurations, found, 0.7) == 0
    assert effective_dimension(configurations, found, 1) == 2


def test_a_hyperparameter_that_does_nothing_is_not_counted():
    configurations = grid(3, 2, 2)
    found = np.eye(3)[configurations["h0"]] * 0.9 + 0.1
    result = subset_curve(configurations, found)
    assert result.curve == pytest.approx([0.4, 1, 1, 1])
    assert result.subsets[1] == ("h0",)
    assert result.dimension == pytest.approx(0.55 / 0.6)


def test_words_and_missing_values_are_values():
    configurations = pd.DataFrame(
        {"decay": [math.nan, math.nan, 0.1], "norm": ["layer", "batch", "layer"]}
    )
    found = [[0.6, 0.6], [0.9, 0.1], [0.1, 0.8]]
    result = subset_curve(configurations, found)
    assert result.curve == pytest.approx([0.6, 0.75, 0.85])


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_of_configurations_changes_nothing_even_with_ties(seed, random):
    rng = np.random.default_rng(seed)
    configurations = grid(2, 3)
    found = rng.integers(1, 3, size=(6, 2)) / 2
    order = list(range(6))
    random.shuffle(order)
    shuffled = subset_curve(configurations.iloc[order], found[order])
    assert shuffled == subset_curve(configurations, found)


def test_no_configuration_run_everywhere_has_no_dimension():
    nothing = subset_curve(grid(2), [[math.nan, 1], [1, math.nan]])
    assert math.isnan(nothing.dimension)
    assert nothing.curve == nothing.subsets == ()
    empty = subset_curve(grid(2).iloc[:0], np.empty((0, 2)))
    assert math.isnan(empty.dimension)
    assert subset_curve(grid(2).iloc[:, :0], [[1.0], [1.0]]).dimension == 0


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="shape"):
        hyperparameter_sensitivity([0.1, 0.2])
    with pytest.raises(ValueError, match="diverged the worst score"):
        hyperparameter_sensitivity([[0.1, math.inf]])
    for threshold in (0, 1.1, math.nan):
        with pytest.raises(ValueError, match="`threshold`"):
            subset_curve(grid(2), [[0.1], [0.2]], threshold)
    with pytest.raises(ValueError, match="one row for each"):
        subset_curve(grid(2), [[0.1]])
    with pytest.raises(ValueError, match="must be positive"):
        subset_curve(grid(2), [[-0.1], [-0.2]])
    with pytest.raises(ValueError, match="at most 20 columns"):
        subset_curve(grid(*[1] * 21), [[1.0]])
