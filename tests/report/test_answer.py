"""What would change an answer and what is unsure; its numbers are in tables."""

import dataclasses
import math
from collections import ChainMap

import pandas as pd
import pytest

from hpo_vs_adapt.report.sentences.answer import make_answers
from hpo_vs_adapt.study.calibrations import Calibration
from hpo_vs_adapt.tables.catalogue import Tables
from tests.report import builder


@pytest.fixture(scope="module")
def results():
    return builder.finished(builder.study())


@pytest.fixture(scope="module")
def tables(results):
    """The tables of a study of one workload."""
    return Tables(results)


@pytest.fixture(scope="module")
def answer(tables):
    return altered(tables)


def altered(tables, **others):
    """Return the answer where some of the tables are others."""
    (one,) = make_answers(tables.given.study, ChainMap(others, tables))
    return one


def told(tables, **changes):
    """Return what would change the answer, with the pairs' numbers changed."""
    pairs = tables["break_even"].assign(**changes)
    return dict(altered(tables, break_even=pairs).changes)


def headlines(tables, **changes):
    return tables["headlines"].assign(**changes)


def test_the_cheapest_tuned_arm_is_held_against_the_cheapest_other(tables):
    bills = tables["bills"].sort_values("bill")
    tuned = bills.loc[bills["kind"] == "tuned", "arm"].iloc[0]
    other = bills.loc[bills["kind"] != "tuned", "arm"].iloc[0]
    sentence = told(tables, runs=8.15, runs_full_plan=29.2)["More trainings"]
    assert sentence == (
        f"Tuning {tuned} pays against {other} after about 9 further trainings with what"
        " it found, after 30 if its whole plan is run."
    )


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (0.0, "costs no more than"),
        (math.inf, "never pays against"),
        (math.nan, "is not known"),
        (0.4, "after about 1 further training with"),
    ],
)
def test_trainings_that_decide_nothing_are_said_in_words(tables, runs, said):
    sentence = told(tables, runs=runs, runs_full_plan=math.nan)["More trainings"]
    assert said in sentence
    assert "nan" not in sentence
    assert "inf" not in sentence


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (0.13125, "after 13 % of what they cost"),
        (0.0, "Even if trials that miss cost it nothing"),
        (0.9996, "after 100 % of what they cost"),
    ],
)
def test_the_price_of_failures_is_told_where_it_decides(tables, fraction, said):
    assert said in told(tables, fraction=fraction)["Cheaper failures"]


def test_the_price_of_failures_is_not_told_where_tuning_wins_at_any(tables):
    assert "Cheaper failures" not in told(tables, fraction=1.0)


def test_workers_are_told_unless_one_will_do(tables):
    assert "With 4 trials at once" in told(tables, workers=4.0)["More workers"]
    assert "With no number of" in told(tables, workers=math.nan)["More workers"]
    assert "More workers" not in told(tables, workers=1.0)


def sweep(leaders):
    """Return a target sweep in which these arms lead, from easy to hard."""
    arms = sorted({*leaders, "other"})
    rows = [
        ("digits_mlp", 0.5 + 0.01 * place, arm, 1.0 + (arm != leader), 3)
        for place, leader in enumerate(leaders)
        for arm in arms
    ]
    columns = ["workload", "target", "arm", "rank", "pass_hits"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("leaders", "said"),
    [
        ("bbab", "From easy targets to hard ones the least bill is that of b, then a,"),
        ("aa", "a has the least bill at every target looked at."),
        ("abababab", "Which bill is least changes often with it: a and b have it."),
    ],
)
def test_the_least_bills_are_named_from_easy_targets_to_hard(tables, leaders, said):
    changes = dict(altered(tables, target_sweep=sweep(leaders)).changes)
    assert changes["Another target"].startswith(said)


def test_how_far_the_rate_may_be_off_is_told_of_every_swept_arm(answer):
    assert answer.care.startswith(
        "Half of the seeds or more meet the target over so many decades of learning"
        " rates, of those tried, 1e-6 to 10: 3.2 with clara,"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hit_open_high": True}, "at least 3.2 with clara"),
        ({"hit_decades": 0.0}, "No learning rate meets the target for half of the"),
        ({"tested_high": [1.0, 10.0, 10.0]}, "of learning rates: 3.2 with clara"),
        ({"batch_size": 64}, ""),
        ({"arm": "clara"}, ""),  # several rows: something else was swept as well
    ],
)
def test_the_care_for_the_rate_says_no_more_than_is_known(tables, changes, said):
    numbers = tables["lr_numbers"].assign(**changes)
    care = altered(tables, lr_numbers=numbers).care
    assert said in care
    assert bool(care) == bool(said)


def test_hidden_tuning_that_nobody_counted_is_said_to_be_unknown(tables):
    ranking = tables["ranking"].assign(defaults_trials=math.nan, space_trials=0.0)
    leader = tables["headlines"]["leader"].iloc[0]
    ranking.loc[ranking["arm"] == leader, "space_trials"] = 200.0
    doubts = " ".join(altered(tables, ranking=ranking).doubts)
    assert "How many trials the defaults of" in doubts
    assert f"in no bill: 200 for the search space of {leader}." in doubts


def test_notes_are_those_on_the_intervals_that_the_answer_rests_on(tables, answer):
    bills, row = tables["bills"], tables["headlines"].iloc[0]
    own = bills[bills["arm"].isin([row["leader"], row["tuned"], row["untuned"]])]
    notes = set(own["interval_note"]) - {""}
    assert notes
    assert all(any(note in doubt for doubt in answer.doubts) for note in notes)


def test_arms_without_a_hit_are_named_or_counted(tables):
    bills = tables["bills"]
    gone = bills["arm"].isin(["sgd-grid", "adam-default"])
    missed = bills.assign(bill=bills["bill"].mask(gone))
    one = altered(tables, bills=missed, headlines=headlines(tables, missed=2))
    assert one.doubts[0] == (
        "2 of 4 arms never met the target and so have no bill: sgd-grid and"
        " adam-default."
    )


def test_an_open_race_says_what_luck_has_to_do_with_it(tables, answer):
    leader = tables["headlines"]["leader"].iloc[0]
    assert not any("by luck" in doubt for doubt in answer.doubts)
    open_ = altered(tables, headlines=headlines(tables, candidates=3)).doubts
    assert (
        "The least of 4 bills is least in part by luck: expect"
        f" {leader} to cost rather more the next time."
    ) in open_


@pytest.mark.parametrize(
    ("seeds", "said"),
    [(2832.0, "would take about 2.8 k seeds of each."), (math.inf, None)],
)
def test_the_seeds_that_would_decide_an_open_race_are_told(tables, seeds, said):
    rows = headlines(tables, candidates=2, challenger_seeds=seeds)
    told = [d for d in altered(tables, headlines=rows).doubts if "To tell" in d]
    assert len(told) == (said is not None)
    assert all(doubt.endswith(said) for doubt in told)


def test_a_decided_race_asks_for_no_more_seeds(answer):
    assert not any("To tell" in doubt for doubt in answer.doubts)


def test_what_a_calibration_had_cost_is_told_of_an_arm_that_leads():
    chosen = Calibration("clara", {"lr": 0.01}, ("digits_mlp",), 40, 1.2e7)
    arms = [builder.grid_arm(), builder.adaptive_arm()]
    arms[1] = dataclasses.replace(arms[1], calibration=chosen)
    (one,) = answers_of(builder.finished(builder.study(arms, sweep=False)))
    assert (
        "Choosing the settings of clara had cost 12 M sample gradients, in no"
        " bill; this workload is one of those they were chosen on."
    ) in one.doubts
    assert "Trials before this study, in no bill: 40 for the defaults of clara." in (
        one.doubts
    )


def answers_of(results):
    return make_answers(results.study, Tables(results))


def test_a_study_without_trials_has_no_more_to_say():
    one = builder.study()
    planned = builder.progress(
        [(e.name, a.name, "policy", 3, 0) for e in one.workloads for a in one.arms]
    )
    (answer,) = answers_of(builder.Records().results(one, planned))
    assert (answer.changes, answer.care, answer.doubts) == ((), "", ())
