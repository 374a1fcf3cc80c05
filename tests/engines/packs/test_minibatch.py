"""What rules may ask of the training loop beyond a gradient, and what it costs."""

import pytest
import torch
from torch import nn

from hpo_vs_adapt.engines.packs.batches import DeviceData, set_aside
from hpo_vs_adapt.optim.fixed import SGD
from hpo_vs_adapt.records.ledger import Purpose
from hpo_vs_adapt.workloads import WORKLOADS
from tests.packs import dataset, make_pack, numbers, run, trial


class Searching(SGD):
    """Looks at the loss of a step ahead, in the lanes whose weight 0 is positive."""

    def update(self, w, g, state, oracle):
        wanted = w[:, :1] > 0
        ahead = oracle.forward(w - 0.1 * g, wanted)
        g = torch.where(wanted & (ahead > oracle.loss), 0.5 * g, g)
        return super().update(w, g, state, oracle)


class OneByOne(SGD):
    """Takes each lane's second gradient by itself, twice in lane 1."""

    def update(self, w, g, state, oracle):
        rows = []
        for row in range(len(w)):
            lane = oracle.lane(row)
            loss, again = lane(w[row])
            assert torch.equal(loss, oracle.loss[row])
            assert torch.equal(again, g[row])
            assert torch.equal(lane.forward(w[row]), loss)
            rows.append(again)
        oracle.lane(1)(w[1])
        return super().update(w, torch.stack(rows), state, oracle)


class Validating(SGD):
    """Steps along the gradient of samples that training does not see."""

    @classmethod
    def held_out_share(cls, settings):
        return 0.25

    def update(self, w, g, state, oracle):
        _, held_out = oracle.held_out(w)
        assert not torch.equal(held_out, g)
        return super().update(w, held_out, state, oracle)


class Averaging(SGD):
    """Is evaluated half-way between its weights and none."""

    def weights(self, w, state):
        return 0.5 * w


def test_a_search_charges_only_the_lanes_that_wanted_it():
    specs = [trial(seed=seed, lr=0.1, steps=4) for seed in range(4)]
    pack = make_pack(specs, rule=Searching)
    wanted = (pack._w[:, 0] > 0).tolist()
    assert True in wanted and False in wanted  # noqa: PT018
    for lane, result in run(pack).items():
        charged = result.ledger.spent.get(Purpose.LINE_SEARCH)
        if wanted[lane]:
            assert charged.forward_samples == 4 * 16
            assert result.curve["forward_samples"].iloc[-1] == 4 * 16
            assert result.ledger.cost > 64
        else:
            assert charged is None
            assert result.ledger.cost == 64


@pytest.mark.parametrize("workload", ["digits_mlp", "fashion_mnist_cnn"])
def test_a_lane_evaluated_by_itself_gives_the_same_bits_and_is_charged(workload):
    specs = [trial(workload, lr=lr, steps=3) for lr in (0.1, 0.05, 0.02)]
    ended = run(make_pack(specs, rule=OneByOne))
    again = [ended[n].ledger.spent[Purpose.SECOND_GRADIENT] for n in range(3)]
    assert [one.sample_gradients for one in again] == [48, 96, 48]
    plain = run(make_pack(specs))
    assert numbers(ended[2])["validation_loss"].equals(
        numbers(plain[2])["validation_loss"]
    )


def test_samples_set_aside_are_never_trained_on_and_are_the_same_for_all_seeds():
    data = DeviceData.of(dataset("digits_mlp"), "cpu", torch.float32)
    kept, held_out = set_aside(data, 0.25)
    assert len(held_out.train) == round(0.25 * len(data.train))
    together = torch.cat([kept.train, held_out.train]).sort().values
    assert torch.equal(together, data.train.sort().values)
    again, _ = set_aside(data, 0.25)
    assert torch.equal(again.train, kept.train)
    untouched, _ = set_aside(data, 0.0)
    assert torch.equal(untouched.train, data.train)


def test_held_out_gradients_are_charged_and_come_from_samples_set_aside():
    pack = make_pack([trial(lr=0.1, steps=6)], rule=Validating)
    aside = set(pack._held_out._data.train.tolist())
    assert aside.isdisjoint(pack._batches._data.train.tolist())
    result = run(pack)[0]
    assert result.ledger.spent[Purpose.HELD_OUT].sample_gradients == 6 * 16
    assert result.ledger.cost == 2 * 6 * 16


def test_averaged_weights_are_evaluated_and_training_does_not_notice():
    spec = trial(lr=0.1, steps=4)
    averaged, plain = (
        run(make_pack([spec], rule=Averaging))[0],
        run(make_pack([spec]))[0],
    )
    assert averaged.curve["train_loss"].equals(plain.curve["train_loss"])
    assert (averaged.curve["validation_loss"] != plain.curve["validation_loss"]).all()
    assert averaged.ledger.cost == 64  # a model without BatchNorm has nothing to renew


def test_batch_norm_is_refreshed_for_averaged_weights_and_charged():
    spec = trial("fashion_mnist_cnn", lr=0.1, steps=4, every=2)
    pack = make_pack([spec], rule=Averaging)
    result = run(pack)[0]
    batches = min(50, pack._run.steps_per_epoch)
    refreshed = result.ledger.spent[Purpose.REFRESH].forward_samples
    assert refreshed == 2 * batches * 16  # not before the first step
    assert result.curve["forward_samples"].tolist() == [0, refreshed // 2, refreshed]
    pack = make_pack([spec], rule=Averaging)
    pack.advance()
    pack.advance()
    means = [t for name, t in pack._buffers.items() if name.endswith("running_mean")]
    w = pack._rule.weights(pack._w, pack._state)
    fresh = pack._refreshed(w)
    after = [t for name, t in fresh.items() if name.endswith("running_mean")]
    assert len(means) == 2
    assert not any(map(torch.equal, means, after))


class Boxed(WORKLOADS["digits_mlp"]):
    """With clipped gradients and weights that stay in a box."""

    clip_norm = 0.01
    _size = sum(p.numel() for p in WORKLOADS["digits_mlp"]().model().parameters())
    box = ((-0.05,) * _size, (0.05,) * _size)


def test_gradients_are_clipped_and_weights_stay_in_the_box():
    specs = [trial(lr=0.1, steps=3, seed=seed) for seed in (0, 1)]
    pack = make_pack(specs, workload=Boxed())
    x, y = pack._batches.at(0)
    _, g = pack._model.gradient(pack._w, pack._buffers, x, y)
    norms = g.norm(dim=-1)
    torch.testing.assert_close(norms, torch.full_like(norms, 0.01), rtol=1e-3, atol=0)
    _, whole = make_pack(specs)._model.gradient(pack._w, pack._buffers, x, y)
    torch.testing.assert_close(
        g, 0.01 * nn.functional.normalize(whole, dim=-1), rtol=1e-3, atol=1e-8
    )
    pack.advance()
    pack.advance()
    assert pack._w.abs().max() <= 0.05
    assert (pack._w.abs() == 0.05).any()
