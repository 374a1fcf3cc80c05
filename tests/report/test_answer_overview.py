"""The answer over all workloads, and the table of what it turns on."""

import dataclasses
import math
from collections import ChainMap

import pytest

from hpo_vs_adapt.report.sentences.overview import make_overview
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.tables.headlines import HEADLINE_COLUMNS, RIVALS
from hpo_vs_adapt.wording import UNKNOWN
from tests.report import browsing, builder

HARD = builder.workload("hard", 0.9999)


@pytest.fixture(scope="module")
def parts():
    """A study and its tables; nobody meets the target of the second workload."""
    return parts_of(builder.study(workloads=[builder.workload(), HARD], sweep=False))


def parts_of(one, results=None):
    return one, Tables(results or builder.finished(one))


def test_who_has_the_best_score_does_best_and_the_next_follow(parts):
    overview = make_overview(*parts)
    first, second = parts[1]["across_workloads"]["arm"][:2]
    assert overview.finding.startswith(f"Over 2 workloads {first} does best: score 0.5")
    assert "1 of 2 targets met" in overview.finding
    assert overview.details[0].startswith(f"Next by score: {second} ")


@pytest.mark.parametrize(
    ("twins", "said"), [(1, "; b-0 does as well."), (2, "; b-0 and b-1 do as well.")]
)
def test_arms_with_the_same_best_score_are_all_named(twins, said):
    equal = [builder.fixed_arm(name, 3e-3) for name in ("a", "b-0", "b-1")]
    arms = [*equal[: 1 + twins], builder.fixed_arm("slow", 1e-9)]
    entries = [builder.workload(), builder.workload("other")]
    overview = make_overview(*parts_of(builder.study(arms, entries, sweep=False)))
    assert overview.finding.startswith("Over 2 workloads a does best: score 1.00 of 1")
    assert overview.finding.endswith(said)
    assert not any(detail.startswith("Next") for detail in overview.details)


def test_a_workload_is_a_line_whoever_met_its_target(parts):
    easy, hard = make_overview(*parts).rows
    row = parts[1]["headlines"].iloc[0]
    assert (easy.workload, easy.leader) == ("digits_mlp", row["leader"])
    assert easy.candidates == f"{row['candidates']} of 4"
    assert (easy.tuned, easy.pays) == (row["tuned"], "never")
    assert (hard.leader, hard.bill, hard.candidates) == ("never met", "", "")


@pytest.mark.parametrize(
    ("runs", "said"),
    [(0.0, "at once"), (8.1, "9"), (math.inf, "never"), (math.nan, UNKNOWN)],
)
def test_after_how_many_trainings_tuning_pays_is_rounded_up_or_said(parts, runs, said):
    study, tables = parts
    pairs = tables["break_even"].assign(runs=runs)
    other = ChainMap({"break_even": pairs}, tables)
    assert make_overview(study, other).rows[0].pays == said


def test_the_best_tuned_arm_is_named_where_others_are_ahead_of_it():
    rates = (3e-3, 2.5e-3, 2e-3, 1.5e-3)
    fixed = [builder.fixed_arm(f"fixed-{lr:g}", lr) for lr in rates]
    arms = [builder.grid_arm(), *fixed, builder.adaptive_arm()]
    entries = [builder.workload(), builder.workload("other")]
    one = builder.study(arms, entries, sweep=False)
    details = make_overview(*parts_of(one)).details
    assert any("The best tuned arm is sgd-grid with" in detail for detail in details)


def test_an_arm_without_a_hit_anywhere_is_named():
    arms = [builder.fixed_arm(), builder.fixed_arm("slow", 1e-9)]
    entries = [builder.workload(), builder.workload("other")]
    one = builder.study(arms, entries, sweep=False)
    assert (
        "Without a hit on any workload: slow." in make_overview(*parts_of(one)).details
    )


def test_one_workload_needs_no_overview_nor_does_a_study_without_hits(parts):
    assert make_overview(*parts_of(builder.study(sweep=False))) is None
    hard = [HARD, builder.workload("harder", 0.99999)]
    assert make_overview(*parts_of(builder.study(workloads=hard, sweep=False))) is None


def test_an_unfinished_study_has_a_best_arm_so_far():
    results = browsing.unfinished()
    entries = (*results.study.workloads, HARD)
    study = dataclasses.replace(results.study, workloads=entries)
    rows = results.progress[results.progress["role"] == "policy"]
    planned = builder.progress(
        (row.workload, row.arm, "policy", row.planned, row.done)
        for row in rows.itertuples()
    )
    later = builder.progress(("hard", arm.name, "policy", 3, 0) for arm in study.arms)
    progress = type(planned)([*planned.to_dict("records"), *later.to_dict("records")])
    begun = dataclasses.replace(results, study=study, progress=progress)
    overview = make_overview(*parts_of(study, begun))
    assert " does best so far: score" in overview.finding
    assert overview.finding.startswith("Over 1 workload ")
    assert overview.rows[1].leader == "no trial yet"


def test_headlines_of_a_race_that_nobody_won_have_no_rivals(parts):
    row = parts[1]["headlines"].iloc[1]
    assert list(row.index) == list(HEADLINE_COLUMNS)
    assert (row["met"], row["candidates"], row["tied"], row["leader"]) == (0, 0, 0, "")
    assert all(row[rival] == "" for rival in RIVALS)
    assert all(math.isnan(row[f"{rival}_ratio"]) for rival in RIVALS)
    assert row["missed"] == 4
