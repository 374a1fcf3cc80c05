"""Which figures there are, what is said of them; none is drawn from nothing."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from hpo_vs_adapt.report import make_drawings
from hpo_vs_adapt.report.figures.scene import make_scene, some
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.tables.chances import make_chances
from tests.report import builder

pytestmark = pytest.mark.slow

TOPICS = {
    *("bills", "race", "budgets", "break_even", "sensitivity", "controllers"),
    *("targets", "suite", "ledger"),
}
OF_A_WORKLOAD = {
    *("bills", "race", "chances", "training", "best", "tuning", "break-even"),
    *("sensitivity", "batch-sizes", "spread", "importances", "dependence", "rates"),
    *("choices", "scalars", "targets", "ledger"),
}


def drawn(results):
    return make_drawings(results.study, Tables(results))


@pytest.fixture(scope="module")
def results(rich_tables):
    return rich_tables.given


@pytest.fixture(scope="module")
def drawings(results, rich_tables):
    made = make_drawings(results.study, rich_tables)
    return {drawing.name: drawing for drawing in made}


def test_every_workload_has_every_figure(drawings):
    for slug in ("digits-mlp", "valley"):
        assert {f"{kind}-{slug}" for kind in OF_A_WORKLOAD} <= set(drawings)
    assert {"ratios", "profiles", "scores", "plane"} <= set(drawings)
    assert {drawing.topic for drawing in drawings.values()} == TOPICS


def test_only_figures_over_all_workloads_belong_to_none(drawings):
    for drawing in drawings.values():
        assert (drawing.workload == "") == (drawing.topic == "suite")


def test_bills_and_race_have_a_twin_in_flops(drawings):
    twins = {name for name, drawing in drawings.items() if drawing.unit == "flops"}
    assert twins == {
        f"{kind}-{slug}-flops"
        for kind in ("bills", "race")
        for slug in ("digits-mlp", "valley")
    }
    for name in twins:
        first = drawings[name.removesuffix("-flops")]
        assert first.unit == "cost"
        assert "sample gradients" in first.svg
        assert "FLOPs" in drawings[name].svg


def test_flops_are_the_flops_of_a_sample_gradient_times_the_cost(results):
    tables = Tables(results)
    entry = results.study.workloads[0]
    scene = make_scene(results.study, entry, "digits-mlp", tables)
    assert [unit.factor for unit in scene.units] == pytest.approx([1, 1e4])


def test_every_figure_has_words_and_a_table(results, drawings):
    for drawing in drawings.values():
        assert drawing.table in Tables(results)
        assert drawing.title
        assert drawing.caption.endswith(".")
        assert drawing.finding.endswith(".")
        assert "nan" not in drawing.finding
        ElementTree.fromstring(drawing.svg)


def test_the_finding_of_the_bills_names_every_bill(rich_tables, drawings):
    bills = rich_tables["bills"]
    said = drawings["bills-digits-mlp"].finding
    for arm in bills.loc[bills["workload"] == "digits_mlp", "arm"]:
        assert arm in said


def test_the_same_tables_give_the_same_bytes(rich_tables, drawings):
    again = make_drawings(rich_tables.given.study, rich_tables)
    assert {drawing.name: drawing for drawing in again} == drawings


def test_break_even_is_between_the_two_arms_of_the_answer(rich_tables, drawings):
    headlines = rich_tables["headlines"]
    drawn_pairs = [drawing for name, drawing in drawings.items() if "break-e" in name]
    assert drawn_pairs
    for drawing in drawn_pairs:
        of_workload = headlines["workload"] == drawing.workload
        (row,) = headlines[of_workload].itertuples()
        pair = f"{row.tuned}, the tuned arm with the least bill, and {row.untuned},"
        assert pair in drawing.caption
        marks = ("pays after", "bills cross at", "quicker from")
        marked = any(mark in drawing.svg for mark in marks)
        assert ("Dotted" in drawing.caption) is marked
        assert ("cross in none" in drawing.caption) is not marked


def test_what_has_no_numbers_is_left_out():
    one = builder.study([builder.fixed_arm()], seeds=[0], sweep=False)
    kinds = {drawing.name for drawing in drawn(builder.finished(one))}
    absent = {"sensitivity", "batch-sizes", "importances", "rates", "choices"}
    assert not {f"{kind}-digits-mlp" for kind in absent} & kinds
    suite = {"ratios", "profiles", "scores", "plane"}
    assert not suite & kinds  # there is one workload


def test_a_study_without_a_trial_has_a_figure_of_bills_alone():
    one = builder.study()
    planned = [
        (w.name, a.name, "policy", 3, 0) for w in one.workloads for a in one.arms
    ]
    empty = builder.Records().results(one, builder.progress(planned))
    (only,) = drawn(empty)
    assert only.name == "bills-digits-mlp"
    assert "no trial yet" in only.svg


def test_where_nobody_met_the_target_it_is_said():
    one = builder.study(workloads=[builder.workload(target=0.99999)])
    names = {drawing.name: drawing for drawing in drawn(builder.finished(one))}
    assert names["bills-digits-mlp"].finding.startswith("Never met the target")
    assert "never meets it" in names["race-digits-mlp"].finding
    assert "break-even-digits-mlp" not in names


def test_failed_runs_of_a_sweep_are_counted(results, drawings):
    sweeps = results.records[results.records["role"] == "sweep"]
    own = sweeps[(sweeps["workload"] == "digits_mlp") & (sweeps["batch_size"] == 50)]
    failed = int(own["failed"].sum())
    assert failed > 1
    assert f"Failed: {failed} runs." in drawings["sensitivity-digits-mlp"].finding


def test_a_figure_of_lines_names_eight_arms_of_ninety():
    arms = [builder.fixed_arm(f"adam-{i}", 10 ** (-i / 30)) for i in range(90)]
    results = builder.finished(builder.study(arms, seeds=[0, 1], sweep=False))
    tables = Tables(results)
    entry = results.study.workloads[0]
    scene = make_scene(results.study, entry, "digits-mlp", tables)
    named = scene.named(tables["race"])
    assert len(named) == 8
    assert len({look.colour for look in named.values()}) == 8
    cheapest = tables["bills"].sort_values("bill")["arm"].iloc[0]
    assert {cheapest, results.study.reference} <= set(named)
    race = next(
        d for d in make_drawings(results.study, tables) if d.name == "race-digits-mlp"
    )
    assert "82 other arms" in race.svg
    assert len(race.svg) < 250_000


def test_long_series_end_with_how_many_are_left():
    assert some("abc") == "a, b and c"
    assert some(map(str, range(20)), most=4) == "0, 1, 2 and 17 more"


def test_chances_are_shares_of_passes_that_met_the_target(results):
    chances = make_chances(results.records, results.progress)
    for _, rows in chances.groupby(["workload", "arm"]):
        assert rows["cost"].iloc[0] == 0
        assert rows["probability"].iloc[0] == 0
        assert rows["probability"].is_monotonic_increasing
    own = chances[(chances["arm"] == "gala") & (chances["workload"] == "digits_mlp")]
    hits = results.records[
        (results.records["arm"] == "gala")
        & (results.records["role"] == "policy")
        & (results.records["workload"] == "digits_mlp")
    ]["cost_to_target"]
    for row in own.itertuples():
        assert row.probability == pytest.approx(np.mean(hits <= row.cost))


def test_a_search_that_goes_on_is_not_a_search_that_failed(results):
    """Of three passes the first misses at 10, the others hit at 20 and at 30."""
    trials = results.records[
        (results.records["arm"] == "gala")
        & (results.records["role"] == "policy")
        & (results.records["workload"] == "digits_mlp")
    ].assign(
        hit=[False, True, True],
        failed=False,
        cost=[10.0, 20.0, 30.0],
        cost_to_target=[math.inf, 20.0, 30.0],
    )
    done = builder.progress([("digits_mlp", "gala", "policy", 3, 3)])
    goes_on = builder.progress([("digits_mlp", "gala", "policy", 4, 3)])
    assert make_chances(trials, done)["probability"].max() == pytest.approx(2 / 3)
    assert make_chances(trials, goes_on)["probability"].max() == pytest.approx(1)
