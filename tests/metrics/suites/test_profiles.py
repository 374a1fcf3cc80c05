import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.suites.profiles import (
    LEAVE_ONE_OUT_COLUMNS,
    data_profile,
    leave_one_out_scores,
    profile_scores,
)

INF = math.inf
TIMES = pd.DataFrame([[1, 2, 8], [2, 1, INF], [4, 9, 2]], index=["A", "B", "C"])

times = st.sampled_from([0.0, 1.0, 2.0, 3.5, 7.0, INF])
tables = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(times, min_size=n, max_size=n), min_size=1, max_size=4)
)


def integral(table, method, r_max):
    """The area under the profile, on a fine grid of midpoints."""
    grid = 1 + (r_max - 1) * (np.arange(30_000) + 0.5) / 30_000
    best = np.min(table, axis=0)
    ratios = np.asarray(table)[method] / best
    return np.mean([(ratio <= grid).mean() for ratio in ratios])


def test_profile_scores_have_the_golden_values():
    found = profile_scores(TIMES)
    assert found.index.tolist() == ["A", "B", "C"]
    assert found.round(4).tolist() == [0.5556, 0.5556, 0.3333]
    assert found.name == "score"


def test_profile_scores_are_exact_and_not_a_trapezoid_on_100_points():
    grid = np.linspace(1, 4, 100)
    ratios = TIMES.to_numpy() / TIMES.to_numpy().min(axis=0)
    profiles = (ratios[:, :, None] <= grid).mean(axis=1)
    rough = np.trapezoid(profiles, grid) / 3
    assert rough.round(4).tolist() == [0.5589, 0.5572, 0.3350]
    assert (np.abs(profile_scores(TIMES) - rough) > 1e-3).all()
    assert profile_scores(TIMES).tolist() == pytest.approx([5 / 9, 5 / 9, 1 / 3])


@pytest.mark.parametrize("r_max", [1.5, 4.0, 10.0])
def test_a_score_is_the_area_under_the_profile(r_max):
    table = np.random.default_rng(0).uniform(1, 6, (4, 5))
    found = profile_scores(table, r_max)
    for method in range(4):
        expected = integral(table, method, r_max)
        assert found[method] == pytest.approx(expected, abs=1e-4)


def test_dropping_the_best_changes_the_order_of_the_rest():
    table = pd.DataFrame([[5, 2, 2], [7, 4, 4], [2, 8, 6]], index=["best", "a", "b"])
    scores = profile_scores(table)
    assert scores["best"] > scores["a"] > scores["b"]
    found = leave_one_out_scores(table)
    rest = found[found["left_out"] == "best"].set_index("method")["score"]
    assert rest["a"] < rest["b"]
    assert rest.to_dict() == profile_scores(table.drop(index="best")).to_dict()
    solved = data_profile(table, [4, 7])
    assert solved.drop(index="best").equals(data_profile(table[1:], [4, 7]))


def test_every_pair_of_methods_has_a_row():
    found = leave_one_out_scores(TIMES)
    assert tuple(found.columns) == LEAVE_ONE_OUT_COLUMNS
    pairs = list(zip(found["left_out"], found["method"], strict=True))
    assert pairs == [(a, b) for a in "ABC" for b in "ABC" if a != b]
    assert found["score"].between(0, 1).all()


def test_one_method_is_the_best_and_cannot_be_left_out():
    assert profile_scores([[3.0, 5.0]]).tolist() == [1]
    found = leave_one_out_scores([[3.0, 5.0]])
    assert tuple(found.columns) == LEAVE_ONE_OUT_COLUMNS
    assert found.empty


def test_a_workload_that_nobody_solved_counts_as_nothing_for_all():
    assert profile_scores([[1, INF], [2, INF]]).tolist() == pytest.approx(
        [1 / 2, 1 / 3]
    )
    assert profile_scores([[INF], [INF]]).tolist() == [0, 0]


def test_a_ratio_to_nothing_is_one_or_infinite():
    assert profile_scores([[0.0], [0.0], [1.0]]).tolist() == [1, 1, 0]


def test_beyond_the_largest_ratio_there_is_no_score():
    assert profile_scores([[1.0], [4.0], [5.0], [3.9]])[:3].tolist() == [1, 0, 0]


@given(tables, st.sampled_from([1e-3, 3.0, 1e6]))
def test_scaling_all_costs_of_a_workload_leaves_profiles_unchanged(table, factor):
    values = np.array(table)
    scaled = values.copy()
    scaled[:, 0] *= factor
    expected = profile_scores(values)
    assert profile_scores(scaled).tolist() == pytest.approx(expected.tolist())
    assert expected.between(0, 1).all()


@given(tables, st.data())
def test_adding_a_competitor_never_changes_a_data_profile(table, data):
    width = len(table[0])
    other = data.draw(st.lists(times, min_size=width, max_size=width))
    budgets = [0, 1, 2, 5, INF]
    alone = data_profile(table, budgets)
    together = data_profile([*table, other], budgets)
    assert together.iloc[: len(table)].equals(alone)


@given(tables)
def test_the_order_of_methods_changes_no_score(table):
    found = profile_scores(table).tolist()
    assert profile_scores(table[::-1]).tolist() == found[::-1]


def test_a_data_profile_counts_what_is_solved_within_a_budget():
    found = data_profile(TIMES, [0.5, 1, 2, 8, 100])
    assert found.index.tolist() == ["A", "B", "C"]
    assert found.columns.tolist() == [0.5, 1, 2, 8, 100]
    assert found.loc["A"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert found.loc["B"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert found.loc["C"].tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])


def test_never_is_not_within_an_endless_budget():
    assert data_profile([[1.0, INF]], [INF]).to_numpy().tolist() == [[0.5]]


def test_budgets_may_come_in_any_order_and_number():
    assert data_profile([[1.0, 2.0]], [2, 0, 1]).to_numpy().tolist() == [[1, 0, 0.5]]
    assert data_profile([[1.0, 2.0]], []).shape == (1, 0)


def test_nothing_is_a_table_too():
    for function in (profile_scores, leave_one_out_scores):
        assert len(function(np.empty((0, 3)))) == 0
    assert profile_scores(np.empty((2, 0))).isna().all()
    assert data_profile(np.empty((0, 3)), [1, 2]).shape == (0, 2)
    assert data_profile(np.empty((2, 0)), [1, 2]).isna().all(axis=None)


@pytest.mark.parametrize("function", [profile_scores, leave_one_out_scores])
@pytest.mark.parametrize("r_max", [1, 0.5, math.nan, INF])
def test_a_largest_ratio_out_of_range_is_refused(function, r_max):
    with pytest.raises(ValueError, match="`r_max` must be finite and above 1"):
        function(TIMES, r_max)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ([1.0, 2.0], "table of methods by workloads"),
        ([[1.0, math.nan]], "leave out workloads"),
        ([[1.0, -1.0]], "negative"),
    ],
)
def test_profiles_refuse_what_is_not_a_table_of_times(table, word):
    with pytest.raises(ValueError, match=word):
        profile_scores(table)
    with pytest.raises(ValueError, match=word):
        data_profile(table, [1])


@pytest.mark.parametrize("budgets", [[math.nan], [-1.0], 3.0])
def test_a_budget_that_is_no_cost_is_refused(budgets):
    with pytest.raises(ValueError, match="`budgets` must be"):
        data_profile(TIMES, budgets)
