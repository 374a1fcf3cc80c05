"""The catalogue of tables: each is made once, under one name, for everybody."""

import functools

import pytest

from hpo_vs_adapt import metrics
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.tables import bills as made_bills
from hpo_vs_adapt.tables.catalogue import CATALOGUE, Tables, UnknownTable
from tests.report import builder

COSTLY = ("target_sweep", "tuning_tables", "sensitivity_numbers", "bills_by_workers")


@pytest.fixture(scope="module")
def given():
    arms = [builder.grid_arm(), builder.fixed_arm()]
    return builder.finished(builder.study(arms, seeds=[0, 1]))


def counted(monkeypatch, module, name, calls):
    """Count the calls of a function, which does what it did."""
    real = getattr(module, name)

    @functools.wraps(real)
    def counting(*args, **kwargs):
        calls.append(name)
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, counting)


def test_report_summary_and_methods_make_every_analysis_once(
    given, monkeypatch, tmp_path
):
    calls = []
    for name in COSTLY:
        counted(monkeypatch, metrics, name, calls)
    counted(monkeypatch, made_bills, "arm_bills", calls)
    results = Results(given)
    results.write_report(tmp_path)
    results.summary()
    results.costs()
    results.target_sweep()
    results.best_probability()
    assert sorted(calls) == sorted([*COSTLY, "arm_bills"])


def test_a_table_with_other_parameters_stands_beside_the_reports(given):
    tables = Tables(given)
    assert tables.make("bills", failure_price=1.0) is tables["bills"]
    assert tables.make("bills", failure_price=0.0) is not tables["bills"]
    ranking = tables.make("ranking", failure_price=0.0).set_index("arm")
    free = tables.make("bills", failure_price=0.0).set_index("arm")
    assert (ranking["bill"] == free.loc[ranking.index, "bill"]).all()


def test_what_a_caller_does_to_a_table_changes_no_other(given):
    results = Results(given)
    costs = results.costs()
    costs["bill"] = 0.0
    assert (results.costs()["bill"] > 0).all()
    assert (results.table("bills")["bill"] > 0).all()


def test_a_misspelt_table_gets_the_nearest_name(given):
    with pytest.raises(UnknownTable) as caught:
        Results(given).table("rankings")
    assert str(caught.value) == "Unknown table `rankings`; did you mean `ranking`?"


def test_a_study_without_published_values_has_no_table_of_them(given):
    tables = Tables(given)
    assert set(CATALOGUE) - set(tables) == {"published"}
    assert "published" not in tables
    with pytest.raises(UnknownTable, match="Unknown table `published`; known are"):
        tables["published"]
