"""What results, the report's tables and the summary say of the same trials."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics import replay_tuner, tuning_tables
from hpo_vs_adapt.report.summary import make_summary
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.tables.catalogue import Tables
from tests.report import builder

pytestmark = pytest.mark.slow

METHODS = {
    "bills": "costs",
    "ranking": "ranking",
    "across_workloads": "across_workloads",
    "improvement": "improvement",
    "by_workers": "by_workers",
    "break_even": "break_even",
    "target_sweep": "target_sweep",
    "tuning_curves": "tuning_curves",
    "best_probability": "best_probability",
    "lr_numbers": "sensitivity",
    "knob_numbers": "knobs",
    "importances": "importances",
    "partial_dependence": "partial_dependence",
    "seeds_needed": "seeds_needed",
    "best_of_k": "best_of_k",
    "tunability": "tunability",
    "effective_dimension": "effective_dimension",
    "iqm": "iqm",
    "iqm_across": "iqm_across",
    "survival": "survival",
    "restricted_means": "restricted_means",
}

SUMMARISED = (
    *("across_workloads", "break_even", "lr_numbers", "seeds_needed"),
    *("tunability", "effective_dimension", "iqm", "iqm_across", "restricted_means"),
)


@pytest.fixture(scope="module")
def tables(tables_of_two):
    return tables_of_two


@pytest.fixture(scope="module")
def results(tables):
    return tables.given


@pytest.fixture(scope="module")
def public(results):
    return Results(results)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_results_returns_the_reports_table(name, public, tables):
    pd.testing.assert_frame_equal(getattr(public, METHODS[name])(), tables[name])


def test_every_table_has_rows_where_the_study_has_what_it_is_about(tables):
    empty = {name for name, table in tables.items() if table.empty}
    # Nothing but the rate was swept, at one batch size, and no rule logs more.
    assert empty <= {"knob_numbers", "lr_drift", "batch_size_spread", "controllers"}


def test_the_summary_has_the_rows_of_the_tables(tables):
    summary = make_summary(tables)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    for name in SUMMARISED:
        table = tables[name]
        assert len(summary[name]) == len(table)
        for told, row in zip(summary[name], table.to_dict("records"), strict=True):
            assert told.keys() == row.keys()
            for key, value in row.items():
                number = isinstance(value, float)
                if number and math.isnan(value):
                    assert told[key] is None
                else:
                    assert type(value)(told[key]) == value
    ranks = tables["ranking"].set_index(["workload", "arm"])
    for arm in summary["arms"]:
        row = ranks.loc[(arm["workload"], arm["arm"])]
        assert arm["rank"] == row["rank"]
        assert arm["defaults_from"] == row["defaults_from"] != "unknown"
        assert arm["defaults_trials"] is None


def test_cheaper_failures_make_no_bill_dearer_and_one_cheaper(results):
    costs, ranking = Results(results).costs, Results(results).ranking
    whole, free = costs(), costs(failure_price=0.0)
    both = np.isfinite(whole["bill"])
    assert (free["bill"][both] <= whole["bill"][both]).all()
    assert (free["bill"][both] < whole["bill"][both]).any()
    assert list(ranking(0.0)["bill"]) != list(ranking()["bill"])


def test_an_ordinary_training_is_a_gradient_a_sample(results):
    longest = results.records.groupby("workload")["steps"].max()
    for workload, cost in results.trainings.items():
        assert cost == longest[workload] * 50  # samples in a batch


def test_the_tables_of_tuning_curves_are_one_simulation(results, tables):
    curves, chances = tuning_tables(results.records, results.curves, results.modes)
    pd.testing.assert_frame_equal(curves, tables["tuning_curves"])
    pd.testing.assert_frame_equal(chances, tables["best_probability"])


def test_a_grid_of_a_study_can_be_searched_again(results):
    grid = Results(results).curve_grid("digits_mlp", "sgd-grid")
    target = results.targets["digits_mlp"]
    again = replay_tuner(grid, "grid", 6, target, repetitions=200)
    swept = Results(results).curve_grid("digits_mlp", "clara", role="sweep")
    assert again["hit"].all()
    assert again["bill"].mean() > 0
    assert swept.count.size == 8  # rates of the sweep


def test_a_study_without_trials_has_all_tables_with_their_columns(results, tables):
    one = results.study
    planned = builder.progress(
        (entry.name, arm.name, "policy", 3, 0)
        for entry in one.workloads
        for arm in one.arms
    )
    nothing = builder.Records().results(one, planned)
    empty = Tables(nothing)
    arms = len(one.arms) * len(one.workloads)
    assert len(empty["ranking"]) == arms
    assert (empty["ranking"]["pass_hits"] == 0).all()
    for name, table in empty.items():
        settings = {"lr"}  # columns of settings are those that were swept
        assert set(table.columns) >= set(tables[name].columns) - settings
