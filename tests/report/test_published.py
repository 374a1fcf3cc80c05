"""Results held against published values: imagined ones, and those of a real study."""

import json
import math

import pandas as pd
import pytest

from hpo_vs_adapt.report import write_report
from hpo_vs_adapt.report.html.comparison import make_comparison
from hpo_vs_adapt.study.published import Published, PublishedRow
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.tables.published import compare_published
from hpo_vs_adapt.wording import UNKNOWN
from tests.report import builder
from tests.running import command, ray_here

NAN = math.nan
DIGITS = builder.workload("digits")
HELD_OUT = builder.workload("held-out")
LOSS = builder.workload("valley", 0.5, builder.LOSS)
SGD = builder.fixed_arm("sgd", 0.1)
CLARA = builder.adaptive_arm("clara", 0.1)
STUDY = builder.study([SGD, CLARA], [DIGITS, HELD_OUT, LOSS], sweep=False)


def curve(value, test=None, loss=1.0):
    """Return a curve of three evaluations: 0, half and all of the value."""
    made = builder.train(DIGITS, SGD, 0.1, 0).iloc[:3].reset_index(drop=True)
    made["validation_metric"] = [0, value / 2, value]
    made["test_metric"] = [0, 0, value if test is None else test]
    made["validation_loss"] = [9.0, loss, 2 * loss]
    made["train_loss"] = [NAN, 3.0, 4.0]
    return made


def add(records, value, seed, arm=SGD, entry=DIGITS, role="policy", **more):
    settings = {"lr": 0.1, **more.pop("settings", {})}
    end = more.pop("end", "budget")
    made = curve(value, more.pop("test", None), more.pop("loss", 1.0))
    key = f"{entry.name} {arm.name} {role} {seed} {settings} {value}"
    row = {"settings": settings, "key": more.pop("key", key), "end": end, **more}
    records.add(entry, arm, 0.1, seed, role, curve=made, **row)
    # The builder files a curve under a key of its own.
    records.curves[row["key"]] = made


def compare(records, *rows, statistic="final_test_metric", **more):
    published = Published("A paper", rows, statistic, **more)
    return compare_published(records.results(STUDY), published)


def row(value=90.0, arm="sgd", workload="digits", sd=None, statistic=None, **settings):
    return PublishedRow(workload, arm, settings, value, sd, statistic)


def test_seeds_are_averaged_and_differ_from_the_published_value():
    records = builder.Records()
    for seed, value in enumerate((0.88, 0.90, 0.95)):
        add(records, value, seed)
    (found,) = compare(records, row(sd=0.5), percent=True).to_dict("records")
    assert found["ours"] == pytest.approx(91)
    assert found["ours_sd"] == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert found["difference"] == pytest.approx(1)
    assert (found["published"], found["published_sd"], found["trials"]) == (90, 0.5, 3)
    assert (found["diverged"], found["source"]) == (0, "A paper")


def test_trials_of_other_settings_arms_and_workloads_do_not_count():
    records = builder.Records()
    add(records, 0.5, 0)
    add(records, 0.6, 0, settings={"lr": 0.2})
    add(records, 0.7, 0, arm=CLARA)
    add(records, 0.8, 0, entry=HELD_OUT)
    table = compare(records, row(lr=0.1), row(lr=0.2), row(), row(lr=0.3))
    assert list(table["trials"]) == [1, 1, 2, 0]
    assert list(table["ours"].round(6))[:3] == [0.5, 0.6, 0.55]
    assert table["ours"].isna()[3]
    assert list(table["lr"])[:2] == [0.1, 0.2]


def test_settings_are_matched_as_numbers_and_not_as_flags():
    records = builder.Records()
    add(records, 0.5, 0, settings={"lr": 1e-3 * (1 + 1e-12), "nesterov": True})
    table = compare(records, row(lr=0.001), row(nesterov=True), row(nesterov=1.0))
    assert list(table["trials"]) == [1, 1, 0]


def test_the_batch_size_is_a_setting_too():
    records = builder.Records()
    add(records, 0.5, 0, batch_size=64)
    add(records, 0.7, 0, batch_size=128, key="other")
    table = compare(records, row(batch_size=64), row(batch_size=128))
    assert list(table["ours"]) == [0.5, 0.7]


def test_sweeps_count_and_a_trial_that_is_in_both_counts_once():
    records = builder.Records()
    add(records, 0.5, 0, key="same")
    add(records, 0.5, 0, role="sweep", key="same")
    add(records, 0.7, 1, role="sweep")
    (found,) = compare(records, row()).to_dict("records")
    assert (found["trials"], found["ours"]) == (2, pytest.approx(0.6))


def test_retrained_winners_and_crashes_do_not_count():
    records = builder.Records()
    add(records, 0.5, 0)
    add(records, 0.9, 1, role="retrain")
    add(records, 0.1, 2, end="crashed")
    (found,) = compare(records, row()).to_dict("records")
    assert (found["trials"], found["ours"]) == (1, 0.5)


def test_a_diverged_trial_is_left_out_and_counted():
    records = builder.Records()
    add(records, 0.5, 0)
    add(records, NAN, 1, end="diverged")
    (found,) = compare(records, row()).to_dict("records")
    assert (found["trials"], found["diverged"], found["ours"]) == (2, 1, 0.5)


def test_a_diverged_trial_counts_what_the_study_says():
    records = builder.Records()
    add(records, 0.5, 0)
    add(records, NAN, 1, end="diverged")
    (found,) = compare(records, row(), percent=True, diverged=10.0).to_dict("records")
    assert (found["diverged"], found["ours"]) == (1, pytest.approx(30))


def damped(records, damping, test, validation, seed=0, entry=DIGITS):
    settings = {"damping": damping}
    add(records, validation, seed, CLARA, entry, settings=settings, test=test)


@pytest.mark.parametrize(
    ("by", "chosen", "ours"), [("test", 0.1, 80), ("validation", 0.01, 75)]
)
def test_the_best_value_of_a_setting_is_chosen_by_test_or_validation(by, chosen, ours):
    records = builder.Records()
    for seed in (0, 1):
        damped(records, 0.1, test=0.8, validation=0.6, seed=seed)
        damped(records, 0.01, test=0.75, validation=0.7, seed=seed)
    one = row(arm="clara", lr=0.1)
    table = compare(records, one, over="damping", by=by, percent=True)
    (found,) = table.to_dict("records")
    assert (found["chosen"], found["trials"]) == (chosen, 2)
    assert found["ours"] == pytest.approx(ours)


def test_selection_is_by_the_mean_over_seeds_and_divergence_is_the_worst():
    records = builder.Records()
    damped(records, 0.1, test=0.99, validation=0.99, seed=0)
    damped(records, 0.1, test=NAN, validation=NAN, seed=1)
    for seed in (0, 1):
        damped(records, 0.01, test=0.2, validation=0.2, seed=seed)
    (found,) = compare(records, row(arm="clara"), over="damping", by="test").to_dict(
        "records"
    )
    assert (found["chosen"], found["ours"]) == (0.01, pytest.approx(0.2))


def test_of_two_equal_values_the_first_is_chosen():
    records = builder.Records()
    for damping in (0.3, 0.1):
        damped(records, damping, test=0.5, validation=0.5)
    table = compare(records, row(arm="clara"), over="damping", by="test")
    assert list(table["chosen"]) == [0.3]


def test_where_less_is_better_the_least_is_chosen():
    records = builder.Records()
    for damping, value in ((0.1, 0.4), (0.01, 0.2), (0.001, 0.3)):
        damped(records, damping, test=value, validation=value, entry=LOSS)
    one = row(0.25, arm="clara", workload="valley")
    table = compare(records, one, over="damping", by="validation")
    assert (list(table["chosen"]), list(table["ours"])) == ([0.01], [0.2])


def test_an_arm_without_the_selected_setting_has_nothing_chosen():
    records = builder.Records()
    add(records, 0.5, 0)
    (found,) = compare(records, row(), over="damping", by="test").to_dict("records")
    assert (found["chosen"], found["trials"]) == (None, 1)


def test_the_second_column_has_its_own_workload_and_selection():
    records = builder.Records()
    damped(records, 0.1, test=0.8, validation=0.6)
    damped(records, 0.01, test=0.75, validation=0.7)
    damped(records, 0.1, test=0.7, validation=0.6, entry=HELD_OUT)
    damped(records, 0.01, test=0.65, validation=0.7, entry=HELD_OUT)
    (found,) = compare(
        records,
        row(0.9, arm="clara"),
        over="damping",
        by="test",
        beside={"digits": "held-out"},
        beside_by="validation",
    ).to_dict("records")
    assert (found["chosen"], found["ours"]) == (0.1, 0.8)
    assert (found["beside_workload"], found["beside_chosen"]) == ("held-out", 0.01)
    assert found["beside"] == pytest.approx(0.65)
    assert found["beside_difference"] == pytest.approx(-0.25)
    assert found["beside_trials"] == 1


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("final_test_metric", 0.7),
        ("final_validation_metric", 0.8),
        ("best_validation_metric", 0.8),
        ("test_metric_at_best", 0.7),
        ("final_validation_loss", 0.6),
        ("best_validation_loss", 0.3),
        ("final_train_loss", 4.0),
        ("final_lr", 0.1),
    ],
)
def test_every_statistic_is_that_of_the_curve(statistic, expected):
    records = builder.Records()
    add(records, 0.8, 0, test=0.7, loss=0.3)
    for one in (row(), row(statistic=statistic)):
        asked = "final_train_loss" if one.statistic else statistic
        (found,) = compare(records, one, statistic=asked).to_dict("records")
        assert found["ours"] == pytest.approx(expected)
        assert found["statistic"] == statistic


def test_the_best_of_a_loss_is_its_least():
    records = builder.Records()
    add(records, 0.8, 0, entry=LOSS)  # 0 at the first evaluation
    table = compare(records, row(workload="valley"), statistic="best_validation_metric")
    assert list(table["ours"]) == [0]


def test_percents_are_of_metrics_alone():
    records = builder.Records()
    add(records, 0.8, 0, loss=0.3)
    rows = (row(), row(statistic="final_validation_loss"))
    table = compare(records, *rows, percent=True)
    assert list(table["ours"]) == [pytest.approx(80), pytest.approx(0.6)]


def test_a_row_without_a_value_has_ours_and_no_difference():
    records = builder.Records()
    add(records, 0.8, 0)
    (found,) = compare(records, row(None)).to_dict("records")
    assert found["ours"] == 0.8
    assert math.isnan(found["difference"])


def test_a_study_without_any_trial_has_a_table():
    table = compare(builder.Records(), row(lr=0.1), over="damping", by="test")
    assert list(table["trials"]) == [0]
    assert table["ours"].isna().all()


def test_the_page_shows_what_the_table_has():
    records = builder.Records()
    for seed, value in enumerate((0.88, 0.90)):
        add(records, value, seed)
    add(records, NAN, 2, end="diverged")
    published = Published(
        "A <paper>", (row(sd=0.5, lr=0.1), row(None)), "final_test_metric", True
    )
    table = compare_published(records.results(STUDY), published)
    first, second = make_comparison(published, table).rows
    assert first["published"] == "90.0 ± 0.5"
    assert first["ours"] == "89.0 ± 1.4"
    assert first["difference"] == "-1.0"
    assert first["trials"] == "3, 1 diverged"
    assert first["settings"] == "lr 0.1"
    assert second["published"] == second["difference"] == UNKNOWN


SMALL = """\
name: small
seeds: [0, 1]
workloads:
  - {name: sphere, budget: {epochs: 0.1}}
  - {name: noisy_sphere, budget: {epochs: 0.1}}
arms:
  - {name: sgd, optimizer: {rule: sgd, lr: 0.1}}
  - {name: clara, optimizer: {rule: clara, lr: 0.1}}
sensitivity:
  - {arms: [sgd], vary: {lr: [0.05, 0.1]}}
  - {arms: [clara], vary: {lr: [0.1], damping: [1e-3, 1e-1]}}
published:
  source: "<b>Nobody</b>, On spheres, Table 3"
  table: small.csv
  statistic: final_validation_metric
  select: {over: damping, by: validation}
  beside: {workloads: {sphere: noisy_sphere}, by: validation}
smoke: {seeds: [0], arms: [sgd], budget: {epochs: 0.05}}
"""
TABLE = """\
workload,arm,lr,value
sphere,sgd,0.1,0.15
sphere,sgd,0.05,0.5
sphere,clara,,0.15
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a small study and its smoke run were run."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "small.yaml").write_text(SMALL)
    (folder / "small.csv").write_text(TABLE)
    for more in ([], ["--smoke"]):
        with ray_here():
            done = command(folder, "run", "small.yaml", *more)
        assert done.exit_code == 0, done.output
    return folder


@pytest.mark.slow
def test_a_real_study_is_held_against_its_table(folder):
    table = pd.read_csv(folder / "reports/small/tables/published.csv")
    # (1 - 2 lr)^10 of the distance from (1, 1): nothing is drawn
    for lr, ours in zip((0.1, 0.05), table["ours"], strict=False):
        assert ours == pytest.approx(math.sqrt(2) * (1 - 2 * lr) ** 10, rel=1e-4)
    assert list(table["trials"]) == [2, 2, 2]
    assert list(table["ours_sd"])[:2] == [0, 0]
    assert (table["beside"] > 0).all()
    assert table["chosen"].isna()[0]
    assert table["chosen"][2] in (1e-3, 1e-1)
    page = (folder / "reports/small/index.html").read_text()
    assert "Against the published numbers" in page
    assert "&lt;b&gt;Nobody&lt;/b&gt;, On spheres, Table 3" in page
    assert "A smoke run" not in page


@pytest.mark.slow
def test_a_real_smoke_run_leaves_the_study_alone_and_says_what_it_is(folder):
    page = (folder / "reports/small-smoke/index.html").read_text()
    assert "A smoke run:" in page
    summary = json.loads((folder / "reports/small-smoke/summary.json").read_text())
    assert summary["study"] == "small-smoke"
    assert [arm["arm"] for arm in summary["arms"]] == ["sgd", "sgd"]
    trials = pd.read_csv(folder / "reports/small-smoke/tables/trials.csv")
    assert set(trials["seed"]) == {0}
    assert set(trials["steps"]) == {5}
    assert set(pd.read_csv(folder / "reports/small/tables/trials.csv")["steps"]) == {10}


def test_a_report_without_published_values_has_no_table_of_them(tmp_path):
    one = builder.study([SGD], [DIGITS], seeds=[0, 1], sweep=False)
    page = write_report(Tables(builder.finished(one)), tmp_path)
    assert not (tmp_path / "tables/published.csv").exists()
    assert "published numbers" not in page.read_text()
