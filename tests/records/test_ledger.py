import pickle

import pytest
import torch

from hpo_vs_adapt.engines.packs.meter import Meter
from hpo_vs_adapt.records.ledger import FlopCount, Ledger, Purpose, Spending

FLOPS = FlopCount(forward=30.0, total=100.0)


def test_spending_adds_and_subtracts_kind_by_kind():
    one = Spending(10, 20, 1, 5.0, 0.5)
    other = Spending(1, 2, 3, 4.0, 0.25)
    assert one + other == Spending(11, 22, 4, 9.0, 0.75)
    assert (one + other) - other == one


def test_evaluation_is_kept_beside_and_never_charged():
    ledger = Ledger({}, 0.3).add(Purpose.TRAINING, Spending(100, 0, 10))
    with_evaluation = ledger.add(Purpose.EVALUATION, Spending(0, 5000))
    assert with_evaluation.cost == ledger.cost == 100
    assert with_evaluation.spent[Purpose.EVALUATION].forward_samples == 5000


@pytest.mark.parametrize("purpose", [p for p in Purpose if p.name != "EVALUATION"])
def test_everything_else_is_charged(purpose):
    assert Ledger({}, 0.3).add(purpose, Spending(7)).cost == 7


def test_a_forward_only_sample_costs_its_share_of_the_flops():
    ledger = Ledger({}, FLOPS.forward_share).add(Purpose.LINE_SEARCH, Spending(0, 10))
    assert ledger.cost == pytest.approx(10 * 30 / 100)


def test_adding_to_a_ledger_leaves_the_one_before_as_it_was():
    before = Ledger()
    after = before.add(Purpose.TRAINING, Spending(1)).add(Purpose.TRAINING, Spending(2))
    assert before.cost == 0
    assert after.spent[Purpose.TRAINING].sample_gradients == 3
    assert pickle.loads(pickle.dumps(after)) == after


def test_a_meter_charges_second_gradients_apart():
    meter = Meter(16, FLOPS)
    meter.steps, meter.evaluated = 4, 50
    for _ in range(3):
        meter.charge(Purpose.SECOND_GRADIENT, 16)
    ledger = meter.ledger(0)
    assert ledger.spent[Purpose.TRAINING] == Spending(64, 0, 4, 6400.0)
    assert ledger.spent[Purpose.SECOND_GRADIENT] == Spending(48, 0, 0, 4800.0)
    assert ledger.spent[Purpose.EVALUATION] == Spending(0, 50, 0, 1500.0)
    counts = meter.lane_counts()
    assert meter.shared_counts()["samples"] == 64
    assert counts["sample_gradients"].tolist() == counts["cost"].tolist() == [112]
    assert counts["flops"].tolist() == [11200]


def test_a_meter_charges_the_lanes_that_asked():
    meter = Meter(16, FLOPS, lanes=3)
    meter.charge(Purpose.LINE_SEARCH, 10, torch.tensor([[True], [False], [True]]))
    meter.charge(Purpose.LINE_SEARCH, 10, torch.tensor([[True], [False], [False]]))
    meter.charge(Purpose.HELD_OUT, 5, 1)
    assert meter.lane_counts()["forward_samples"].tolist() == [20, 0, 10]
    assert meter.lane_counts()["sample_gradients"].tolist() == [0, 5, 0]
    assert meter.ledger(0).cost == pytest.approx(20 * 0.3)
    assert meter.ledger(0).spent == {Purpose.LINE_SEARCH: Spending(0, 20, 0, 600.0)}


def test_a_meter_goes_on_from_its_state_with_the_lanes_that_are_left():
    meter = Meter(16, FLOPS, lanes=3)
    meter.steps, meter.training_seconds = 4, 0.5
    meter.charge(Purpose.REFRESH, 8)
    meter.charge(Purpose.REFRESH, 8, 2)
    meter.keep(torch.tensor([0, 2]))
    again = Meter(16, FLOPS, lanes=3)
    again.resume(pickle.loads(pickle.dumps(meter.state())))
    assert [again.ledger(row) for row in (0, 1)] == [meter.ledger(0), meter.ledger(1)]
    assert again.lane_counts()["forward_samples"].tolist() == [8, 16]
