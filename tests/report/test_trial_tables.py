"""Tables of the page on single trainings and on searches, from a whole study."""

import pytest

from hpo_vs_adapt.report.html.study_tables import make_suite_tables
from hpo_vs_adapt.report.html.workload_tables import make_workload_tables
from hpo_vs_adapt.wording import UNKNOWN, amount, interval, metric_value

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(rich_tables):
    return rich_tables.given


@pytest.fixture(scope="module")
def analyses(rich_tables):
    return rich_tables


@pytest.fixture(scope="module")
def tables(analyses):
    """The tables of one workload, and those of all, by the ends of their anchors."""
    of_workload = make_workload_tables(analyses, "digits_mlp", "w")
    listed = [table for topic in of_workload.values() for table in topic]
    listed += make_suite_tables(analyses)
    return {table.anchor: table for table in listed}


def cells(table, arm):
    """An arm's cells by the labels of their columns."""
    (row,) = (row for row in table.rows if row[0].shown == arm)
    return {c.label: cell for c, cell in zip(table.columns, row, strict=True)}


def own(table, **place):
    for name, value in place.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_the_best_of_k_is_told_for_powers_of_two_with_bands_of_grids(tables, analyses):
    shown = tables["w-best-of-k"]
    assert [c.label for c in shown.columns[1:]] == [f"k = {2**n}" for n in range(4)]
    grid, tpe = cells(shown, "sgd-grid"), cells(shown, "sgd-tpe")
    place = {"workload": "digits_mlp", "k": 4}
    known = own(analyses["best_of_k"], arm="sgd-grid", **place)
    assert grid["k = 4"].shown == metric_value(known["expected"])
    ends = [metric_value(known[name]) for name in ("low", "high")]
    assert grid["k = 4"].note == f"[{', '.join(ends)}]"
    assert grid["k = 8"].shown == UNKNOWN  # it has six points
    known = own(analyses["best_of_k"], arm="sgd-tpe", **place)
    assert tpe["k = 4"].shown == metric_value(known["expected"])
    assert tpe["k = 4"].note == ""


def test_an_accuracy_has_no_band_beyond_one(analyses):
    of_grid = analyses["best_of_k"][analyses["best_of_k"]["arm"] == "sgd-grid"]
    accuracy = of_grid[of_grid["workload"] == "digits_mlp"]
    assert accuracy["high"].max() == 1.0
    loss = of_grid[of_grid["workload"] == "valley"]
    assert loss["low"].min() == 0.0
    assert loss["high"].max() > 1.0


def test_searches_early_and_late_are_in_the_unit_of_the_metric(tables, analyses):
    shown = cells(tables["w-tunability"], "sgd-tpe")
    known = own(analyses["tunability"], workload="digits_mlp", arm="sgd-tpe")
    for label, name in {"Early": "early", "Uniform": "uniform", "Late": "late"}.items():
        assert shown[label].shown == metric_value(known[name])
    assert shown["Trials"].shown == "12"


def test_what_a_training_reaches_says_over_which_runs(tables, analyses):
    known = own(analyses["iqm"], workload="digits_mlp", arm="sgd-grid")
    shown = cells(tables["w-iqm"], "sgd-grid")
    assert shown["Over"].shown == "winners again"
    assert shown["Runs"].shown == "9"
    assert shown["Test"].shown == metric_value(known["test_metric"])
    assert cells(tables["w-iqm"], "gala")["Over"].shown == "seeds"
    assert cells(tables["w-iqm"], "sgd-tpe")["Over"].shown == "winners"
    everywhere = own(analyses["iqm_across"], arm="gala")
    shown = cells(tables["suite-iqm"], "gala")["Validation"]
    assert shown.shown == metric_value(everywhere["best_metric"])


def test_a_trials_mean_cost_stops_at_one_ordinary_training(tables, analyses, results):
    table = tables["w-restricted"]
    assert amount(results.trainings["digits_mlp"]) in table.about
    known = own(analyses["restricted_means"], workload="digits_mlp", arm="gala")
    shown = cells(table, "gala")["Mean cost"]
    assert shown.shown == amount(known["restricted_mean"])
    assert shown.note == interval(known["low"], known["high"])


def test_the_settings_worth_tuning_are_named(tables, analyses):
    known = own(analyses["effective_dimension"], arm="sgd-tpe")
    assert known["settings"] == 2
    assert 0 <= known["dimension"] <= 2
    shown = cells(tables["suite-dimension"], "sgd-tpe")
    assert shown["Dimension"].shown == f"{known['dimension']:.2f}"
    assert shown["Surrogate R²"].shown == f"{known['cv_score']:.2f}"
    # Rate and batch size were swept on both workloads.
    swept = own(analyses["effective_dimension"], arm="gala", role="sweep")
    assert (swept["settings"], swept["note"]) == (2, "")
    # One setting alone is in the table of numbers, and not on the page.
    alone = own(analyses["effective_dimension"], arm="sgd-grid", role="policy")
    assert alone["note"] == "fewer than two settings vary"
    named = [row[0].shown for row in tables["suite-dimension"].rows]
    assert named.count("sgd-grid") == 1
