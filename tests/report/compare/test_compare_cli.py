import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.report.compare import CHANGE_COLUMNS
from tests.report.compare.examples import EXAMPLES, QUICKSTART, ROOT
from tests.running import command, ray_here, start

STUDY = """\
name: small
seeds: [0, 1, 2]
workloads: [{name: iris_logreg, budget: {epochs: 4}, target: 0.8}]
arms:
  - name: sgd-grid
    optimizer: {rule: sgd, momentum: 0.9}
    tune: {by: grid, grid: {lr: [1e-3, 1e-1]}}
  - name: sgd
    optimizer: {rule: sgd, lr: 0.01}
resources: {lanes: 4}
"""


def call(*args: object, columns: int = 80) -> Result:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    return runner.invoke(app, ["compare", *map(str, args)])


@pytest.fixture(scope="module")
def cheaper(tmp_path_factory):
    """The quickstart's report as if Adam at its defaults had met the target earlier."""
    folder = tmp_path_factory.mktemp("cheaper") / "report"
    shutil.copytree(QUICKSTART, folder)
    path = folder / "tables" / "trials.csv"
    trials = pd.read_csv(path, dtype={"key": str})
    adam = trials["arm"] == "adam-default"
    cost = trials["cost_to_target"].mask(adam, trials["cost_to_target"] / 4)
    key = trials["key"].mask(adam, "0" + trials["key"].str[1:])
    trials.assign(cost_to_target=cost, key=key).to_csv(path, index=False)
    return folder


def test_what_differs_is_shown_and_the_rest_left_out(cheaper):
    result = call(QUICKSTART, cheaper)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    expected = "adam-default bill 20 k 5 k 4 times as cheap"
    assert any(" ".join(row).startswith(expected) for row in rows)
    assert "same trials" not in [" ".join(row[-2:]) for row in rows]
    assert "digits_mlp: 3 trials of adam-default" in result.output
    assert "clara-sgd, 0.76" in result.output
    assert "adam-default, " in result.output
    words = " ".join(result.output.split())
    assert "numbers compared" in words
    assert "`--all` shows the rest." in words


def test_all_rows_are_shown_if_asked_for(cheaper):
    result = call(QUICKSTART, cheaper, "--all")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert sum("same trials" in line for line in lines[:-5]) == 34
    assert "`--all`" not in result.output


def test_a_report_against_itself_differs_in_nothing():
    result = call(QUICKSTART, QUICKSTART)
    assert result.exit_code == 0, result.output
    assert "Nothing that both have differs beyond noise." in result.output
    assert "40 numbers compared, 40 of the same trials." in result.output


@pytest.mark.parametrize("columns", [60, 80])
def test_a_narrow_terminal_loses_no_letter(cheaper, columns):
    narrow = call(QUICKSTART, cheaper, "--all", columns=columns).output
    lines = narrow.splitlines()
    assert max(map(len, lines)) <= columns
    assert "…" not in narrow
    assert any(line.startswith("adam-default  bill ") for line in lines)


def test_the_table_is_written_if_asked_for(cheaper, tmp_path):
    file = tmp_path / "changes.csv"
    result = call(QUICKSTART, cheaper, "--csv", file)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(file)
    assert tuple(table.columns) == CHANGE_COLUMNS
    assert len(table) == 40
    changed = table[table["shown"]]
    assert set(changed["arm"]) == {"adam-default"}


def test_another_target_stands_above_the_numbers(tmp_path):
    folder = tmp_path / "report"
    shutil.copytree(QUICKSTART, folder)
    summary = json.loads((folder / "summary.json").read_text())
    summary["workloads"][0]["target"] = 0.97
    (folder / "summary.json").write_text(json.dumps(summary))
    output = call(QUICKSTART, folder, "--all").output
    assert "digits_mlp: target 0.96 in A, 0.97 in B\n" in output


def test_reports_that_share_nothing_are_said_to():
    result = call(QUICKSTART, EXAMPLES / "clara_synthetic")
    assert result.exit_code == 0, result.output
    assert "A and B share no arm that has trials." in result.output


def test_names_with_brackets_are_shown_as_they_are(tmp_path):
    folder = tmp_path / "[red]"
    shutil.copytree(QUICKSTART, folder)
    for file in ("summary.json", "tables/trials.csv", "tables/progress.csv"):
        text = (folder / file).read_text()
        (folder / file).write_text(text.replace("clara-adam", "clara[/b]"))
    result = call(folder, folder, "--all", columns=200)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert any(line.split()[:2] == ["clara[/b]", "bill"] for line in lines)
    assert f"{folder}" in result.output


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ([QUICKSTART], "`REPORT` must be given 2 to 26 times; got 1."),
        ([QUICKSTART, ROOT / "studies"], "must be the folder of a report"),
        (["nowhere", QUICKSTART], "nowhere must be the folder of a report"),
    ],
)
def test_what_is_no_report_is_one_message_and_exit_status_2(folders, message):
    result = call(*folders)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert "--verbose" not in result.stderr


def test_a_table_that_cannot_be_written_is_exit_status_2(tmp_path):
    (tmp_path / "none").write_text("a file where a folder should be")
    result = call(QUICKSTART, QUICKSTART, "--csv", tmp_path / "none" / "x.csv")
    assert result.exit_code == 2
    assert "none" in result.stderr
    assert "Traceback" not in result.stderr


def test_impossible_costs_in_a_report_are_exit_status_2(tmp_path):
    folder = tmp_path / "report"
    shutil.copytree(QUICKSTART, folder)
    trials = pd.read_csv(folder / "tables/trials.csv", dtype=str, keep_default_na=False)
    trials["cost"] = "-1.0"
    trials.to_csv(folder / "tables/trials.csv", index=False)
    result = call(folder, QUICKSTART)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("The reports' trials cannot be compared: ")
    assert "Traceback" not in result.stderr


def test_no_command_line_without_reports():
    assert call().exit_code == 2


@pytest.mark.slow  # a process of its own
def test_comparing_imports_neither_torch_nor_ray_nor_optuna():
    code = (
        "import sys; from hpo_vs_adapt.report.compare import *; "
        "from hpo_vs_adapt.cli.compare_view import comparison_view; "
        f"one = read_report({str(QUICKSTART)!r}); "
        "comparison_view(compare_reports([one, one])); "
        "print({'torch', 'ray', 'optuna'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.mark.slow
@pytest.mark.long
def test_a_study_before_and_after_a_change_is_compared(tmp_path):
    file = tmp_path / "small.yaml"
    for name, study in (
        ("before", STUDY),
        ("after", STUDY.replace("rule: sgd, lr: 0.01", "rule: sgd, lr: 0.1")),
    ):
        file.write_text(study)
        with ray_here():
            done = command(tmp_path, "run", "small.yaml", "--out", name)
        assert done.exit_code == 0, done.output
    process = start(tmp_path, "compare", "before", "after", "--csv", "changes.csv")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "sgd: optimizer.lr 0.01 → 0.1" in out
    table = pd.read_csv(tmp_path / "changes.csv").set_index(["arm", "quantity"])
    assert set(table.loc["sgd-grid", "finding"]) == {"same"}
    bill = table.loc[("sgd", "bill")]
    assert bill["shared"] == 0
    assert bill["finding"] in ("differs", "perhaps", "noise", "new")
    bills = [
        pd.read_csv(tmp_path / name / "tables" / "bills.csv").set_index("arm")["bill"]
        for name in ("before", "after")
    ]
    assert bill["other"] == pytest.approx(bills[1]["sgd"])
    assert bill["first"] == pytest.approx(bills[0]["sgd"], nan_ok=True)
