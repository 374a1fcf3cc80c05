"""What is found between two reports, and in which words."""

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from hpo_vs_adapt.report import write_report
from hpo_vs_adapt.report.compare import (
    CHANGE_COLUMNS,
    Report,
    compare_reports,
    read_report,
)
from hpo_vs_adapt.report.compare.verdicts import MINUS
from hpo_vs_adapt.tables.catalogue import Tables
from tests.report import builder
from tests.report.compare.examples import (
    change_summary,
    change_table,
    compared,
    notes,
    row,
    written,
)


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The report of an imagined study with five seeds."""
    return written(tmp_path_factory.mktemp("before"), "before", seeds=range(5))


def copied(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before, tmp_path / "after"))


@pytest.fixture(scope="module")
def after(tmp_path_factory):
    """The same with another rate of Adam."""
    folder = tmp_path_factory.mktemp("after")
    return written(folder, "after", arms=arms(3e-3), seeds=range(5))


def arms(adam: float = 1e-3) -> list[Any]:
    return [
        builder.grid_arm(),
        builder.optuna_arm(),
        builder.fixed_arm(lr=adam),
        builder.adaptive_arm(),
    ]


def test_a_better_setting_differs_beyond_noise_and_the_rest_is_the_same(before, after):
    comparison = compared(before, after)
    bill = row(comparison, "adam-default", "bill")
    assert bill["finding"] == "differs"
    assert bill["change"] == pytest.approx(bill["other"] / bill["first"])
    assert bill["all_low"] < bill["low"] < bill["change"] < bill["high"] < 1
    assert bill["verdict"] == "2.1 times as cheap [1.9, 2.4]"
    assert bill["paired"] == 5
    best = row(comparison, "adam-default", "best")
    assert (best["finding"], comparison.tested) == ("differs", 2)
    assert best["verdict"] == "0.014 better [0.0066, 0.022]"
    others = comparison.changes[comparison.changes["arm"] != "adam-default"]
    assert set(others["finding"]) == {"same"}


def test_a_difference_is_called_perhaps_once_more_is_compared(before, after, tmp_path):
    elsewhere = written(tmp_path, "elsewhere", seeds=range(5, 10))
    comparison = compared(before, after, elsewhere)
    assert comparison.tested > 8
    table = comparison.changes[comparison.changes["report"] == "B"]
    best = row(dataclasses.replace(comparison, changes=table), "adam-default", "best")
    assert best["finding"] == "perhaps"
    assert best["all_low"] < 0 < best["low"]
    assert best["verdict"] == "perhaps 0.014 better [0.0066, 0.022]"


def test_the_intervals_that_hold_together_are_bonferronis(before, after):
    bill = row(compared(before, after), "adam-default", "bill")
    widths = [
        math.log(bill[f"{kind}high"] / bill[f"{kind}low"]) for kind in ("", "all_")
    ]
    expected = stats.t.ppf(1 - 0.025 / 2, 4) / stats.t.ppf(0.975, 4)
    assert widths[1] / widths[0] == pytest.approx(expected)


def test_the_other_way_round_cheap_is_dear_and_better_is_worse(before, after):
    there, back = compared(before, after), compared(after, before)
    one, two = (row(each, "adam-default", "bill") for each in (there, back))
    assert one["change"] * two["change"] == pytest.approx(1)
    assert one["low"] * two["high"] == pytest.approx(1)
    assert two["verdict"] == "2.1 times as dear [1.9, 2.4]"
    assert "worse [0.0066, " in row(back, "adam-default", "best")["verdict"]


def test_a_lower_metric_is_better_where_the_mode_is_min(tmp_path):
    loss = [builder.workload(target=0.3, metric=builder.LOSS)]
    folders = [
        written(tmp_path, name, arms=arms(lr), workloads=loss, seeds=range(5))
        for name, lr in (("one", 1e-3), ("two", 3e-3))
    ]
    best = row(compared(*folders), "adam-default", "best")
    assert best["change"] < 0
    assert " better [" in best["verdict"]


def test_more_seeds_of_the_same_share_trials_and_do_not_differ(before, tmp_path):
    after = written(tmp_path, "after", seeds=range(8))
    comparison = compared(before, after)
    bill = row(comparison, "adam-default", "bill")
    assert (bill["shared"], bill["paired"]) == (5, 0)
    assert bill["finding"] == "noise"
    assert bill["verdict"].startswith("no difference beyond noise: ")
    assert "seeds: [0, 1, 2, 3, 4] → [0, 1, 2, 3, 4, 5, 6, 7]" in notes(
        comparison, "Defined otherwise"
    )


def test_a_target_that_is_met_no_more_is_shown_with_its_hits(before, tmp_path):
    worse = arms()
    worse[2] = builder.fixed_arm(lr=1e-6)
    after = written(tmp_path, "after", arms=worse, seeds=range(5))
    there, back = compared(before, after), compared(after, before)
    bill, hits = (row(there, "adam-default", kind) for kind in ("bill", "hits"))
    assert (bill["finding"], bill["verdict"]) == ("gone", "met in A, never in B")
    assert math.isnan(bill["other"])
    assert math.isnan(bill["change"])
    assert bill["shown"]
    assert hits["shown"]
    assert (hits["first"], hits["other"]) == (1, 0)
    assert hits["verdict"].startswith(f"met less often: {MINUS}1 [{MINUS}1")
    gained = row(back, "adam-default", "bill")
    assert (gained["finding"], gained["verdict"]) == ("new", "met in B, never in A")
    neither = row(compared(after, after), "adam-default", "bill")
    assert neither["finding"] == "same"


def test_the_same_trials_at_another_target_are_not_tested(before, tmp_path):
    after = copied(before, tmp_path)
    summary = json.loads((after / "summary.json").read_text())
    summary["workloads"][0]["target"] = 0.95
    change_summary(after, workloads=summary["workloads"])
    costs = pd.read_csv(after / "tables" / "trials.csv")["cost_to_target"]
    change_table(after, "trials", cost_to_target=costs * 2)
    comparison = compared(before, after)
    bill = row(comparison, "clara", "bill")
    assert (bill["finding"], bill["shown"]) == ("asked", True)
    assert bill["verdict"] == "same trials, another target"
    assert row(comparison, "clara", "best")["finding"] == "same"
    assert comparison.tested == 0
    assert notes(comparison, "Defined otherwise") == ("digits_mlp: target 0.9 → 0.95",)


def test_the_same_trials_with_other_numbers_were_trained_elsewhere(before, tmp_path):
    after = copied(before, tmp_path)
    best = pd.read_csv(after / "tables" / "trials.csv")["best_metric"]
    change_table(after, "trials", best_metric=best + 1e-4)
    moved = row(compared(before, after), "clara", "best")
    assert moved["finding"] == "moved"
    assert moved["verdict"] == "same trials, other numbers"


def test_another_metric_is_another_question(before, tmp_path):
    after = copied(before, tmp_path)
    summary = json.loads((after / "summary.json").read_text())
    summary["workloads"][0]["metric"] = "balanced accuracy"
    change_summary(after, workloads=summary["workloads"])
    comparison = compared(before, after)
    assert set(comparison.changes["verdict"]) == {"another metric"}
    assert comparison.tested == 0


def test_records_that_changed_with_the_code_are_told(before, tmp_path):
    after = copied(before, tmp_path)
    trials = pd.read_csv(after / "tables" / "trials.csv", dtype={"key": str})
    keys = trials["key"].where(trials["arm"] != "clara", "f" + trials["key"])
    change_table(after, "trials", key=keys)
    comparison = compared(before, after)
    count = int((trials["arm"] == "clara").sum())
    assert notes(comparison, "Same settings and seeds") == (
        f"digits_mlp: {count} trials of clara",
    )
    assert row(comparison, "clara", "bill")["verdict"] == "equal"


def test_definitions_are_compared_key_by_key(tmp_path):
    told = {
        "one": "optimizer: {rule: sgd}, tune: {by: grid, retrain: 3}",
        "two": "optimizer: {rule: sgd, momentum: 0.9}, tune: {by: grid}",
    }
    for name, arm in told.items():
        folder = written(tmp_path, name, arms=[builder.grid_arm()], sweep=False)
        text = f"workloads: [digits_mlp]\narms:\n  - {{name: sgd-grid, {arm}}}\n"
        (folder / "study.yaml").write_text(text)
    comparison = compared(tmp_path / "one", tmp_path / "two")
    assert notes(comparison, "Defined otherwise") == (
        "sgd-grid: tune.retrain 3 → default; optimizer.momentum default → 0.9",
    )


def test_what_only_one_report_has_is_named_and_long_lists_are_cut(tmp_path):
    many = [builder.fixed_arm(f"arm-{number}") for number in range(12)]
    workloads = [builder.workload(), builder.workload("wine_mlp")]
    one = written(tmp_path, "one", arms=many, workloads=workloads, sweep=False)
    two = written(
        tmp_path, "two", arms=[*many[:2], builder.fixed_arm("new")], sweep=False
    )
    comparison = compared(one, two)
    assert notes(comparison, "Only in A") == (
        "workloads wine_mlp",
        "arms arm-2, arm-3, arm-4, arm-5, arm-6, arm-7, arm-8 and 3 others",
    )
    assert notes(comparison, "Only in B") == ("arms new",)
    assert set(comparison.changes["arm"]) == {"arm-0", "arm-1"}
    assert set(comparison.changes["workload"]) == {"digits_mlp"}


def test_an_unfinished_report_is_compared_by_the_trials_it_has(before, tmp_path):
    after = copied(before, tmp_path)
    path = after / "tables" / "trials.csv"
    trials = pd.read_csv(path, dtype={"key": str})
    gone = (trials["arm"] == "clara") | (trials["seed"] == 4)
    trials[~gone].to_csv(path, index=False)
    progress = pd.read_csv(after / "tables" / "progress.csv")
    done = progress["done"].where(progress["arm"] != "clara", 0)
    change_table(after, "progress", done=done)
    comparison = compared(before, after)
    assert notes(comparison, "Not finished in B") == (
        "digits_mlp, clara: 0 of 5 trials",
    )
    assert "clara" not in set(comparison.changes["arm"])
    assert row(comparison, "adam-default", "bill")["shared"] == 4


def test_a_report_without_trials_shares_nothing(before, tmp_path):
    after = copied(before, tmp_path)
    path = after / "tables" / "trials.csv"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    comparison = compared(before, after)
    assert comparison.changes.empty
    assert tuple(comparison.changes.columns) == CHANGE_COLUMNS
    assert list(comparison.firsts["report"]) == ["A"]


def test_the_order_of_rows_in_a_table_changes_nothing(before, after):
    report = read_report(after)
    turned = dataclasses.replace(report, trials=report.trials.iloc[::-1])
    first: Report = read_report(before)
    one, two = (compare_reports([first, each]).changes for each in (report, turned))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.slow  # it draws all figures
def test_a_report_as_it_is_written_can_be_read(before, tmp_path):
    tables = Tables(builder.finished(builder.study(seeds=range(5))))
    page = write_report(tables, tmp_path / "x")
    comparison = compared(before, page.parent)
    assert set(comparison.changes["finding"]) == {"same"}
    assert comparison.notes == {"B": []}


def test_every_report_is_compared_with_the_first(before, after):
    comparison = compared(before, before, after)
    assert list(comparison.reports) == ["A", "B", "C"]
    findings = comparison.changes.groupby("report")["finding"].agg(set).to_dict()
    assert findings["B"] == {"same"}
    assert "differs" in findings["C"]
