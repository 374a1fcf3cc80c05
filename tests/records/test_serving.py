import dataclasses
import math

import numpy as np
import pytest

from hpo_vs_adapt.records.ledger import Ledger, Purpose, Spending
from hpo_vs_adapt.records.store import serves
from hpo_vs_adapt.records.trials import EndReason
from tests.record_examples import BATCH, EVERY, assert_same, make_record

OWN_ENDS = [EndReason.BUDGET, EndReason.DIVERGED, EndReason.CRASHED]
CUT_SHORT = [EndReason.TARGET, EndReason.PRUNED]


def asked(record, stop_at):
    return dataclasses.replace(record.spec, stop_at=stop_at)


@pytest.mark.parametrize("end", OWN_ENDS)
def test_a_trial_that_ran_to_its_own_end_serves_a_full_request(end):
    record = make_record(end=end)
    assert_same(serves(record, record.spec, "max"), record)


@pytest.mark.parametrize("end", CUT_SHORT)
def test_a_trial_that_was_cut_short_does_not_serve_a_full_request(end):
    record = make_record(end=end)
    assert serves(record, record.spec, "max") is None


@pytest.mark.parametrize("end", OWN_ENDS)
def test_a_target_that_was_never_met_is_served_by_the_whole_trial(end):
    record = make_record(end=end)
    spec = asked(record, 0.95)
    assert_same(serves(record, spec, "max"), dataclasses.replace(record, spec=spec))


@pytest.mark.parametrize("end", CUT_SHORT)
def test_a_trial_cut_short_serves_no_harder_target(end):
    record = make_record(end=end)
    assert serves(record, asked(record, 0.95), "max") is None


@pytest.mark.parametrize("end", [*OWN_ENDS, *CUT_SHORT])
@pytest.mark.parametrize(
    ("mode", "target", "rows"),
    [("max", 0.9, 3), ("max", 0.2, 2), ("max", 0.1, 1), ("min", 0.1, 1)],
)
def test_a_trial_is_cut_at_the_first_evaluation_that_meets_the_target(
    end, mode, target, rows
):
    record = make_record(end=end, error="boom" if end is EndReason.CRASHED else None)
    served = serves(record, asked(record, target), mode)
    assert served.end is EndReason.TARGET
    assert served.error is None
    assert served.spec.stop_at == target
    assert served.curve.equals(record.curve.iloc[:rows])
    assert len(record.curve) == 4


def test_a_cut_record_equals_the_one_of_a_trial_that_stopped_there():
    whole = make_record(metric=(0.1, 0.5, 0.9, 0.8))
    stopped = make_record(metric=(0.1, 0.5, 0.9))
    served = serves(whole, asked(whole, 0.9), "max")
    seconds = {Purpose.TRAINING: 0.02 * EVERY, Purpose.EVALUATION: 0.5 * 3 / 4}
    expected = {
        purpose: dataclasses.replace(amount, seconds=seconds.get(purpose, 0.0))
        for purpose, amount in stopped.ledger.spent.items()
    }
    assert dict(served.ledger.spent) == expected
    assert served.ledger.forward_share == stopped.ledger.forward_share
    assert served.ledger.cost == served.curve["cost"].iloc[-1]
    assert served.ledger.charged().flops == served.curve["flops"].iloc[-1]


def test_a_cut_takes_each_purpose_from_its_own_passes():
    record = make_record(metric=(0.1, 0.5, 0.9))
    samples = 2 * EVERY * BATCH
    curve = record.curve.assign(
        sample_gradients=[0, 1000, samples + 500],
        samples=[0, 1000, samples],
        forward_samples=[0, 30, 120],
        flops=[0.0, 3030.0, 3.0 * samples + 1500.0 + 120.0],
    )
    spent = {
        Purpose.TRAINING: Spending(samples, 0, 2 * EVERY, 3.0 * samples, 1.0),
        Purpose.SECOND_GRADIENT: Spending(500, 0, 0, 1500.0, 0.0),
        Purpose.LINE_SEARCH: Spending(0, 80, 0, 80.0, 0.0),
        Purpose.REFRESH: Spending(0, 40, 0, 40.0, 0.0),
        Purpose.LOST: Spending(7, 0, 1, 21.0, 0.1),
    }
    record = dataclasses.replace(record, curve=curve, ledger=Ledger(spent))
    cut = serves(record, asked(record, 0.5), "max").ledger.spent
    assert cut[Purpose.TRAINING] == Spending(1000, 0, EVERY, 3000.0, 0.01 * EVERY)
    assert cut[Purpose.SECOND_GRADIENT] == Spending()
    assert cut[Purpose.LINE_SEARCH] == Spending(0, 20, 0, 20.0, 0.0)
    assert cut[Purpose.REFRESH] == Spending(0, 10, 0, 10.0, 0.0)
    assert cut[Purpose.LOST] == spent[Purpose.LOST]


def test_what_was_spent_after_the_last_evaluation_is_cut_from_a_crash():
    record = make_record(metric=(0.1, 0.5, 0.9), end=EndReason.CRASHED, error="boom")
    ledger = record.ledger.add(Purpose.TRAINING, Spending(999, 0, 9, 9e5, 1.0))
    record = dataclasses.replace(record, ledger=ledger)
    served = serves(record, asked(record, 0.9), "max")
    assert served.ledger.cost == served.curve["cost"].iloc[-1]


def test_a_trial_that_diverged_at_the_evaluation_that_meets_the_target_diverged():
    record = make_record(metric=(0.1, 0.5), end=EndReason.DIVERGED)
    spec = asked(record, 0.5)
    assert serves(record, spec, "max").end is EndReason.DIVERGED


def test_a_value_that_is_not_a_number_meets_no_target():
    record = make_record(metric=(0.1, math.nan, 0.9))
    assert len(serves(record, asked(record, 0.5), "max").curve) == 3
    assert len(serves(record, asked(record, 0.05), "min").curve) == 3
    assert np.isnan(serves(record, asked(record, 0.5), "max").curve.loc[1]).any()


def test_an_unknown_mode_is_refused():
    record = make_record()
    with pytest.raises(ValueError, match="`mode` must be 'max' or 'min'; got 'best'"):
        serves(record, record.spec, "best")
