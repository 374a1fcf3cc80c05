"""What is said, from tables of bills written by hand."""

import math

import pandas as pd
import pytest

from hpo_vs_adapt.report.sentences.verdict import make_verdicts
from hpo_vs_adapt.study import Arm, Tune
from hpo_vs_adapt.tables.bills import BILL_COLUMNS
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.tables.headlines import make_headlines
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


def say(rows, entry=None, arms=None, **ratios):
    """Return the one verdict on a workload; the first arm is the reference.

    `ratios` are those of the table of headlines: ``tuned=(2, 1.5, 2.7)``.
    """
    makes = {"tuned": builder.grid_arm, "adaptive": builder.adaptive_arm}
    arms = arms or [makes[row["kind"]](row["arm"]) for row in rows]
    one = builder.study(arms, [entry or builder.workload()], sweep=False)
    results = builder.Records().results(one, builder.progress([]))
    table = pd.DataFrame(rows, columns=list(BILL_COLUMNS))
    headlines = make_headlines(results, table)
    for rival, numbers in ratios.items():
        ends = ("ratio", "low", "high")
        headlines[[f"{rival}_{end}" for end in ends]] = [numbers]
    (verdict,) = make_verdicts(one, {"bills": table, "headlines": headlines})
    return verdict


def test_an_arm_is_called_cheapest_from_a_probability_of_095():
    rows = [
        bill("sgd-grid", 684_000, 0.0),
        bill("adam-tpe", 100_000, 0.05),
        bill("clara", 60_000, 0.95),
    ]
    said = say(rows, tuned=(1.67, 1.2, 2.3), reference=(11.4, 8.9, 14.8))
    assert said.sentence == (
        "digits_mlp: clara is cheapest: 60 k sample gradients [48 k, 75 k] until"
        " accuracy ≥ 0.9. 3 of 3 passes met it, P(first) 0.95. The cheapest tuned arm,"
        " adam-tpe, costs 1.7 times as much [1.2, 2.3], its tuning counted: 100 k"
        " sample gradients [80 k, 125 k]; 3 of 3 passes met it. The reference sgd-grid"
        " costs 11 times as much [8.9, 15]."
    )


def test_below_it_the_least_bill_is_named_and_who_may_be_cheaper():
    rows = [
        bill("sgd-grid", 684_000, 0.01),
        bill("adam-tpe", 70_000, 0.35),
        bill("clara", 60_000, 0.64),
    ]
    said = say(rows)
    assert "cheapest:" not in said.sentence
    assert said.finding == (
        "digits_mlp: clara has the least bill, 60 k sample gradients [48 k, 75 k] until"
        " accuracy ≥ 0.9, but adam-tpe may be cheaper."
    )
    assert said.details[:2] == (
        "3 of 3 passes met it, P(first) 0.64.",
        "May be cheaper: adam-tpe, 70 k sample gradients [56 k, 88 k], 3 of 3 passes,"
        " P(first) 0.35.",
    )


def test_of_many_that_may_be_cheapest_five_are_told_and_all_are_counted():
    rows = [bill(f"rule-{i}", 60_000 + i, 0.05) for i in range(20)]
    said = say(rows)
    assert said.finding.endswith("but which of 19 arms is cheapest is open.")
    assert said.details[1].count("sample gradients") == 5
    assert said.details[1].endswith("; others, which the table has.")


def test_arms_that_share_the_least_bill_are_named_together():
    rows = [bill("sgd-grid", 684_000, 0.0)]
    rows += [bill(name, 6_000, 0.5) for name in ("clara", "adam-default")]
    said = say(rows)
    assert said.finding == (
        "digits_mlp: 2 arms have the least bill, 6 k sample gradients [4.8 k, 7.5 k]"
        " until accuracy ≥ 0.9: clara and adam-default."
    )
    assert "3 of 3 passes of clara met it, P(first) 0.50." in said.details
    assert "May be cheaper" not in said.sentence


def test_arms_that_share_a_bill_but_not_its_interval_have_none_in_common():
    rows = [bill("clara", 6_000, 0.5), bill("adam-default", 6_000, 0.5, bill_low=5_000)]
    assert "6 k sample gradients until" in say(rows).finding


def test_a_ratio_that_may_be_below_one_is_no_advantage_yet():
    rows = [bill("sgd-grid", 80_000, 0.2), bill("clara", 60_000, 0.8)]
    assert (
        "The cheapest tuned arm, the reference sgd-grid, costs 1.3 times as much"
        " [0.6, 3], its tuning counted, but may turn out cheaper."
    ) in say(rows, tuned=(1.33, 0.6, 3)).details


def test_when_passes_are_too_few_for_probabilities_all_that_met_it_are_candidates():
    rows = [
        bill("sgd-grid", math.nan, 0.0),
        bill("adam-tpe", 70_000, math.nan, passes=1, pass_hits=1),
        bill("clara", 60_000, math.nan, passes=1, pass_hits=1),
    ]
    sentence = say(rows).sentence
    assert "clara has the least bill" in sentence
    assert "but adam-tpe may be cheaper" in sentence
    assert "1 of 1 pass met it, too few to say" in sentence


def test_when_nobody_met_the_target_it_says_so_and_who_came_closest():
    rows = [bill(arm, math.nan, 0.0, best_metric=0.5) for arm in ARMS[:2]]
    rows.append(bill("clara", math.nan, 0.0, best_metric=0.87))
    finding = say(rows).finding
    assert "no arm met accuracy ≥ 0.9 in 9 trials" in finding
    assert "clara came closest, with 0.870 on average" in finding


def test_the_closest_to_a_loss_is_the_lowest():
    entry = builder.workload(target=0.3, metric=builder.LOSS)
    rows = [
        bill("sgd-grid", math.nan, 0.0, best_metric=0.35),
        bill("clara", math.nan, 0.0, best_metric=0.5),
    ]
    finding = say(rows, entry).finding
    assert "loss ≤ 0.3" in finding
    assert "sgd-grid came closest, with 0.350 on average" in finding


def test_the_only_arm_that_met_the_target_is_cheapest_and_that_is_said():
    rows = [bill("sgd-grid", math.nan, 0.0), bill("clara", 60_000, 1.0)]
    said = say(rows)
    assert "clara is cheapest" in said.finding
    assert "no other arm met the target" in said.finding
    assert "P(first)" not in said.sentence  # there was no race


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
    assert "clara is cheapest" not in sentence
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


def test_a_tuned_arm_in_front_is_held_against_the_cheapest_without_tuning():
    rows = [bill("sgd-grid", 50_000, 0.97), bill("clara", 90_000, 0.03)]
    assert (
        "The cheapest arm without tuning, clara, costs 1.8 times as much [1.2, 2.7]:"
        " 90 k sample gradients [72 k, 112 k]; 3 of 3 passes met it."
    ) in say(rows, untuned=(1.8, 1.2, 2.7)).details


def test_the_next_is_named_where_nothing_else_is_held_against_the_winner():
    rows = [bill("clara", 50_000, 0.97), bill("adam-default", 90_000, 0.03)]
    assert say(rows, next=(1.8, 1.2, 2.7)).details[1:] == (
        "Next is adam-default, which costs 1.8 times as much [1.2, 2.7].",
    )


def test_a_sort_of_arms_of_which_none_met_the_target_is_told():
    rows = [bill("sgd-grid", 50_000, 1.0), bill("clara", math.nan, 0.0)]
    assert "No arm without tuning met the target." in say(rows).details
    rows = [bill("sgd-grid", math.nan, 0.0), bill("clara", 50_000, 1.0, trials=2)]
    assert "No tuned arm met the target so far." in say(rows).details
    rows = [bill("sgd-grid", math.nan, 0.0, trials=0), bill("clara", 50_000, 1.0)]
    assert "No tuned arm" not in say(rows).sentence


def test_a_portfolio_is_no_tuned_arm():
    several = Arm("portfolio", "", {}, Tune("portfolio"))
    arms = [several, builder.grid_arm(), builder.adaptive_arm()]
    rows = [bill("portfolio", 50_000, 0.97, kind="tuned")]
    rows += [bill("sgd-grid", 90_000, 0.02), bill("clara", 95_000, 0.01)]
    sentence = say(rows, arms=arms).sentence
    assert "The cheapest tuned arm, sgd-grid," in sentence
    assert "The cheapest arm without tuning, clara," in sentence


def test_failures_are_counted_arm_by_arm():
    rows = [
        bill("sgd-grid", 684_000, 0.0, failures=2),
        bill("clara", 60_000, 1.0, failures=1),
    ]
    expected = (
        "Diverged or crashed: 2 of 3 trials of sgd-grid and 1 of 3 trials of clara."
    )
    assert expected in say(rows).details


def test_failures_of_many_arms_are_added_up_and_the_worst_are_named():
    rows = [bill(f"rule-{i}", 60_000, 0.2, failures=i % 3) for i in range(8)]
    rows.append(bill("worst", math.nan, 0.0, failures=3))
    assert (
        "Diverged or crashed: 10 of 27 trials, of 6 arms, most often worst (3 of 3),"
        " rule-2 (2 of 3) and rule-5 (2 of 3)."
    ) in say(rows).details


def test_passes_without_spread_have_no_interval():
    rows = [bill("sgd-grid", 684_000, 0.0), bill("clara", 60_000, 1.0)]
    rows[1] |= {"bill_low": 60_000, "bill_high": 60_000}
    assert "60 k sample gradients in every pass" in say(rows).finding


@pytest.mark.parametrize("workloads", [1, 2])
def test_there_is_a_verdict_for_each_workload_in_the_order_of_the_study(workloads):
    entries = [builder.workload(f"w{i}") for i in range(workloads)]
    results = builder.finished(builder.study(workloads=entries, sweep=False))
    found = make_verdicts(results.study, Tables(results))
    assert [verdict.workload for verdict in found] == [e.name for e in entries]
    assert all(verdict.sentence.startswith(verdict.workload) for verdict in found)


def test_numbers_in_a_verdict_are_those_of_the_table():
    tables = Tables(builder.finished(builder.study(sweep=False)))
    bills = tables["bills"].sort_values("bill")
    (verdict,) = make_verdicts(tables.given.study, tables)
    assert f"{bills['bill'].iloc[0] / 1000:.2g} k" in verdict.sentence
