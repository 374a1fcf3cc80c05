import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics import arm_bills
from hpo_vs_adapt.metrics.costs.break_even import BREAK_EVEN_COLUMNS, break_even_table
from hpo_vs_adapt.metrics.costs.break_even_curves import (
    failure_price_curves,
    retraining_curves,
)
from hpo_vs_adapt.metrics.costs.workers import bills_by_workers
from tests.metrics.builder import BUDGET, runs, shuffled, table, trial


def study(grid_cost=BUDGET):
    """Two streams of a grid with retrains, and two arms that are not tuned."""
    rows = runs("grid", None, 400, None, by="grid", stream=0, cost=grid_cost)
    rows += runs("grid", None, None, 300, by="grid", stream=1, cost=grid_cost)
    rows += [
        trial("grid", 4, 150.0 + s, by="grid", stream=s, role="retrain") for s in (0, 1)
    ]
    rows += runs("clara", 450, 550, 500, kind="adaptive")
    return table(*rows, *runs("sgd", 800, None, 900))


def break_even(trials, **given):
    bills = arm_bills(trials, **given)
    return break_even_table(trials, bills, bills_by_workers(trials))


def test_every_tuned_arm_meets_every_arm_without_tuning():
    found = break_even(study())
    assert tuple(found.columns) == BREAK_EVEN_COLUMNS
    assert found["tuned"].tolist() == ["grid", "grid"]
    assert found["other"].tolist() == ["clara", "sgd"]


def test_runs_are_those_of_bill_or_plan_and_where_the_curves_cross():
    clara = break_even(study()).iloc[0]
    bill = (400 + 300 + 4 * BUDGET / 2) / 2
    assert clara["runs"] == pytest.approx((bill - 500) / (500 - 150.5))
    plan = (6 * BUDGET + 301) / 2
    assert clara["runs_full_plan"] == pytest.approx((plan - 500) / (500 - 150.5))
    for start, name in (("bill", "runs"), ("full_plan", "runs_full_plan")):
        curves = retraining_curves(arm_bills(study()), [clara[name]], start)
        total = curves.set_index("arm")["total"]
        assert total["grid"] == pytest.approx(total["clara"])


def test_the_fraction_charges_the_other_arm_in_full_and_the_crossing_both_alike():
    found = break_even(study()).set_index("other")
    hit, miss = 700, 2 * BUDGET
    assert found.loc["clara", "fraction"] == pytest.approx((2 * 500 - hit) / miss)
    # An arm that misses nothing costs the same at every price.
    crossing = found.loc["clara", "crossing_price"]
    assert crossing == pytest.approx(found.loc["clara", "fraction"])
    # Against sgd at 2700 / 2 tuning wins even when misses cost all that they burn;
    # with misses priced alike too: 350 + 1000 f is at most 850 + 500 f.
    assert found.loc["sgd", "fraction"] == 1
    assert found.loc["sgd", "crossing_price"] == 1


def test_bills_cross_at_the_crossing_price():
    dear = study(grid_cost=1.5 * BUDGET)
    found = break_even(dear).set_index("other")
    for other in ("clara", "sgd"):
        price = found.loc[other, "crossing_price"]
        assert 0 < price < 1
        curves = failure_price_curves(dear, [price, 1]).set_index("arm")["bill"]
        assert curves["grid"].iloc[0] == pytest.approx(curves[other].iloc[0])
        assert curves["grid"].iloc[1] > curves[other].iloc[1]


def test_lines_that_do_not_cross_have_no_crossing_price():
    cheap = table(*runs("grid", 10, None, by="grid"), *runs("sgd", 5000, None))
    row = break_even(cheap).iloc[0]
    assert math.isnan(row["crossing_price"])
    assert row["fraction"] == 1


def test_workers_are_the_least_number_at_which_tuning_is_quicker():
    found = break_even(study()).set_index("other")["workers"]
    latency = bills_by_workers(study()).pivot(
        index="workers", columns="arm", values="latency"
    )
    for other in ("clara", "sgd"):
        below = [w for w in latency.index if latency["grid"][w] < latency[other][w]]
        assert found[other] == min(below)
    assert found["clara"] > found["sgd"]
    slow = study()
    slow["cost_to_target"] *= np.where(slow["arm"] == "grid", 3, 1)
    assert math.isnan(break_even(slow).set_index("other").loc["clara", "workers"])


def test_an_arm_that_never_hits_never_pays_and_is_beaten_at_once():
    never = runs("never", None, None, by="optuna")  # a single pass
    hopeless = runs("hopeless", None, kind="adaptive")
    found = break_even(table(*never, *hopeless, *study().to_dict("records")))
    rows = found.set_index(["tuned", "other"])[list(BREAK_EVEN_COLUMNS[3:])]
    lost = rows.loc[("never", "clara")]
    assert lost["runs"] == math.inf
    assert lost["fraction"] == 0
    assert lost[["crossing_price", "workers"]].isna().all()
    won = rows.loc[("grid", "hopeless")]
    assert won[["runs", "runs_full_plan", "fraction", "workers"]].tolist() == [
        *(0, 0, 1, 1)
    ]
    both = rows.loc[("never", "hopeless")]
    assert both["runs"] == math.inf
    assert both["fraction"] == 0
    assert math.isnan(both["workers"])


def test_without_retrains_runs_are_unknown_unless_the_bills_decide():
    trials = study()
    found = break_even(trials[trials["role"] == "policy"]).set_index("other")
    assert math.isnan(found.loc["clara", "runs"])
    assert found.loc["sgd", "runs"] == 0
    assert found["runs_full_plan"].isna().all()


def test_an_arm_without_a_trial_is_in_pairs_of_which_nothing_is_known():
    planned = pd.DataFrame(
        [("digits", "later", "policy", 3, 0)],
        columns=["workload", "arm", "role", "planned", "done"],
    )
    bills = arm_bills(study(), planned, kinds={"later": "fixed"})
    found = break_even_table(study(), bills, bills_by_workers(study()))
    later = found.set_index("other").loc["later"]
    assert later[list(BREAK_EVEN_COLUMNS[3:])].isna().all()


def test_workloads_are_apart_and_the_order_of_rows_changes_nothing():
    both = pd.concat([study(), study(1.5 * BUDGET).assign(workload="wine")])
    found = break_even(both)
    assert found["workload"].tolist() == ["digits"] * 2 + ["wine"] * 2
    once = break_even(study())
    pd.testing.assert_frame_equal(
        found.iloc[:2].drop(columns="workers"), once.drop(columns="workers")
    )
    again = break_even(shuffled(both))
    pd.testing.assert_frame_equal(again, found, check_exact=True)


def test_no_trials_are_no_pairs():
    found = break_even(table())
    assert tuple(found.columns) == BREAK_EVEN_COLUMNS
    assert found.empty
