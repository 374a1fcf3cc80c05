"""The table of trials: every one of them, and where its record and its twin are."""

import dataclasses
import json

import pytest

from hpo_vs_adapt.report.html.cells import ROWS_SHOWN, Cell
from hpo_vs_adapt.report.html.trials_section import make_trials_table, optuna_study
from hpo_vs_adapt.study import Sweep
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.tables.rows import rows_of
from tests import running
from tests.report import builder


def trial(**changes):
    """Return a row of the trials of a study, changed."""
    records = builder.finished(builder.study([builder.fixed_arm()])).records
    row = records.assign(settings=records["settings"].map(json.dumps)).head(1)
    (changed,) = rows_of(row.assign(**changes))
    return changed


def test_every_trial_has_a_row_in_the_order_of_the_file():
    results = builder.finished(builder.study())
    tables = Tables(results)
    table = make_trials_table(results.study, tables["trials"])
    assert [column.label for column in table.columns][11] == "Record"
    assert [row[11].shown for row in table.rows] == list(tables["trials"]["key"])
    assert table.columns[0].rows_of == "tables/trials.csv"
    numbers = [int(row[0].shown) for row in table.rows]
    assert numbers == list(range(1, len(tables["trials"]) + 1))
    assert len(table.first_rows) == ROWS_SHOWN


def test_the_rows_that_are_packed_are_those_that_are_not_in_the_page():
    results = builder.finished(builder.study())
    table = make_trials_table(results.study, Tables(results)["trials"])
    columns = [
        [column["of"][place] for place in column["at"]]
        if isinstance(column, dict)
        else column
        for column in table.packed_rest
    ]
    rest = table.rows[ROWS_SHOWN:]
    assert len(rest) > 20
    assert [list(row) for row in zip(*columns, strict=True)] == [
        [cell.packed for cell in row] for row in rest
    ]
    # What few trials differ in is said once; a key is every trial's own.
    shared = [isinstance(column, dict) for column in table.packed_rest]
    assert shared[1]
    assert not shared[11]


def test_a_packed_cell_says_nothing_twice():
    assert Cell("128", "128").packed == "128"
    assert Cell("1.9 M", "1.9e+06").packed == ("1.9 M", "1.9e+06")
    assert Cell("never", "").packed == ("never", "")
    assert Cell("a", None, "note").packed == ("a", None, "note")


def test_what_a_trial_never_met_is_sorted_last():
    one = builder.study(workloads=[builder.workload(target=0.9999)], sweep=False)
    tables = Tables(builder.finished(one))
    row = make_trials_table(one, tables["trials"]).rows[0]
    assert (row[9].shown, row[9].value) == ("never", "")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "imagined/digits_mlp/adam-default"),
        ({"by": "grid", "stream": 2}, "imagined/digits_mlp/adam-default/2"),
        (
            {"by": "grid", "stream": 2, "role": "retrain"},
            "imagined/digits_mlp/adam-default/retrain/2",
        ),
        ({"role": "sweep"}, "imagined/digits_mlp/adam-default/sweep/lr"),
    ],
)
def test_a_trial_is_found_in_its_optuna_study(changes, name):
    assert optuna_study(builder.study([builder.fixed_arm()]), trial(**changes)) == name


def test_of_several_sweeps_the_one_that_asked_for_the_settings_is_named():
    study = builder.study([builder.fixed_arm()])
    places = ("digits_mlp",)
    sweeps = (
        Sweep(("adam-default",), {"lr": (0.1, 0.2)}, places),
        Sweep(("adam-default",), {"lr": (0.3, 0.4), "batch_size": (50, 100)}, places),
    )
    study = dataclasses.replace(study, sensitivity=sweeps)
    for number, lr, size, name in (
        (1, 0.2, 50, "lr"),
        (1, 0.4, 50, "batch_size+lr"),
        (2, 0.3, 100, "batch_size+lr"),
    ):
        settings = json.dumps({"lr": lr})
        row = trial(role="sweep", number=number, settings=settings, batch_size=size)
        assert optuna_study(study, row).endswith(f"/sweep/{name}")


def test_a_sweep_on_another_workload_has_asked_for_nothing_here():
    study = builder.study([builder.fixed_arm()])
    arms, rates = ("adam-default",), {"lr": (0.1, 0.2)}
    both = {**rates, "batch_size": (50, 100)}
    sweeps = (Sweep(arms, rates, ("iris",)), Sweep(arms, both, ("digits_mlp",)))
    study = dataclasses.replace(study, sensitivity=sweeps)
    row = trial(role="sweep", number=0, settings='{"lr": 0.1}', batch_size=50)
    assert optuna_study(study, row).endswith("/sweep/batch_size+lr")


@pytest.mark.slow
def test_names_and_numbers_are_those_of_the_optuna_studies_of_a_run(tmp_path):
    arms = [
        running.grid(0.1, 1.0, retrain=1),
        {"name": "plain", "optimizer": {"rule": "sgd", "lr": 0.1}},
    ]
    sweep = [{"arms": ["plain"], "vary": {"lr": [0.01, 0.1]}}]
    study = running.make_study(tmp_path, arms, sensitivity=sweep)
    with running.ray_here():
        results, _ = running.train(study)
    kept = running.optuna_trials(study)
    trials = Tables(results)["trials"]
    assert len(trials) == 2 + 1 + 1 + 2
    for row in rows_of(trials):
        twin = kept[optuna_study(study, row)][row.number]
        assert row.key in twin.user_attrs.values()
