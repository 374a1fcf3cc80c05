import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics import arm_bills
from hpo_vs_adapt.metrics.costs.break_even_curves import (
    failure_price_curves,
    failure_price_lines,
    retraining_curves,
)
from tests.metrics.builder import BUDGET, runs, shuffled, table, trial

PRICES = [0, 0.2, 0.55, 1]


def study():
    """A grid of two streams with retrains, Optuna, and an arm that is not tuned."""
    rows = runs("grid", None, 400, 300, None, by="grid", stream=0)
    rows += runs("grid", None, None, 200, 300, by="grid", stream=1)
    rows += [
        trial("grid", 4, 150.0 + s, by="grid", stream=s, role="retrain") for s in (0, 1)
    ]
    rows += runs("optuna", None, None, 500, None, by="optuna", stream=0)
    rows += runs("optuna", None, None, by="optuna", stream=1)
    return table(*rows, *runs("plain", 700, 800, None))


def bills(**given):
    """A table of bills, without bounds unless they are given."""
    row = {"workload": "digits", "arm": "a", "bill": 1000.0, "cost_per_run": 100.0}
    names = ("bill", "full_plan", "cost_per_run")
    row |= {f"{name}_{end}": math.nan for name in names for end in ("low", "high")}
    return pd.DataFrame([row | {"full_plan": 3000.0} | given])


def test_a_bill_at_a_price_is_that_of_the_passes_at_the_price():
    curves = failure_price_curves(study(), PRICES)
    assert list(curves.columns) == ["workload", "arm", "price", "bill"]
    for price in PRICES:
        expected = arm_bills(study(), failure_price=price)
        found = curves[curves["price"] == price]
        assert found["arm"].tolist() == expected["arm"].tolist()
        assert found["bill"].tolist() == pytest.approx(expected["bill"].tolist())


def test_lines_are_what_hits_and_misses_have_cost():
    lines = failure_price_lines(study()).set_index("arm")
    grid = lines.loc["grid"]
    assert grid["hit_cost"] == pytest.approx(350 + 250)
    assert grid["miss_cost"] == pytest.approx(2 * BUDGET / 3 * 2)
    assert grid["pass_hits"] == 2
    optuna = lines.loc["optuna"]
    assert optuna.drop("workload").tolist() == [500, 4 * BUDGET, 1]


def test_an_arm_that_never_hits_has_no_bill_at_any_price():
    curves = failure_price_curves(table(*runs("a", None, None)), PRICES)
    assert curves["price"].tolist() == PRICES
    assert curves["bill"].isna().all()


def test_price_curves_do_not_depend_on_the_order_of_rows_or_prices():
    curves = failure_price_curves(study(), PRICES)
    again = failure_price_curves(shuffled(study()), PRICES[::-1])
    pd.testing.assert_frame_equal(again, curves, check_exact=True)


def test_further_trainings_add_to_the_bill():
    curves = retraining_curves(arm_bills(study()), [0, 1, 10])
    assert list(curves.columns) == ["workload", "arm", "runs", "total", "low", "high"]
    grid = (600 + 4 * BUDGET / 3) / 2
    found = curves[curves["arm"] == "grid"]["total"].tolist()
    assert found == pytest.approx([grid, grid + 150.5, grid + 1505])
    plain = (1500 + BUDGET) / 2
    found = curves[curves["arm"] == "plain"]["total"].tolist()
    assert found == pytest.approx([plain, 2 * plain, 11 * plain])


def test_the_bounds_of_an_arm_without_tuning_are_those_of_its_bill():
    of_bills = arm_bills(study()).set_index("arm").loc["plain"]
    curves = retraining_curves(arm_bills(study()), [0, 4])
    last = curves[curves["arm"] == "plain"].iloc[-1]
    assert last["low"] == pytest.approx(5 * of_bills["bill_low"])
    assert last["high"] == pytest.approx(5 * of_bills["bill_high"])


def test_bounds_add_up_and_stay_open_where_they_are():
    known = bills(bill_low=900.0, bill_high=math.inf, cost_per_run_low=90.0)
    curves = retraining_curves(known, [0, 2])
    assert curves["low"].tolist() == [900, 1080]
    assert curves["high"].iloc[0] == math.inf
    assert math.isnan(curves["high"].iloc[1])


def test_the_full_plan_may_come_first_and_changes_nothing_without_tuning():
    grid = arm_bills(study())
    by_plan = retraining_curves(grid, [0, 3], start="full_plan").set_index("arm")
    by_bill = retraining_curves(grid, [0, 3]).set_index("arm")
    pd.testing.assert_frame_equal(by_plan.loc[["plain"]], by_bill.loc[["plain"]])
    plan = (8 * BUDGET + 301) / 2
    assert by_plan.loc["grid", "total"].tolist() == pytest.approx([plan, plan + 451.5])


def test_without_retrains_only_the_start_is_known():
    curves = retraining_curves(bills(cost_per_run=math.nan), [0, 1])
    assert curves["total"].iloc[0] == 1000
    assert math.isnan(curves["total"].iloc[1])
    never = retraining_curves(bills(bill=math.nan), [0, 1])
    assert never["total"].isna().all()


def test_no_arms_or_no_numbers_are_empty_curves():
    for none in (
        failure_price_curves(table(), PRICES),
        failure_price_curves(study(), []),
    ):
        assert list(none.columns) == ["workload", "arm", "price", "bill"]
        assert none.empty
    for none in (
        retraining_curves(bills().iloc[:0], [1]),
        retraining_curves(bills(), []),
    ):
        assert list(none.columns) == ["workload", "arm", "runs", "total", "low", "high"]
        assert none.empty


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_curves_refuse_numbers_that_they_cannot_place(wrong):
    with pytest.raises(ValueError, match="`runs` must be finite and not negative"):
        retraining_curves(bills(), [1, wrong])
    with pytest.raises(ValueError, match="`prices` must be from 0 to 1"):
        failure_price_curves(study(), [0.5, wrong])


def test_curves_refuse_tables_of_numbers_and_unknown_starts():
    with pytest.raises(ValueError, match="`runs` must be one-dimensional"):
        retraining_curves(bills(), np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"from 0 to 1; got 1\.5"):
        failure_price_curves(study(), [1.5])
    with pytest.raises(ValueError, match="`start` must be 'bill' or 'full_plan'"):
        retraining_curves(bills(), [1], start="plan")
