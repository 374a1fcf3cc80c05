"""What is said, from tables of bills written by hand."""

import math

import pandas as pd
import pytest

from hpo_vs_adapt.report.bills import BILL_COLUMNS, make_bills
from hpo_vs_adapt.report.verdict import make_verdicts, verdicts
from tests.report import builder

ARMS = ["sgd-grid", "adam-tpe", "adam-default", "clara"]


def bill(arm, cost, chance, **changes):
    """Return a row of the table of bills; `cost` NaN: never met."""
    met = math.isfinite(cost)
    row = {
        "workload": "digits_mlp",
        "arm": arm,
        "kind": "tuned" if arm in ARMS[:2] else "adaptive",
        "trials": 3,
        "hits": 3 if met else 0,
        "failures": 0,
        "passes": 3,
        "pass_hits": 3 if met else 0,
        "best_metric": 0.9,
        "first_probability": chance,
        "planned": 3,
        "ratio": math.nan,
        "ratio_low": math.nan,
        "ratio_high": math.nan,
    }
    for name in ("bill", "full_plan", "cost_per_run"):
        row |= {name: cost, f"{name}_low": cost * 0.8, f"{name}_high": cost * 1.25}
    return row | changes


def say(rows, entry=None):
    """Return the one verdict on a workload."""
    arms = [builder.grid_arm(), builder.optuna_arm(), builder.adaptive_arm()]
    one = builder.study(arms, [entry or builder.workload()], sweep=False)
    results = builder.Records().results(one, builder.progress([]))
    table = pd.DataFrame(rows, columns=list(BILL_COLUMNS))
    (verdict,) = make_verdicts(results, table)
    return verdict


def test_an_arm_is_called_cheapest_from_a_probability_of_095():
    rows = [
        bill("sgd-grid", 684_000, 0.0, ratio=1, ratio_low=1, ratio_high=1),
        bill("adam-tpe", 100_000, 0.05),
        bill("clara", 60_000, 0.95, ratio=0.0877, ratio_low=0.0676, ratio_high=0.1124),
    ]
    assert say(rows).sentence == (
        "digits_mlp: clara is cheapest, with 60 k sample gradients [48 k, 75 k] until"
        " accuracy ≥ 0.9. 3 of 3 passes met it, P(first) 0.95. The reference sgd-grid"
        " costs 11 times as much as clara [8.9, 15] with its tuning counted: 684 k"
        " sample gradients [547 k, 855 k]; 3 of 3 passes met it."
    )


def test_below_it_the_candidates_are_named_and_no_others():
    rows = [
        bill("sgd-grid", 684_000, 0.01),
        bill("adam-tpe", 70_000, 0.35),
        bill("clara", 60_000, 0.64),
    ]
    sentence = say(rows).sentence
    assert "cheapest" not in sentence
    assert "Candidates are clara and adam-tpe." in sentence
    assert (
        "clara: 60 k sample gradients [48 k, 75 k], 3 of 3 passes met it," in sentence
    )
    assert "P(first) 0.64." in sentence
    assert "adam-tpe: 70 k sample gradients [56 k, 88 k] with its tuning" in sentence


def test_when_passes_are_too_few_for_probabilities_all_that_met_it_are_candidates():
    rows = [
        bill("sgd-grid", math.nan, 0.0),
        bill("adam-tpe", 70_000, math.nan, passes=1, pass_hits=1),
        bill("clara", 60_000, math.nan, passes=1, pass_hits=1),
    ]
    sentence = say(rows).sentence
    assert "Candidates are clara and adam-tpe." in sentence
    assert "too few to say" in sentence
    assert "The reference sgd-grid never met the target in 3 trials." in sentence


def test_when_nobody_met_the_target_it_says_so_and_who_came_closest():
    rows = [bill(arm, math.nan, 0.0, best_metric=0.5) for arm in ARMS[:2]]
    rows.append(bill("clara", math.nan, 0.0, best_metric=0.87))
    finding = say(rows).finding
    assert "no arm met accuracy ≥ 0.9 in 9 trials" in finding
    assert "clara came closest with 0.870" in finding


def test_the_closest_to_a_loss_is_the_lowest():
    entry = builder.workload(target=0.3, metric=builder.LOSS)
    rows = [
        bill("sgd-grid", math.nan, 0.0, best_metric=0.35),
        bill("clara", math.nan, 0.0, best_metric=0.5),
    ]
    finding = say(rows, entry).finding
    assert "loss ≤ 0.3" in finding
    assert "sgd-grid came closest with 0.350" in finding


def test_the_only_arm_that_met_the_target_is_cheapest_and_that_is_said():
    rows = [bill("sgd-grid", math.nan, 0.0), bill("clara", 60_000, 1.0)]
    finding = say(rows).finding
    assert "clara is cheapest" in finding
    assert "no other arm met the target" in finding


def test_a_lone_arm_with_few_hits_is_not_called_cheapest():
    few = bill("clara", 60_000, 1.0, passes=3, pass_hits=1)
    finding = say([bill("sgd-grid", math.nan, 0.0), few]).finding
    assert "clara alone met the target" in finding
    assert "cheapest" not in finding


def test_an_unfinished_study_has_a_leader_and_no_winner():
    rows = [
        bill("sgd-grid", 684_000, 0.0),
        bill("adam-tpe", math.nan, math.nan, trials=0, passes=0, planned=8),
        bill("clara", 60_000, 0.99, trials=2, passes=2, pass_hits=2),
    ]
    sentence = say(rows).sentence
    assert "clara is ahead so far" in sentence
    assert "cheapest" not in sentence
    assert "Unfinished: 5 of 14 trials are done" in sentence
    assert "the results of adam-tpe and clara can still change" in sentence


def test_without_a_trial_nothing_is_claimed():
    rows = [
        bill(arm, math.nan, math.nan, trials=0, passes=0, best_metric=math.nan)
        for arm in ARMS[:2]
    ]
    verdict = say(rows)
    assert verdict.finding == "digits_mlp: no trial has finished yet."
    assert "0 of 6 trials" in verdict.sentence


def test_a_study_of_one_arm_compares_nothing():
    sentence = say([bill("sgd-grid", 684_000, 1.0)]).sentence
    assert "the only arm of this study" in sentence
    assert "cheapest" not in sentence


def test_the_reference_in_front_is_compared_with_the_next():
    rows = [
        bill("sgd-grid", 50_000, 0.97, ratio=1, ratio_low=1, ratio_high=1),
        bill("clara", 90_000, 0.03, ratio=1.8, ratio_low=1.2, ratio_high=2.7),
    ]
    details = say(rows).details
    assert (
        "Next is clara at 1.8 times the bill of the reference sgd-grid [1.2, 2.7]."
        in details
    )


def test_failures_are_counted_arm_by_arm():
    rows = [
        bill("sgd-grid", 684_000, 0.0, failures=2),
        bill("clara", 60_000, 1.0, failures=1),
    ]
    expected = (
        "Diverged or crashed: 1 of 3 trials of clara and 2 of 3 trials of sgd-grid."
    )
    assert expected in say(rows).details


def test_passes_without_spread_have_no_interval():
    rows = [bill("sgd-grid", 684_000, 0.0), bill("clara", 60_000, 1.0)]
    rows[1] |= {"bill_low": 60_000, "bill_high": 60_000}
    assert "60 k sample gradients in every pass" in say(rows).finding


@pytest.mark.parametrize("workloads", [1, 2])
def test_there_is_a_verdict_for_each_workload_in_the_order_of_the_study(workloads):
    entries = [builder.workload(f"w{i}") for i in range(workloads)]
    results = builder.finished(builder.study(workloads=entries, sweep=False))
    found = verdicts(results)
    assert [verdict.workload for verdict in found] == [e.name for e in entries]
    assert all(verdict.sentence.startswith(verdict.workload) for verdict in found)


def test_numbers_in_a_verdict_are_those_of_the_table():
    results = builder.finished(builder.study(sweep=False))
    bills = make_bills(results).sort_values("bill")
    (verdict,) = verdicts(results)
    assert f"{bills['bill'].iloc[0] / 1000:.2g} k" in verdict.sentence
