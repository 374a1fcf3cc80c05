import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.sensitivity.lr_curves import (
    REGRET_COLUMNS,
    basin_width,
    lr_sensitivity,
    mean_over_range,
    misspecification_regret,
    stretch_above,
)

RATES = [1e-4, 1e-3, 1e-2, 1e-1, 1e0]
LOSSES = [2.0, 1.2, 1.0, 1.5, 9.9]

curves = st.lists(
    st.tuples(
        st.integers(-80, 20),
        st.one_of(st.integers(0, 20).map(lambda n: n / 20), st.just(math.nan)),
    ),
    min_size=2,
    max_size=9,
    unique_by=lambda point: point[0],
).map(lambda points: ([10 ** (e / 10) for e, _ in points], [v for _, v in points]))


def on_line(rates, values, at):
    """Values at rates `at`, on the line over log10(lr), by many small steps of it."""
    return np.interp(np.log10(at), np.log10(rates), values)


def test_lr_sensitivity_has_the_golden_values():
    assert round(lr_sensitivity(RATES, LOSSES, 2.3), 4) == 0.4625
    assert round(lr_sensitivity(RATES, LOSSES, 2.3, "plain"), 3) == 0.600


def test_lr_sensitivity_is_the_mean_loss_of_rates_drawn_from_the_range():
    rng = np.random.default_rng(0)
    rates = [1e-4, 2e-4, 5e-3, 1e-1, 1.0]  # uneven: here the plain mean is wrong
    capped = np.minimum(LOSSES, 2.3)
    drawn = 10 ** rng.uniform(-4, 0, 200_000)
    expected = on_line(rates, capped, drawn).mean() - 1.0
    assert lr_sensitivity(rates, LOSSES, 2.3) == pytest.approx(expected, abs=0.005)
    assert abs(lr_sensitivity(rates, LOSSES, 2.3, "plain") - expected) > 0.02


@pytest.mark.parametrize("exploded", [math.nan, math.inf, -math.inf, 1e300])
def test_a_loss_that_exploded_counts_as_nothing_learnt(exploded):
    losses = [2.0, 1.2, 1.0, 1.5, exploded]
    assert lr_sensitivity(RATES, losses, 2.3) == pytest.approx(0.4625)


def test_an_arm_that_never_learns_is_not_called_insensitive():
    assert math.isnan(lr_sensitivity(RATES, [math.nan] * 5, 2.3))
    assert math.isnan(lr_sensitivity(RATES, [2.3] * 5, 2.3))
    assert lr_sensitivity(RATES, [1.0] * 5, 2.3) == 0


def test_fewer_than_two_rates_have_no_range():
    for rates in ([], [0.1]):
        assert math.isnan(lr_sensitivity(rates, [1.0] * len(rates), 2.3))
        assert math.isnan(lr_sensitivity(rates, [1.0] * len(rates), 2.3, "plain"))
        assert math.isnan(mean_over_range(rates, [1.0] * len(rates)))


def test_the_mean_over_a_range_is_the_chance_of_a_rate_drawn_from_it():
    rates, shares = [1e-3, 1e-2, 1.0], [0.0, 1.0, 0.5]
    drawn = 10 ** np.random.default_rng(1).uniform(-3, 0, 200_000)
    expected = on_line(rates, shares, drawn).mean()
    assert mean_over_range(rates, shares) == pytest.approx(expected, abs=0.005)
    assert mean_over_range([-1, 0, 3], [0, 1, 1], "linear") == pytest.approx(3.5 / 4)
    assert mean_over_range([1e-3, 1e-2], [0.2, 0.6]) == pytest.approx(0.4)


def test_a_basin_ends_where_the_line_leaves_the_tolerance():
    basin = basin_width(RATES, LOSSES, 0.3, "min")
    # The line meets 1.3 after 1/8 of the way to 2.0, and after .6 of that to 1.5.
    assert basin.low == pytest.approx(10**-3.125)
    assert basin.high == pytest.approx(10**-1.4)
    assert basin.decades == pytest.approx(1.725)
    assert not basin.open_low
    assert not basin.open_high


def test_a_basin_that_reaches_the_end_of_the_grid_is_open():
    basin = basin_width([1, 10, 100], [0.9, 0.9, 0.1], 0.05)
    assert basin.open_low
    assert not basin.open_high
    assert basin.low == 1
    everywhere = basin_width([1, 10, 100], [0.9, 0.9, 0.9], 0)
    assert (everywhere.open_low, everywhere.open_high) == (True, True)
    assert everywhere.decades == 2


def test_a_basin_surrounds_the_best_rate_though_another_is_wider():
    values = [0.89, 0.89, 0.89, 0.2, 0.9]
    basin = basin_width(RATES, values, 0.05)
    assert basin.open_high
    assert basin.low > 0.1
    assert stretch_above(RATES, values, 0.85).open_low  # the widest, wherever it is


def test_of_basins_with_equally_good_rates_the_widest_counts():
    assert basin_width(RATES, [0.9, 0.1, 0.9, 0.9, 0.1], 0.05).low > 1e-3
    both = basin_width([1, 10, 100], [0.9, 0.1, 0.9], 0.05)
    assert both.open_low
    assert both.high < 10


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_basin_does_not_reach_towards_a_rate_that_gave_nothing(lost, mode):
    basin = basin_width([1, 10, 100, 1000], [lost, 0.5, 0.5, lost], 0.1, mode)
    assert (basin.low, basin.high) == pytest.approx((10, 100))
    assert not basin.open_low
    assert not basin.open_high


def test_no_value_is_no_basin():
    for rates, values in (([], []), ([1, 10], [math.nan, math.nan])):
        basin = basin_width(rates, values, 0.1)
        assert np.isnan([basin.low, basin.high]).all()
        assert basin.decades == 0
        assert misspecification_regret(rates, values, [2])["regret"].isna().all()


def test_a_value_at_the_tolerance_but_for_rounding_is_inside():
    assert 0.13 - 0.01 > 0.12  # in floating point
    basin = basin_width([1, 10, 100], [0.12, 0.13, 0.12], 0.01)
    assert basin.decades == 2


def test_on_a_linear_scale_a_setting_may_be_zero_and_has_no_decades():
    basin = basin_width([0, 0.5, 1.0], [0.9, 0.9, 0.5], 0.1, scale="linear")
    assert (basin.low, basin.high) == pytest.approx((0, 0.625))
    assert math.isnan(basin.decades)
    regret = misspecification_regret(
        [0, 1, 2, 4], [0.1, 0.5, 0.9, 0.3], [2, 4], scale="linear"
    )
    assert regret["divided"].tolist() == pytest.approx([0.4, 0.6])
    assert regret["multiplied"].iloc[0] == pytest.approx(0.6)
    at_zero = misspecification_regret([0, 1], [0.9, 0.1], [2], scale="linear")
    assert at_zero["regret"].isna().all()


def test_regret_is_the_worse_direction_on_the_line_over_the_logarithm():
    found = misspecification_regret(RATES, LOSSES, [1, 2, 10, 100], "min")
    assert tuple(found.columns) == REGRET_COLUMNS
    off = math.log10(2)
    assert found["divided"].tolist() == pytest.approx([0, 0.2 * off, 0.2, 1.0])
    assert found["multiplied"].tolist() == pytest.approx([0, 0.5 * off, 0.5, 8.9])
    assert found["regret"].tolist() == pytest.approx([0, 0.5 * off, 0.5, 8.9])


def test_regret_is_unknown_off_the_grid_even_if_one_side_is_on_it():
    found = misspecification_regret([1, 10, 100], [0.5, 0.6, 0.9], [10, 1000])
    assert found["divided"].iloc[0] == pytest.approx(0.3)
    assert math.isnan(found["multiplied"].iloc[0])
    assert found["regret"].isna().all()


def test_regret_beside_a_rate_that_gave_nothing_is_infinite():
    found = misspecification_regret([1, 10, 100], [0.5, 0.9, math.nan], [1, 2, 10])
    assert found["divided"].tolist() == pytest.approx([0, 0.4 * math.log10(2), 0.4])
    assert found["multiplied"].tolist() == [0, math.inf, math.inf]


def test_of_equally_good_rates_the_middle_one_is_the_best():
    found = misspecification_regret(RATES, [0.1, 0.9, 0.9, 0.9, 0.1], [10, 100])
    assert found["regret"].tolist() == pytest.approx([0, 0.8])


@given(curves)
def test_the_order_of_rates_changes_nothing(curve):
    rates, values = curve
    back = ([*reversed(rates)], [*reversed(values)])
    # repr: NaN does not equal itself.
    for ours in (rates, values), back:
        assert repr(basin_width(*ours, 0.1)) == repr(basin_width(rates, values, 0.1))
        assert repr(lr_sensitivity(*ours, 1)) == repr(lr_sensitivity(rates, values, 1))
        found = misspecification_regret(*ours, [2, 10])
        assert found.equals(misspecification_regret(rates, values, [2, 10]))


@given(curves, st.floats(0.01, 0.5))
def test_a_basin_holds_what_the_line_says_and_grows_with_the_tolerance(
    curve, tolerance
):
    rates, values = map(np.array, curve)
    basin = basin_width(rates, values, tolerance)
    if not np.isfinite(values).any():
        assert basin.decades == 0
        return
    assert basin.decades <= basin_width(rates, values, 2 * tolerance).decades + 1e-9
    order = np.argsort(rates)
    rates, values = rates[order], np.where(np.isfinite(values), values, -1e9)[order]
    inside = np.geomspace(basin.low, basin.high, 50)
    assert (on_line(rates, values, inside) >= values.max() - tolerance - 0.01).all()
    for end, open_end, step in (
        (basin.low, basin.open_low, 0.999),
        (basin.high, basin.open_high, 1.001),
    ):
        if not open_end:
            assert on_line(rates, values, end * step) < values.max() - tolerance


@given(curves, st.floats(1, 100))
def test_regret_is_never_negative_and_turning_the_sign_turns_the_mode(curve, factor):
    rates, values = map(np.array, curve)
    found = misspecification_regret(rates, values, [1, factor])
    assert not (found[["divided", "multiplied", "regret"]] < 0).any(axis=None)
    assert found.equals(misspecification_regret(rates, -values, [1, factor], "min"))


@given(curves, st.floats(0.5, 3))
def test_lr_sensitivity_lies_between_nothing_and_all_that_was_learnt(curve, initial):
    rates, losses = curve
    for weights in ("trapezoid", "plain"):
        found = lr_sensitivity(rates, losses, initial, weights)
        assert math.isnan(found) or 0 <= found <= initial - np.nanmin(losses)


def test_what_makes_no_sense_is_refused():
    for rates in ([1, 0], [1, -1], [1, math.nan], [1, math.inf]):
        with pytest.raises(ValueError, match="`lrs` must be finite and positive"):
            basin_width(rates, [0.5, 0.6], 0.1)
    with pytest.raises(ValueError, match="`lrs` must be finite; got"):
        basin_width([0, math.nan], [0.5, 0.6], 0.1, scale="linear")
    with pytest.raises(ValueError, match="`lrs` must be distinct"):
        lr_sensitivity([0.1, 0.1], [1, 2], 2.3)
    with pytest.raises(ValueError, match="equally long"):
        lr_sensitivity([0.1], [1, 2], 2.3)
    with pytest.raises(ValueError, match="`weights`"):
        lr_sensitivity(RATES, LOSSES, 2.3, "simpson")
    with pytest.raises(ValueError, match="`initial_loss`"):
        lr_sensitivity(RATES, LOSSES, math.nan)
    with pytest.raises(ValueError, match="`scale`"):
        lr_sensitivity(RATES, LOSSES, 2.3, scale="ln")
    for tolerance in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="`tolerance`"):
            basin_width(RATES, LOSSES, tolerance)
    with pytest.raises(ValueError, match="`mode`"):
        basin_width(RATES, LOSSES, 0.1, "least")
    for factor in (0.5, math.nan, math.inf):
        with pytest.raises(ValueError, match="`factors`"):
            misspecification_regret(RATES, LOSSES, [2, factor])
