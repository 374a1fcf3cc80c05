import itertools
import math

import pandas as pd
import pytest

from hpo_vs_adapt.metrics import (
    BILL_COLUMNS,
    arm_bills,
    ert_interval,
    reference_ratios,
)
from tests.metrics.builder import BUDGET, runs, shuffled, study, table, trial


def bill_of(bills, arm):
    return bills.set_index("arm").loc[arm]


def test_bills_are_spending_over_hits_for_every_kind_of_arm():
    bills = arm_bills(study())
    assert tuple(bills.columns) == BILL_COLUMNS
    grid = (350 + 1000 / 3) + (500 + 2000 / 2) + (400 + 1000 / 3)
    assert bill_of(bills, "grid")["bill"] == pytest.approx(grid / 3)
    assert bill_of(bills, "random")["bill"] == pytest.approx((2000 + 4 * BUDGET) / 5)
    optuna = (1400 + 2500 + 600) / 3
    assert bill_of(bills, "optuna")["bill"] == pytest.approx(optuna)
    assert bill_of(bills, "clara")["bill"] == pytest.approx((1500 + BUDGET) / 2)


def test_trials_passes_and_hits_are_counted_apart():
    bills = arm_bills(study())
    counts = bills.set_index("arm")[["trials", "hits", "passes", "pass_hits"]]
    assert counts.loc["grid"].tolist() == [9, 5, 3, 3]
    assert counts.loc["random"].tolist() == [9, 5, 9, 5]
    assert counts.loc["optuna"].tolist() == [9, 5, 3, 3]
    assert counts.loc["clara"].tolist() == [3, 2, 3, 2]
    assert bills["kind"].tolist() == ["adaptive", "tuned", "tuned", "tuned"]
    assert bills["complete"].all()


def test_the_full_plan_charges_every_trial_and_one_retrain():
    bills = arm_bills(study())
    for by in ("grid", "random", "optuna"):
        expected = (9 * BUDGET + 250 + 260 + 270) / 3
        assert bill_of(bills, by)["full_plan"] == pytest.approx(expected)
    clara = bill_of(bills, "clara")
    assert clara["full_plan"] == clara["bill"] == clara["cost_per_run"]


def test_a_run_of_a_tuned_arm_costs_what_its_retrains_cost():
    grid = bill_of(arm_bills(study()), "grid")
    assert grid["cost_per_run"] == pytest.approx(260)
    expected = ert_interval([250, 260, 270], [True] * 3)
    assert (grid["cost_per_run_low"], grid["cost_per_run_high"]) == expected


def test_retrains_that_share_a_record_are_one_observation():
    winners = runs("a", 200, 300, by="grid", role="retrain", stream=0)
    streams = [{**row, "stream": stream} for row in winners for stream in range(3)]
    row = arm_bills(table(*runs("a", 500, by="grid"), *streams)).iloc[0]
    assert row["cost_per_run"] == 250
    expected = ert_interval([600, 900], [3, 3])
    assert (row["cost_per_run_low"], row["cost_per_run_high"]) == expected
    assert expected == pytest.approx(ert_interval([200, 300], [True, True]))


def test_intervals_are_those_of_the_passes():
    row = bill_of(arm_bills(study()), "clara")
    expected = ert_interval([700, 800, BUDGET], [True, True, False])
    assert (row["bill_low"], row["bill_high"]) == expected
    narrower = bill_of(arm_bills(study(), confidence=0.5), "clara")
    assert row["bill_low"] < narrower["bill_low"] < row["bill"]


def test_an_arm_that_never_met_the_target_has_no_bill():
    row = arm_bills(table(*runs("a", None, None), *runs("b", 10, 12))).iloc[0]
    costs = ["bill", "bill_low", "bill_high", "full_plan", "cost_per_run"]
    assert row[costs].isna().all()
    assert row["passes"] == 2
    assert row["pass_hits"] == 0
    assert row["first_probability"] == 0


def test_one_pass_has_a_bill_and_no_interval():
    row = arm_bills(table(*runs("a", None, 300, by="optuna"))).iloc[0]
    assert row["bill"] == 1300
    assert math.isnan(row["bill_low"])
    assert math.isnan(row["bill_high"])


def test_a_diverged_trial_is_charged_and_counted_among_the_failures():
    burnt = trial("a", 1, cost=50.0, end="diverged", failed=True)
    lucky = trial("a", 2, 300, cost=450.0, end="diverged", failed=True)
    row = arm_bills(table(trial("a", 0, 400), burnt, lucky)).iloc[0]
    assert row["failures"] == 2
    assert row["hits"] == 2
    assert row["bill"] == (400 + 50 + 300) / 2


def test_the_best_metric_is_the_mean_over_seeds_or_streams_of_the_best():
    metric = {"by": "grid", "best_metric": 0.7}
    trials = table(
        trial("a", 0, best_metric=0.5),
        trial("a", 1, best_metric=0.9),
        trial("a", 2, best_metric=math.nan, end="crashed", failed=True),
        trial("b", 0, **metric, stream=0),
        trial("b", 1, **(metric | {"best_metric": 0.3}), stream=0),
        trial("b", 0, **(metric | {"best_metric": 0.1}), stream=1),
    )
    best = arm_bills(trials).set_index("arm")["best_metric"]
    assert best.to_dict() == pytest.approx({"a": 0.7, "b": 0.4})
    least = arm_bills(trials, modes={"digits": "min"}).set_index("arm")["best_metric"]
    assert least.to_dict() == pytest.approx({"a": 0.7, "b": 0.2})


def test_dropping_an_arm_changes_no_other_bill():
    trials = study()
    everyone = arm_bills(trials).set_index("arm").drop(columns="first_probability")
    for arm in ("grid", "clara"):
        rest = arm_bills(trials[trials["arm"] != arm]).set_index("arm")
        rest = rest.drop(columns="first_probability")
        pd.testing.assert_frame_equal(rest, everyone.drop(index=arm), check_exact=True)


def test_the_order_of_rows_changes_nothing():
    bills = arm_bills(study())
    ratios = reference_ratios(study(), "grid")
    for seed in range(2):
        mixed = shuffled(study(), seed)
        pd.testing.assert_frame_equal(arm_bills(mixed), bills, check_exact=True)
        again = reference_ratios(mixed, "grid")
        pd.testing.assert_frame_equal(again, ratios, check_exact=True)


def test_workloads_have_bills_of_their_own():
    twice = pd.concat([study(), study().assign(workload="wine", cost=2 * BUDGET)])
    bills = arm_bills(twice)
    once = arm_bills(study())
    digits = bills[bills["workload"] == "digits"].reset_index(drop=True)
    pd.testing.assert_frame_equal(digits, once)
    wine = bill_of(bills[bills["workload"] == "wine"], "clara")
    assert wine["bill"] == (1500 + 2 * BUDGET) / 2


def progress(*rows):
    return pd.DataFrame(rows, columns=["workload", "arm", "role", "planned", "done"])


def test_an_arm_without_a_trial_has_a_row_of_nothing():
    planned = progress(
        ("digits", "later", "policy", 3, 0), ("digits", "clara", "policy", 3, 3)
    )
    bills = arm_bills(study(), planned, kinds={"later": "fixed"})
    assert bills["arm"].tolist() == ["later", "clara", "grid", "optuna", "random"]
    later = bills.iloc[0]
    assert later["kind"] == "fixed"
    assert not later["complete"]
    counts = ["trials", "hits", "failures", "passes", "pass_hits"]
    assert (later[counts] == 0).all()
    unknown = [
        n for n in BILL_COLUMNS if n not in ("workload", "arm", "kind", "complete")
    ]
    assert later[[name for name in unknown if name not in counts]].isna().all()


def test_nothing_at_all_is_a_table_too():
    assert tuple(arm_bills(table()).columns) == BILL_COLUMNS
    assert arm_bills(table()).empty
    planned = progress(("digits", "later", "policy", 3, 0))
    assert arm_bills(table(), planned)["trials"].tolist() == [0]
    assert reference_ratios(table(), "grid").empty


def test_an_arm_is_complete_when_policy_and_retrains_are_done():
    planned = progress(
        ("digits", "grid", "policy", 9, 9),
        ("digits", "grid", "retrain", 3, 2),
        ("digits", "optuna", "policy", 9, 8),
        ("digits", "optuna", "retrain", 3, 0),
        ("digits", "random", "policy", 9, 9),
        ("digits", "random", "retrain", 3, 3),
        ("digits", "clara", "policy", 3, 3),
        ("digits", "clara", "sweep", 24, 5),
    )
    complete = arm_bills(study(), planned).set_index("arm")["complete"]
    expected = {"grid": False, "optuna": False, "random": True, "clara": True}
    assert complete.to_dict() == expected


def test_failures_are_priced_in_bills_plans_runs_and_ratios():
    retrain = {"by": "random", "role": "retrain"}
    trials = table(
        *runs("tuned", None, 400, None, None, by="random"),
        trial("tuned", 4, **retrain),
        trial("tuned", 5, 300, **retrain),
        *runs("plain", 800, None, 900),
    )
    row = bill_of(arm_bills(trials, failure_price=0.1), "tuned")
    assert row["bill"] == pytest.approx(400 + 0.1 * 3 * BUDGET)
    assert row["cost_per_run"] == pytest.approx(300 + 0.1 * BUDGET)
    assert math.isnan(row["full_plan"])  # its first retrain missed
    plain = bill_of(arm_bills(trials, failure_price=0.1), "plain")
    assert plain["bill"] == plain["full_plan"] == plain["cost_per_run"]
    assert plain["bill"] == pytest.approx((1700 + 0.1 * BUDGET) / 2)
    ratios = reference_ratios(trials, "plain", failure_price=0.1).set_index("arm")
    assert ratios.loc["tuned", "ratio"] == pytest.approx(700 / 900)
    with pytest.raises(ValueError, match="`failure_price`"):
        arm_bills(trials, failure_price=2)


def test_a_cheaper_failure_never_raises_a_bill():
    bills = [arm_bills(study(), failure_price=f)["bill"] for f in (0, 0.5, 1)]
    for cheaper, dearer in itertools.pairwise(bills):
        assert (cheaper <= dearer).all()
        assert (cheaper < dearer).any()


def test_a_name_shared_across_workloads_keeps_modes_and_progress_apart():
    both = pd.concat([study(), study().assign(workload="wine")])
    planned = progress(
        *(("digits", arm, "policy", 9, 9) for arm in ("grid", "random")),
        *(("wine", arm, "policy", 9, 8) for arm in ("grid", "random")),
    )
    bills = arm_bills(both, planned, modes={"wine": "min"})
    rows = bills.set_index(["workload", "arm"])
    assert rows.loc[("digits", "grid"), "complete"]
    assert not rows.loc[("wine", "grid"), "complete"]
    assert rows.loc[("digits", "grid"), "best_metric"] == pytest.approx(0.9)
    assert rows.loc[("wine", "grid"), "best_metric"] == pytest.approx(0.5)
