import pandas as pd

from hpo_vs_adapt.tables.spending import LEDGER_COLUMNS, make_ledger
from tests.report.builder import finished, study


def test_the_ledger_adds_up_to_what_the_trials_cost():
    results = finished(study())
    ledger = make_ledger(results)
    assert tuple(ledger.columns) == LEDGER_COLUMNS
    place = ["workload", "arm", "role"]
    told = results.records.groupby(place)["cost"].sum()
    pd.testing.assert_series_equal(ledger.groupby(place)["cost"].sum(), told)


def test_failures_and_purposes_stand_apart_and_shared_records_count_for_each():
    results = finished(study())
    key = results.records["key"].iloc[0]
    failed = results.records["key"] == key
    rows = [(key, "second_gradient", 7, 0, 7.0, 70.0, 0.1)]
    more = pd.DataFrame(rows, columns=results.spending.columns)
    twice = pd.concat([results.records.assign(failed=failed)] * 2)
    object.__setattr__(results, "records", twice)
    object.__setattr__(results, "spending", pd.concat([results.spending, more]))
    found = make_ledger(results)
    extra = found[found["purpose"] == "second_gradient"]
    sharing = int((twice["key"] == key).sum())
    assert sharing > 2
    assert (extra["trials"].sum(), extra["cost"].sum()) == (sharing, 7.0 * sharing)
    assert extra["failed"].all()


def test_a_study_without_trials_has_an_empty_ledger():
    results = finished(study())
    object.__setattr__(results, "records", results.records.iloc[:0])
    assert make_ledger(results).empty
