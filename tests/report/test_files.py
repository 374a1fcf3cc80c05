import dataclasses
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.report import make_summary, write_report
from hpo_vs_adapt.report.tables import BILL_COLUMNS, make_bills
from tests.report import builder


@pytest.fixture(scope="module")
def results():
    entries = [builder.workload(), builder.workload("valley", 0.3, builder.LOSS)]
    return builder.finished(builder.study(workloads=entries))


@pytest.fixture(scope="module")
def report(results, tmp_path_factory):
    return write_report(results, tmp_path_factory.mktemp("report")).parent


def files(directory: Path) -> dict[str, bytes]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def test_a_report_holds_page_summary_study_tables_and_figures(report, results):
    names = set(files(report))
    tables = ("bills", "race", "training", "rates", "sensitivity", "progress", "trials")
    assert {f"tables/{name}.csv" for name in tables} <= names
    kinds = ("bills", "race", "training", "rates", "sensitivity")
    workloads = ("digits-mlp", "valley")
    assert {f"figures/{k}-{w}.svg" for k in kinds for w in workloads} <= names
    assert {"index.html", "summary.json", "study.yaml"} <= names
    assert len(names) == 3 + len(tables) + len(kinds) * len(workloads)
    assert (report / "study.yaml").read_text() == results.study.text


def test_every_figure_is_a_document_of_its_own_with_a_table_beside_it(report):
    for path in (report / "figures").iterdir():
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        kind = path.name.split("-")[0]
        assert len(pd.read_csv(report / "tables" / f"{kind}.csv"))


def test_writing_again_gives_the_same_bytes(report, results, tmp_path):
    before = files(report)
    write_report(results, report)
    assert files(report) == before
    write_report(results, tmp_path)
    assert files(tmp_path) == before


def test_other_files_in_the_directory_are_left_alone(tmp_path):
    (tmp_path / "tables").mkdir()
    mine = tmp_path / "tables" / "mine.csv"
    mine.write_text("a\n1\n")
    one = builder.study([builder.fixed_arm()], sweep=False)
    page = write_report(builder.finished(one), tmp_path)
    assert page == tmp_path / "index.html"
    assert mine.read_text() == "a\n1\n"
    assert not list(tmp_path.rglob("*.partial"))


def test_the_summary_has_the_names_of_schema_1(report, results):
    summary = json.loads((report / "summary.json").read_text())
    assert summary == make_summary(results)
    assert list(summary) == [
        "schema",
        "study",
        "unit",
        "provenance",
        "workloads",
        "arms",
        "verdict",
    ]
    assert summary["schema"] == 1
    assert summary["unit"] == "sample gradients"
    assert summary["workloads"][1] == {
        "name": "valley",
        "metric": "loss",
        "mode": "min",
        "target": 0.3,
        "budget": {"epochs": 20},
    }
    for arm in summary["arms"]:
        assert list(arm) == [
            *("workload", "arm", "kind", "trials", "hits", "failures", "passes"),
            *("pass_hits", "bill", "bill_full_plan", "cost_per_run", "best_metric"),
            "first_probability",
        ]
        for cost in ("bill", "bill_full_plan", "cost_per_run"):
            assert list(arm[cost]) == ["expected", "low", "high"]
    assert [verdict["workload"] for verdict in summary["verdict"]] == [
        "digits_mlp",
        "valley",
    ]


def test_the_summary_counts_policy_trials_alone(results):
    (arm,) = (
        arm
        for arm in make_summary(results)["arms"]
        if (arm["workload"], arm["arm"]) == ("digits_mlp", "sgd-grid")
    )
    assert arm["trials"] == len(builder.GRID) * 3
    assert arm["passes"] == 3
    assert arm["kind"] == "tuned"


def test_the_bill_of_an_arm_without_tuning_is_what_its_seeds_spent_per_hit(results):
    records = results.records
    own = records[
        (records["workload"] == "digits_mlp")
        & (records["arm"] == "clara")
        & (records["role"] == "policy")
    ]
    spent = np.where(own["hit"], own["cost_to_target"], own["cost"]).sum()
    bills = make_bills(results).set_index(["workload", "arm"])
    assert bills.loc[("digits_mlp", "clara"), "bill"] == spent / own["hit"].sum()


def test_the_bill_of_a_grid_is_that_of_a_random_order(results):
    records = results.records
    own = records[
        (records["workload"] == "digits_mlp")
        & (records["arm"] == "sgd-grid")
        & (records["role"] == "policy")
    ]
    expected = []
    for _, stream in own.groupby("stream"):
        hits, misses = stream[stream["hit"]], stream[~stream["hit"]]
        expected.append(
            hits["cost_to_target"].mean() + misses["cost"].sum() / (len(hits) + 1)
        )
    bills = make_bills(results).set_index(["workload", "arm"])
    found = bills.loc[("digits_mlp", "sgd-grid"), "bill"]
    assert found == pytest.approx(np.mean(expected), rel=1e-12)


def test_the_table_of_arms_is_the_csv_of_the_bills(report, results):
    read = pd.read_csv(report / "tables" / "bills.csv")
    assert list(read) == list(BILL_COLUMNS)
    bills = make_bills(results)
    assert list(read["bill"]) == list(bills["bill"])  # to the last digit
    trials = pd.read_csv(report / "tables" / "trials.csv")
    assert len(trials) == len(results.records)
    assert json.loads(trials["settings"].iloc[0]) == results.records["settings"][0]


def test_an_arm_that_never_met_the_target_has_no_number_and_is_not_dropped():
    one = builder.study(workloads=[builder.workload(target=0.9999)], sweep=False)
    arms = make_summary(builder.finished(one))["arms"]
    assert [arm["arm"] for arm in arms] == [arm.name for arm in one.arms]
    for arm in arms:
        assert arm["hits"] == 0
        assert arm["bill"] == {"expected": None, "low": None, "high": None}


def test_an_arm_without_a_trial_stands_in_the_summary_with_zeros(results):
    records = results.records
    started = records[records["arm"] != "clara"].reset_index(drop=True)
    progress = results.progress.copy()
    progress.loc[progress["arm"] == "clara", "done"] = 0
    partial = dataclasses.replace(results, records=started, progress=progress)
    arms = [arm for arm in make_summary(partial)["arms"] if arm["arm"] == "clara"]
    assert len(arms) == 2
    for arm in arms:
        assert (arm["trials"], arm["passes"], arm["kind"]) == (0, 0, "adaptive")
        assert arm["best_metric"] is None


def test_a_study_without_any_record_has_a_report(tmp_path):
    one = builder.study()
    planned = builder.progress(
        (entry.name, arm.name, "policy", 3, 0)
        for entry in one.workloads
        for arm in one.arms
    )
    page = write_report(builder.Records().results(one, planned), tmp_path)
    text = page.read_text()
    assert "no trial has finished yet" in text
    assert "0 of 12 trials are done" in text


def test_a_metric_that_is_nan_everywhere_has_a_report(tmp_path):
    one = builder.study([builder.fixed_arm()], seeds=[0, 1], sweep=False)
    records = builder.Records()
    for seed in one.seeds:
        curve = builder.train(one.workloads[0], one.arms[0], 1e-3, seed)
        curve["validation_metric"] = math.nan
        records.add(
            *(one.workloads[0], one.arms[0], 1e-3, seed),
            number=seed,
            curve=curve.iloc[:1],
            best_metric=math.nan,
        )
    results = records.results(one)
    write_report(results, tmp_path)
    (arm,) = make_summary(results)["arms"]
    assert arm["best_metric"] is None
    assert arm["failures"] == 2


def test_names_of_the_study_cannot_become_markup(tmp_path):
    evil = "<script>alert('x')</script>"
    one = builder.study(
        arms=[builder.grid_arm(f"{evil}&amp;$x_1$"), builder.adaptive_arm("]]>--><b>")],
        workloads=[builder.workload(f"w{evil}")],
        name=f"s{evil}",
    )
    text = write_report(builder.finished(one), tmp_path).read_text()
    assert "<script" not in text
    assert "<b>b" not in text
    assert "&lt;script&gt;" in text
    for path in (tmp_path / "figures").iterdir():
        assert "<script" not in path.read_text()


def test_curves_that_came_in_as_objects_are_read_as_numbers(results, tmp_path):
    objects = results.curves.astype(object)
    same = dataclasses.replace(results, curves=objects)
    write_report(same, tmp_path / "objects")
    write_report(results, tmp_path / "numbers")
    assert files(tmp_path / "objects") == files(tmp_path / "numbers")
