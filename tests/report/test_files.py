"""What is written into the folder of a report."""

import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from hpo_vs_adapt.report import make_summary, write_report
from hpo_vs_adapt.tables.bills import BILL_COLUMNS
from hpo_vs_adapt.tables.catalogue import CATALOGUE, Tables
from tests.report import builder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tables_of_two):
    return tables_of_two.given


@pytest.fixture(scope="module")
def report(tables_of_two, tmp_path_factory):
    return write_report(tables_of_two, tmp_path_factory.mktemp("report")).parent


def files(directory: Path) -> dict[str, bytes]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def figures_of(report: Path) -> dict[str, str]:
    """Return the figures of a page and the files that it names for their numbers."""
    page = (report / "index.html").read_text()
    parts = re.findall(r'<figure [^>]*id="figure-([^"]*)"(.*?)</figure>', page, re.S)
    return {
        name: re.search(r'href="(tables/[^"]*\.csv)"', part)[1] for name, part in parts
    }


def test_a_report_holds_page_summary_study_tables_and_figures(report, results):
    names = set(files(report))
    tables = list(CATALOGUE)
    tables.remove("published")  # the study holds itself against none
    assert {f"tables/{name}.csv" for name in tables} <= names
    kinds = ("bills", "race", "training", "rates", "sensitivity", "best", "targets")
    workloads = ("digits-mlp", "valley")
    assert {f"figures/{k}-{w}.svg" for k in kinds for w in workloads} <= names
    assert {"index.html", "summary.json", "study.yaml"} <= names
    figures = {f"figures/{name}.svg" for name in figures_of(report)}
    assert len(names) == 3 + len(tables) + len(figures)
    assert figures <= names
    assert (report / "study.yaml").read_text() == results.study.text


def test_every_figure_is_a_document_of_its_own_with_a_table_beside_it(report):
    tables = figures_of(report)
    for path in (report / "figures").iterdir():
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(pd.read_csv(report / tables[path.stem]))


def test_writing_elsewhere_gives_the_same_bytes_tells_and_leaves_other_files_alone(
    report, results, tmp_path
):
    (tmp_path / "tables").mkdir()
    mine = tmp_path / "tables" / "mine.csv"
    mine.write_text("a\n1\n")
    told = []
    page = write_report(Tables(results), tmp_path, told.append)
    assert page == tmp_path / "index.html"
    assert files(tmp_path) == {**files(report), "tables/mine.csv": b"a\n1\n"}
    workloads = [f"figures of {entry.name}" for entry in results.study.workloads]
    assert told == ["tables", *workloads, "page"]


def test_the_summary_has_the_names_of_schema_1(report, tables_of_two):
    summary = json.loads((report / "summary.json").read_text())
    assert summary == make_summary(tables_of_two)
    assert list(summary) == [
        "schema",
        "study",
        "unit",
        "provenance",
        "workloads",
        "arms",
        "verdict",
        *("headlines", "across_workloads", "break_even", "lr_numbers", "knob_numbers"),
        *("sensitivity_plane", "importances", "seeds_needed"),
        *("tunability", "effective_dimension", "iqm", "iqm_across", "restricted_means"),
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
            *("first_probability", "interval_note", "planned", "calibration", "ratio"),
            *("bill_all_trials", "rank", "rank_low", "rank_high"),
            *("defaults_from", "defaults_trials", "space_from", "space_trials"),
        ]
        for cost in ("bill", "bill_full_plan", "cost_per_run"):
            assert list(arm[cost]) == ["expected", "low", "high"]
    assert [verdict["workload"] for verdict in summary["verdict"]] == [
        "digits_mlp",
        "valley",
    ]


def test_the_table_of_arms_is_the_csv_of_the_bills(report, results):
    read = pd.read_csv(report / "tables" / "bills.csv")
    assert list(read) == list(BILL_COLUMNS)
    bills = Tables(results)["bills"]
    assert list(read["bill"]) == list(bills["bill"])  # to the last digit
    trials = pd.read_csv(report / "tables" / "trials.csv")
    assert len(trials) == len(results.records)
    assert json.loads(trials["settings"].iloc[0]) == results.records["settings"][0]


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
    write_report(Tables(results), tmp_path)
    (arm,) = make_summary(Tables(results))["arms"]
    assert arm["best_metric"] is None
    assert arm["failures"] == 2
