"""The committed studies: all are valid, and their tables are about what they train."""

import csv
import json
import math
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from hpo_vs_adapt.study import Study
from hpo_vs_adapt.study.text import parse
from tests.running import command, ray_here

ROOT = Path(__file__).parent.parent
STUDIES = sorted((ROOT / "studies").rglob("*.yaml"))
REPLICATIONS = sorted((ROOT / "studies/replicate").glob("*.yaml"))
SMOKED = [p for p in STUDIES if "smoke" in parse(p.read_text(encoding="utf-8"))]


def by_name(path: Path) -> str:
    return path.stem


def run(folder: Path, *args: str) -> str:
    with ray_here():
        done = command(folder, *args)
    assert done.exit_code == 0, done.output
    return done.stdout


def planned_settings(study: Study, arm_name: str) -> list[dict]:
    """Return the settings of all trials of an arm that is not tuned."""
    (arm,) = (one for one in study.arms if one.name == arm_name)
    assert arm.tune is None
    points = [dict(arm.settings)]
    for sweep in study.sensitivity:
        if arm_name in sweep.arms:
            values = product(*sweep.vary.values())
            points += [
                {**arm.settings, **dict(zip(sweep.vary, one, strict=True))}
                for one in values
            ]
    return points


@pytest.mark.parametrize("path", STUDIES, ids=by_name)
def test_every_committed_study_is_valid_and_named_like_its_file(path):
    study = Study.from_yaml(path)
    assert study.name == path.stem


@pytest.mark.parametrize("path", SMOKED, ids=by_name)
def test_every_smoke_run_is_valid_and_small(path):
    whole, smoke = Study.from_yaml(path), Study.from_yaml(path, smoke=True)
    assert smoke.name == f"{whole.name}-smoke"
    assert len(smoke.seeds) == 1
    assert len(smoke.arms) <= 4
    budgets = {entry.name: entry.epochs for entry in whole.workloads}
    assert all(entry.epochs <= budgets[entry.name] for entry in smoke.workloads)


@pytest.mark.parametrize("path", REPLICATIONS, ids=by_name)
def test_every_replication_says_where_its_numbers_come_from(path):
    study = Study.from_yaml(path)
    assert study.published is not None
    assert "Source: " in study.text.partition("name:")[0]
    assert "20" in study.published.source  # a year, or arXiv's number
    assert path in SMOKED


@pytest.mark.parametrize("path", REPLICATIONS, ids=by_name)
def test_every_published_row_is_about_trials_that_are_planned(path):
    study = Study.from_yaml(path)
    assert study.published is not None
    places = [
        (row.workload, row.arm, tuple(row.settings.items()), row.statistic)
        for row in study.published.rows
    ]
    assert len(set(places)) == len(places)
    sizes = {entry.name: entry.batch_size for entry in study.workloads}
    for row in study.published.rows:
        points = planned_settings(study, row.arm)
        wanted = row.settings.items()
        matching = [
            point
            for point in points
            if all(
                {"batch_size": sizes[row.workload], **point}.get(name) == value
                for name, value in wanted
            )
        ]
        assert matching, row


@pytest.mark.parametrize("path", REPLICATIONS, ids=by_name)
def test_every_replication_is_linked_where_they_are_told(path):
    page = (ROOT / "docs/replications.md").read_text(encoding="utf-8")
    assert f"](../{path.relative_to(ROOT).as_posix()})" in page


def test_the_small_tables_are_part_of_the_whole():
    whole, small = (
        set((ROOT / f"studies/replicate/{name}.csv").read_text().splitlines())
        for name in ("clara_tables", "clara_tables_small")
    )
    assert {line for line in whole if "fashion" not in line} == small


@pytest.mark.long
@pytest.mark.slow
def test_the_synthetic_table_is_met_to_the_printed_digit_without_noise(tmp_path):
    path = ROOT / "studies/replicate/clara_synthetic.yaml"
    run(tmp_path, "run", str(path))
    table = pd.read_csv(tmp_path / "reports/clara_synthetic/tables/published.csv")
    calm = table[~table["workload"].str.contains("noisy")]
    assert len(calm) == 10
    assert [f"{ours:.1f}" for ours in calm["ours"]] == [
        f"{value:.1f}" for value in calm["published"]
    ]
    assert (calm["ours_sd"] == 0).all()
    noisy = table[table["workload"].str.contains("noisy")]
    # One run there, the mean and spread of five here.
    assert (noisy["difference"].abs() <= 2 * noisy["ours_sd"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clara_synthetic", "gala_sensitivity"])
def test_the_smallest_smoke_runs_write_their_tables(tmp_path, name):
    path = ROOT / f"studies/replicate/{name}.yaml"
    printed = run(tmp_path, "run", str(path), "--smoke")
    report = tmp_path / f"reports/{name}-smoke"
    assert f"Report: reports/{name}-smoke/index.html" in printed
    with (report / "tables/published.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(math.isfinite(float(row["ours"])) for row in rows)
    assert json.loads((report / "summary.json").read_text())["study"].endswith("-smoke")
