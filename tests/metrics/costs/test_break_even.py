import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics import expected_running_time
from hpo_vs_adapt.metrics.costs.break_even import (
    break_even_failure_fraction,
    break_even_runs,
)

INF, NAN = math.inf, math.nan

costs = st.floats(0.1, 1e6)


def test_tuning_has_paid_when_the_cheaper_trainings_have_made_up_for_it():
    assert break_even_runs(1000, 50, 300, 120) == 10
    assert break_even_runs(1000, 50, 300, 75) == 28


@given(costs, costs, costs, costs)
def test_tuning_has_paid_from_break_even_on_and_not_before(tune, tuned, bill, other):
    found = break_even_runs(tune, tuned, bill, other)

    def lead(further):
        return bill + further * other - (tune + further * tuned)

    if found == 0:
        assert lead(0) >= 0
    elif found == INF:
        assert max(lead(0), lead(1e9)) < 0
    else:
        scale = tune + found * tuned
        assert lead(0) < 0
        assert abs(lead(found)) <= 1e-6 * scale
        assert lead(2 * found) > lead(found)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((300, 50, 300, 50), 0),  # a tie has paid
        ((200, 90, 300, 50), 0),  # ahead at once, however it goes on
        ((400, 50, 300, 50), INF),  # never catches up
        ((400, 60, 300, 50), INF),
        ((INF, 50, 300, 120), INF),  # never meets the target
        ((INF, 50, INF, 120), INF),
        ((INF, NAN, 300, NAN), INF),
        ((400, INF, 300, 120), INF),
        ((400, INF, 300, INF), INF),
        ((400, 50, INF, INF), 0),
        ((400, 50, 300, INF), 0),
        ((200, NAN, 300, NAN), 0),  # the bills decide
        ((400, NAN, 300, 50), NAN),
        ((400, 50, 300, NAN), NAN),
        ((NAN, 50, 300, 120), NAN),
        ((400, 50, NAN, 120), NAN),
        ((0, 0, 0, 0), 0),
    ],
)
def test_break_even_runs_have_an_answer_at_every_edge(given, expected):
    assert break_even_runs(*given) == pytest.approx(expected, nan_ok=True)


def test_break_even_runs_refuse_negative_costs():
    for name in ("tuning_bill", "tuned_cost", "other_bill", "other_cost"):
        given = dict.fromkeys(
            ("tuning_bill", "tuned_cost", "other_bill", "other_cost"), 1.0
        )
        with pytest.raises(ValueError, match=f"`{name}` must not be negative; got -1"):
            break_even_runs(**(given | {name: -1.0}))


@given(
    st.lists(costs, min_size=1, max_size=6),
    st.lists(costs, min_size=1, max_size=6),
    costs,
)
def test_tuning_loses_above_the_fraction_and_not_below(hit, miss, other_bill):
    fraction = break_even_failure_fraction(hit, miss, other_bill)
    hits = [True] * len(hit) + [False] * len(miss)

    def bill(price):
        return expected_running_time([*hit, *(price * cost for cost in miss)], hits)

    assert 0 <= fraction <= 1
    slack = 1 + 1e-9
    if fraction > 0:
        assert bill(fraction) <= other_bill * slack
    if fraction < 1:
        assert bill(fraction) * slack >= other_bill
        assert bill((1 + fraction) / 2) * slack > other_bill


@pytest.mark.parametrize(
    ("hit", "miss", "other", "expected"),
    [
        ([4, 6], [10, 10], 10, 0.5),  # (2 * 10 - 10) / 20
        ([4, 6], [10, 10], 4, 0),  # loses even if misses are free
        ([4, 6], [10, 10], 5, 0),
        ([4, 6], [10, 10], 15, 1),
        ([4, 6], [10, 10], INF, 1),
        ([4, 6], [10, 10], 0, 0),
        ([4, 6], [], 5, 1),  # a tie does not lose
        ([0.1, 0.2, 0.7], [], 1 / 3, 1),  # nor does one in the last bit
        ([4, 6], [], 4.9, 0),
        ([4, 6], [0, 0], 6, 1),
        ([], [10], 1e9, 0),  # never hits
        ([], [10], INF, 0),
        ([], [], 5, NAN),
        ([4], [10], NAN, NAN),
    ],
)
def test_the_fraction_has_an_answer_at_every_edge(hit, miss, other, expected):
    found = break_even_failure_fraction(hit, miss, other)
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (([-1], [1], 5), "not negative"),
        (([1], [INF], 5), "finite"),
        (([NAN], [1], 5), "finite"),
        (([[1]], [1], 5), "one-dimensional"),
        (([1], [1], -5), "`other_bill` must not be negative"),
    ],
)
def test_the_fraction_refuses_what_is_not_a_cost(given, word):
    with pytest.raises(ValueError, match=word):
        break_even_failure_fraction(*given)
