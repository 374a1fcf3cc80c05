"""What is read of reports, and what is refused."""

import dataclasses
import json
import math

import pandas as pd
import pytest

from hpo_vs_adapt.report.compare import (
    CHANGE_COLUMNS,
    ReportProblem,
    compare_reports,
    read_report,
)
from tests.report import builder
from tests.report.compare.examples import (
    EXAMPLES,
    QUICKSTART,
    change_summary,
    change_table,
    compared,
    written,
)


@pytest.mark.parametrize("name", ["quickstart", "clara_synthetic", "gap_momentum"])
def test_the_numbers_are_those_that_the_report_itself_states(name):
    folder = EXAMPLES / name
    summary = json.loads((folder / "summary.json").read_text())
    stated = {(arm["workload"], arm["arm"]): arm for arm in summary["arms"]}
    table = compared(folder, folder).changes
    assert len(table)
    for one in table.to_dict("records"):
        arm = stated[one["workload"], one["arm"]]
        expected = {
            "bill": arm["bill"]["expected"],
            "per run": arm["cost_per_run"]["expected"],
            "best": arm["best_metric"],
            "hits": arm["pass_hits"] / arm["passes"],
        }[one["quantity"]]
        known = math.nan if expected is None else expected
        assert one["first"] == pytest.approx(known, rel=1e-12, nan_ok=True)


def test_a_report_against_itself_is_the_same_trials_and_nothing_is_tested():
    comparison = compared(QUICKSTART, QUICKSTART)
    table = comparison.changes
    assert tuple(table.columns) == CHANGE_COLUMNS
    # 12 arms of 2 workloads; of each two, 2 are tuned and have runs besides
    assert len(table) == 12 * 3 + 4
    assert set(table["finding"]) == {"same"}
    assert not table["shown"].any()
    assert comparison.tested == 0
    assert comparison.notes == {"B": []}


def test_who_has_the_least_bill_is_told_of_every_report():
    comparison = compared(QUICKSTART, QUICKSTART)
    summary = json.loads((QUICKSTART / "summary.json").read_text())
    stated = {
        (a["workload"], a["arm"]): a["first_probability"] for a in summary["arms"]
    }
    rows = comparison.firsts.to_dict("records")
    assert [(one["report"], one["arm"]) for one in rows] == [
        *(("A", "clara-sgd"), ("A", "sgd-grid")),
        *(("B", "clara-sgd"), ("B", "sgd-grid")),
    ]
    for one in rows:
        probability = stated[one["workload"], one["arm"]]
        assert one["first_probability"] == pytest.approx(probability, abs=0.02)


def test_names_that_look_like_numbers_or_nothing_stay_names(tmp_path):
    arms = [builder.fixed_arm("null"), builder.fixed_arm("1e5"), builder.fixed_arm("")]
    folder = written(tmp_path, "names", arms=arms, sweep=False)
    report = read_report(folder)
    assert set(report.trials["arm"]) == {"null", "1e5", ""}
    table = compared(folder, folder).changes
    assert list(table["arm"].unique()) == ["null", "1e5", ""]


def test_keys_of_digits_alone_are_not_rounded(tmp_path):
    folder = written(tmp_path, "keys")
    count = len(pd.read_csv(folder / "tables" / "trials.csv"))
    keys = [f"{number:032d}" for number in range(10**17, 10**17 + count)]
    change_table(folder, "trials", key=keys)
    assert list(read_report(folder).trials["key"]) == keys


def test_a_folder_without_a_summary_is_no_report(tmp_path):
    with pytest.raises(ReportProblem, match=r"without summary\.json"):
        read_report(tmp_path)
    with pytest.raises(ReportProblem, match="must be the folder of a report"):
        read_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must hold JSON"),
        ("[]", "`schema` must be 1; got None"),
        ('{"schema": 2}', "`schema` must be 1; got 2"),
        ('{"schema": 1, "study": "x"}', "`unit` must be there"),
    ],
)
def test_a_summary_that_cannot_be_read_is_said_to_be_one(tmp_path, text, message):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(ReportProblem, match=r"summary\.json") as caught:
        read_report(tmp_path)
    assert message in str(caught.value)


def test_a_summary_without_a_key_of_a_workload_names_it(tmp_path):
    folder = written(tmp_path, "less")
    change_summary(folder, workloads=[{"name": "digits_mlp"}])
    with pytest.raises(ReportProblem, match=r"`workloads\[0\]\.metric` must be there"):
        read_report(folder)


def test_tables_that_are_missing_or_damaged_are_named(tmp_path):
    folder = written(tmp_path, "damaged")
    trials = folder / "tables" / "trials.csv"
    text = trials.read_text()
    for damaged, message in (
        (text.replace(",cost,", ",price,", 1), "must have the columns"),
        (text.replace('"{""lr""', '"{lr', 1), "`settings` must be JSON"),
        (text.replace(",50,", ",fifty,", 1), "must be a table of a report"),
    ):
        assert damaged != text
        trials.write_text(damaged)
        with pytest.raises(ReportProblem, match=r"trials\.csv") as caught:
            read_report(folder)
        assert message in str(caught.value)
    trials.unlink()
    with pytest.raises(ReportProblem, match="got no file"):
        read_report(folder)


def test_units_must_agree_and_reports_be_two_or_more(tmp_path):
    report = read_report(QUICKSTART)
    flops = dataclasses.replace(report, unit="FLOPs")
    with pytest.raises(ReportProblem, match="`unit` must be the same"):
        compare_reports([report, flops])
    for few in ([], [report], [report] * 27):
        with pytest.raises(ReportProblem, match="must be given 2 to 26 times"):
            compare_reports(few)
