import pytest

from hpo_vs_adapt.records.ledger import Purpose
from hpo_vs_adapt.records.store import serves
from hpo_vs_adapt.records.trials import EndReason, TrialRecord
from tests.packs import make_pack, numbers, run, trial


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"form": "look_ahead", "every": 5}])
def test_a_trained_record_cut_at_a_target_equals_training_that_stopped_there(settings):
    def trained(stop_at):
        spec = trial(rule="tlr", steps=24, stop_at=stop_at, **settings)
        result = run(make_pack([spec]))[0]
        return result, TrialRecord(
            "0" * 32, spec, result.end, result.curve, result.ledger
        )

    _, whole = trained(None)
    target = whole.curve["validation_metric"].iloc[3]
    stopped_result, stopped = trained(target)
    assert stopped.end is EndReason.TARGET

    served = serves(whole, stopped.spec, "max")
    assert served.end is stopped.end
    assert len(served.curve) == len(stopped.curve)
    counts = list(numbers(stopped_result))
    assert served.curve[counts].equals(stopped.curve[counts])
    assert set(served.ledger.spent) == set(stopped.ledger.spent)
    for purpose in Purpose:
        if purpose in stopped.ledger.spent:
            one, other = served.ledger.spent[purpose], stopped.ledger.spent[purpose]
            assert one.sample_gradients == other.sample_gradients
            assert one.forward_samples == other.forward_samples
            assert one.steps == other.steps
            assert one.flops == pytest.approx(other.flops, rel=1e-12)
    assert served.ledger.cost == stopped.ledger.cost
