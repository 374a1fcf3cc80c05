import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.tuners.tunability import tunability

CURVES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


def test_the_weights_of_three_budgets_are_three_two_one_and_back():
    found = tunability([0.2, 0.5, 0.6])
    early = (3 * 0.2 + 2 * 0.5 + 1 * 0.6) / 6
    late = (1 * 0.2 + 2 * 0.5 + 3 * 0.6) / 6
    assert found == pytest.approx((early, 1.3 / 3, late))
    assert (found.early, found.uniform, found.late) == tuple(found)
    assert round(found.early, 4) == 0.3667
    assert round(found.late, 4) == 0.5


def test_one_budget_is_its_own_mean_and_none_is_unknown():
    assert tunability([0.7]) == (0.7, 0.7, 0.7)
    assert all(math.isnan(number) for number in tunability([]))


def test_a_curve_that_is_good_at_once_is_told_from_one_that_ends_as_well():
    quick, slow = tunability([0.9] * 5), tunability([0.1, 0.1, 0.1, 0.1, 0.9])
    assert quick == pytest.approx((0.9, 0.9, 0.9))
    assert quick.early - slow.early > quick.late - slow.late > 0


@given(CURVES)
def test_a_curve_backwards_exchanges_early_and_late(curve):
    found, back = tunability(curve), tunability(curve[::-1])
    assert found == pytest.approx((back.late, back.uniform, back.early), abs=1e-6)
    assert found.early + found.late == pytest.approx(2 * found.uniform, abs=1e-6)


@given(CURVES)
def test_a_curve_that_only_rises_is_better_late_than_early(curve):
    best = np.maximum.accumulate(curve)
    found = tunability(best)
    assert found.early <= found.uniform + 1e-6
    assert found.uniform <= found.late + 1e-6
    assert best[0] - 1e-6 <= found.early
    assert found.late <= best[-1] + 1e-6


@pytest.mark.parametrize("curve", [[0.1, math.nan], [math.inf], [-math.inf, 0.3]])
def test_a_value_that_is_not_finite_is_refused(curve):
    with pytest.raises(ValueError, match="`curve` must be finite"):
        tunability(curve)


def test_a_table_is_no_curve():
    with pytest.raises(ValueError, match="one-dimensional"):
        tunability([[0.1, 0.2]])
