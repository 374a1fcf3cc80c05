"""What would change an answer and what is unsure; its numbers are in tables."""

import math
import re

import pandas as pd
import pytest

from hpo_vs_adapt.report import make_analyses, make_tables
from hpo_vs_adapt.report.answer import make_answers
from hpo_vs_adapt.report.verdict import make_verdicts
from tests.report import builder


@pytest.fixture(scope="module")
def parts():
    """Tables, analyses and answers of a study of one workload."""
    results = builder.finished(builder.study(sweep=False))
    tables = make_tables(results)
    analyses = make_analyses(results, tables.bills, tables.sensitivity)
    verdicts = make_verdicts(results, tables.bills)
    return tables, analyses, make_answers(tables.bills, analyses, verdicts)


class Altered:
    """The analyses of a study, some of whose tables are others."""

    def __init__(self, analyses, **tables):
        self.__dict__.update(vars(analyses) | tables)


def told(parts, **changes):
    """Return what would change the answer, with the first pair's numbers changed."""
    tables, analyses, answers = parts
    pairs = analyses.break_even.assign(**changes)
    altered = Altered(analyses, break_even=pairs)
    (answer,) = make_answers(tables.bills, altered, [answers[0].verdict])
    return dict(answer.changes)


def test_the_cheapest_tuned_arm_is_held_against_the_cheapest_other(parts):
    bills = parts[0].bills.sort_values("bill")
    tuned = bills.loc[bills["kind"] == "tuned", "arm"].iloc[0]
    other = bills.loc[bills["kind"] != "tuned", "arm"].iloc[0]
    sentence = told(parts, runs=8.15, runs_full_plan=29.2)["More trainings"]
    assert sentence == (
        f"Tuning {tuned} pays against {other} after 9 further trainings with what it"
        " found, after 30 if its whole plan is run."
    )


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (0.0, "costs no more than"),
        (math.inf, "never pays against"),
        (math.nan, "is not known"),
        (0.4, "after 1 further training with"),
    ],
)
def test_trainings_that_decide_nothing_are_said_in_words(parts, runs, said):
    sentence = told(parts, runs=runs, runs_full_plan=math.nan)["More trainings"]
    assert said in sentence
    assert "nan" not in sentence
    assert "inf" not in sentence


def test_the_price_of_failures_is_told_where_it_decides(parts):
    assert (
        "after 13 % of what they cost"
        in told(parts, fraction=0.13125)["Cheaper failures"]
    )
    assert (
        "Even if trials that miss cost nothing"
        in told(parts, fraction=0.0)["Cheaper failures"]
    )
    assert "Cheaper failures" not in told(parts, fraction=1.0)


def test_workers_are_told_unless_one_will_do(parts):
    assert "With 4 trials at once" in told(parts, workers=4.0)["More workers"]
    assert (
        "With up to 32 trials at once" in told(parts, workers=math.nan)["More workers"]
    )
    assert "More workers" not in told(parts, workers=1.0)


def test_the_least_bills_over_targets_are_named_from_easy_to_hard(parts):
    tables, analyses, answers = parts
    rows = [
        ("digits_mlp", target, arm, 1.0 + (arm != leader), 3)
        for target, leader in ((0.5, "b"), (0.6, "b"), (0.7, "a"), (0.8, "b"))
        for arm in ("a", "b")
    ]
    columns = ["workload", "target", "arm", "rank", "pass_hits"]
    altered = Altered(analyses, target_sweep=pd.DataFrame(rows, columns=columns))
    (answer,) = make_answers(tables.bills, altered, [answers[0].verdict])
    assert dict(answer.changes)["Another target"] == (
        "From easy targets to hard ones the least bill is that of b, then a, then b."
    )


def test_hidden_tuning_that_nobody_counted_is_said_to_be_unknown(parts):
    tables, analyses, answers = parts
    ranking = analyses.ranking.assign(defaults_trials=math.nan, space_trials=0.0)
    ranking.loc[0, "space_trials"] = 200.0
    altered = Altered(analyses, ranking=ranking)
    (answer,) = make_answers(tables.bills, altered, [answers[0].verdict])
    doubts = " ".join(answer.doubts)
    assert "How many trials the defaults of" in doubts
    assert f"in no bill: {ranking['arm'].iloc[0]} 200." in doubts


def test_notes_on_intervals_name_the_arms_they_are_of(parts):
    tables, _, (answer,) = parts
    notes = {note for note in tables.bills["interval_note"] if note}
    assert notes
    assert all(any(note in doubt for doubt in answer.doubts) for note in notes)


def test_every_number_of_an_answer_is_in_a_table(parts):
    tables, analyses, (answer,) = parts
    known = {"10", "32"}  # per cent to resolve; workers, as in `bills_by_workers`
    for column in ("runs", "runs_full_plan"):
        values = analyses.break_even[column]
        known |= {f"{math.ceil(v)}" for v in values if math.isfinite(v)}
    fractions = analyses.break_even["fraction"].dropna()
    known |= {f"{100 * value:.2g}" for value in fractions}
    known |= {f"{w:.0f}" for w in analyses.break_even["workers"].dropna()}
    for column in ("seeds", "passes"):
        known |= {f"{v:.0f}" for v in analyses.seeds_needed[column].dropna()}
    names = "|".join(map(re.escape, tables.bills["arm"]))
    said = [sentence for _, sentence in answer.changes]
    said += [d for d in answer.doubts if not d.startswith("Interval of")]
    for sentence in said:
        bare = re.sub(names, "", sentence)
        assert set(re.findall(r"\d+(?:\.\d+)?", bare)) <= known


def test_a_study_without_trials_or_hits_has_no_more_to_say():
    one = builder.study()
    planned = builder.progress(
        [(e.name, a.name, "policy", 3, 0) for e in one.workloads for a in one.arms]
    )
    results = builder.Records().results(one, planned)
    tables = make_tables(results)
    analyses = make_analyses(results, tables.bills, tables.sensitivity)
    verdicts = make_verdicts(results, tables.bills)
    (answer,) = make_answers(tables.bills, analyses, verdicts)
    assert (answer.changes, answer.doubts) == ((), ())
