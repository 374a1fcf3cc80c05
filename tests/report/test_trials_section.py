"""The table of trials: every one of them, and where its record and its twin are."""

import dataclasses
import json

import pytest

from hpo_vs_adapt.report import make_tables
from hpo_vs_adapt.report.page_tables import ROWS_SHOWN
from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.trials_section import make_trials_table, optuna_study
from hpo_vs_adapt.study import Sweep
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
    tables = make_tables(results)
    table = make_trials_table(results.study, tables.trials)
    assert [column.label for column in table.columns][11] == "Record"
    assert [row[11].shown for row in table.rows] == list(tables.trials["key"])
    links = [row[0].link for row in table.rows]
    # The heading is row 1 of the file.
    assert links[0] == "tables/trials.csv#row=2"
    assert len(set(links)) == len(table.rows)
    assert len(table.first_rows) == ROWS_SHOWN
    assert len(table.first_rows) + len(table.packed_rest) == len(tables.trials)


def test_what_a_trial_never_met_is_sorted_last():
    one = builder.study(workloads=[builder.workload(target=0.9999)], sweep=False)
    tables = make_tables(builder.finished(one))
    row = make_trials_table(one, tables.trials).rows[0]
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
    with running.ray_here(num_cpus=1):
        results, _ = running.train(study)
    kept = running.optuna_trials(study)
    trials = make_tables(results).trials
    assert len(trials) == 2 + 1 + 1 + 2
    for row in rows_of(trials):
        twin = kept[optuna_study(study, row)][row.number]
        assert row.key in twin.user_attrs.values()
