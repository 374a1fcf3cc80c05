"""Every baseline trains through a real pack, several lanes at a time."""

import pytest
import torch
from torch import nn

from hpo_vs_adapt.optim.baselines import BASELINES
from hpo_vs_adapt.optim.signatures import external_rule
from hpo_vs_adapt.records.ledger import Purpose
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.workloads import WORKLOADS
from tests.packs import make_pack, numbers, run, trial

SHORT = {"steps": 30, "every": 10}


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_trains_digits_in_a_pack(name):
    pack = make_pack([trial(rule=name, seed=seed, **SHORT) for seed in (0, 1, 2)])
    results = run(pack)
    assert len(results) == 3
    for result in results.values():
        assert result.end is EndReason.BUDGET
        assert result.curve["lr"].notna().all()
        assert (result.curve["skipped"] == 0).all()
        losses = result.curve["validation_loss"].to_numpy()
        assert losses[-1] != losses[0]


@pytest.mark.parametrize(
    "name", ["prodigy", "schedule_free_adamw", "dog", "momo", "mechanic_sgd"]
)
def test_a_checkpoint_in_the_middle_changes_nothing(name, tmp_path):
    specs = [trial(rule=name, seed=seed, **SHORT) for seed in (0, 1)]
    straight = run(make_pack(specs))
    pack = make_pack(specs)
    pack.advance()
    pack.advance()
    torch.save(pack.checkpoint(), tmp_path / "pack.pt")
    resumed = make_pack(specs)
    resumed.restore(torch.load(tmp_path / "pack.pt", weights_only=False))
    after = run(resumed)
    for lane, result in straight.items():
        assert numbers(result).equals(numbers(after[lane]))


@pytest.mark.parametrize("name", ["dadapt_adam", "schedule_free_sgd", "cocob"])
def test_a_lanes_curve_does_not_depend_on_its_pack(name):
    specs = [trial(rule=name, seed=seed, **SHORT) for seed in (0, 1, 2)]
    together = run(make_pack(specs))
    apart = run(make_pack(specs[2:]))
    assert numbers(together[2]).equals(numbers(apart[0]))


def test_a_lane_that_ends_early_leaves_the_others_as_they_were():
    specs = [
        trial(rule="prodigy", seed=seed, stop_at=stop_at, **SHORT)
        for seed, stop_at in ((0, None), (1, 0.0), (2, None))
    ]
    results = run(make_pack(specs))
    assert results[1].end is EndReason.TARGET
    alone = run(make_pack(specs[2:]))
    assert numbers(results[2]).equals(numbers(alone[0]))


class Normalised(WORKLOADS["digits_mlp"]):
    """digits_mlp with BatchNorm, whose running statistics follow the weights."""

    def model(self):
        return nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10)
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["schedule_free_sgd", "dog"])
def test_statistics_of_averaged_weights_are_renewed_and_charged(name):
    specs = [trial(rule=name, **SHORT)]
    (result,) = run(make_pack(specs, Normalised())).values()
    # Three evaluations after the start, of 50 batches each.
    assert result.ledger.spent[Purpose.REFRESH].forward_samples == 3 * 50 * 16
    (plain,) = run(make_pack(specs)).values()
    assert Purpose.REFRESH not in plain.ledger.spent
    (nadam,) = run(make_pack([trial(rule="nadam", **SHORT)], Normalised())).values()
    assert Purpose.REFRESH not in nadam.ledger.spent


@pytest.mark.slow
def test_evaluations_of_a_closure_are_charged_lane_by_lane():
    rule = external_rule(torch.optim.LBFGS)
    specs = [
        trial(rule="torch.optim:LBFGS", seed=seed, lr=lr, max_iter=4, **SHORT)
        for seed, lr in ((0, 0.1), (1, 0.5))
    ]
    results = run(make_pack(specs, rule=rule))
    spent = [r.ledger.spent[Purpose.SECOND_GRADIENT] for r in results.values()]
    # At most three evaluations a step beside the step's own.
    assert all(0 < s.sample_gradients <= 3 * 30 * 16 for s in spent)
    assert all(s.sample_gradients % 16 == 0 for s in spent)
    alone = run(make_pack(specs[1:], rule=rule))
    assert numbers(results[1]).equals(numbers(alone[0]))


def test_a_line_search_is_charged_by_lane():
    specs = [trial(rule="sls", seed=seed, **SHORT) for seed in (0, 1)]
    for result in run(make_pack(specs)).values():
        trials = result.curve["trials"].iloc[-1]
        spent = result.ledger.spent[Purpose.LINE_SEARCH].forward_samples
        assert spent == trials * 16
        assert trials >= 30
