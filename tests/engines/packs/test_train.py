import math

import pandas as pd
import pytest
import torch
from torch import nn

from hpo_vs_adapt.engines.packs.batches import Batches, DeviceData
from hpo_vs_adapt.metrics.basics.hits import first_hit
from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.records.ledger import Purpose
from hpo_vs_adapt.records.store import serves
from hpo_vs_adapt.records.trials import EndReason, TrialRecord, TrialSpec
from hpo_vs_adapt.seeds import derive
from hpo_vs_adapt.workloads import WORKLOADS
from hpo_vs_adapt.workloads.synthetic import Sphere
from tests.packs import dataset, make_pack, numbers, run, trial

RATES = (0.3, 0.1, 0.03, 0.01, 1e-3)


def _lanes(workload: str, rule: str = "sgd", **more: object) -> list[TrialSpec]:
    """Return five lanes, with seeds of their own where the workload allows it."""
    shared = "cnn" in workload and "fashion" in workload  # dropout: one seed a pack
    return [
        trial(workload, rule, 0 if shared else n % 3, **_rate(rule, lr), **more)
        for n, lr in enumerate(RATES)
    ]


def _rate(rule: str, lr: float) -> dict[str, float]:
    """Return the rate as a setting, for rules that have one."""
    return {"lr": lr} if "lr" in RULES[rule].settings else {}


def _same_curves(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return one.equals(other)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_curve_is_the_same_to_the_bit_in_whatever_pack_it_is_trained(workload):
    specs = _lanes(workload, steps=4, every=2)
    together = run(make_pack(specs))
    for lanes in ([0], [1, 0], [2, 3, 4], [4, 3, 2, 1]):  # every lane, other places
        apart = run(make_pack([specs[lane] for lane in lanes]))
        for place, lane in enumerate(lanes):
            assert _same_curves(numbers(apart[place]), numbers(together[lane]))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_the_same_bits_in_whatever_pack_it_is_trained(rule):
    specs = _lanes("digits_mlp", rule)
    together = run(make_pack(specs))
    for lane, spec in enumerate(specs):
        assert _same_curves(numbers(run(make_pack([spec]))[0]), numbers(together[lane]))


def test_lanes_differ_when_their_rates_or_seeds_do():
    # Else the tests above would compare a thing with itself.
    results = run(make_pack([trial(lr=0.1), trial(lr=0.2), trial(lr=0.1, seed=1)]))
    finals = {result.curve["validation_loss"].iloc[-1] for result in results.values()}
    assert len(finals) == 3


@pytest.mark.parametrize("workload", ["digits_mlp", "fashion_mnist_cnn"])
def test_a_pack_equals_single_runs_of_torch(workload, monkeypatch):
    """float64, 50 steps, a lane with NaN beside; BatchNorm on, dropout off."""
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: x)
    specs = [
        trial(workload, seed=n, steps=50, every=50, precision="float64", lr=lr)
        for n, lr in enumerate([0.05, 1e200, 0.01])
    ]
    specs = [_with_momentum(spec) for spec in specs]
    results = run(make_pack(specs))
    assert results[1].end is EndReason.DIVERGED
    for lane in (0, 2):
        loss, metric = _torch_run(specs[lane])
        last = results[lane].curve.iloc[-1]
        assert last["validation_loss"] == pytest.approx(loss, abs=1e-9)
        assert last["validation_metric"] == metric


def _with_momentum(spec: TrialSpec) -> TrialSpec:
    settings = {**dict(spec.settings), "momentum": 0.9}
    return trial(
        spec.workload,
        seed=spec.seed,
        steps=50,
        every=50,
        precision="float64",
        **settings,
    )


def _torch_run(spec: TrialSpec) -> tuple[float, float]:
    """Train one trial with torch.optim; return its validation loss and metric."""
    workload = WORKLOADS[spec.workload]()
    data = DeviceData.of(dataset(spec.workload), "cpu", torch.float64)
    with torch.random.fork_rng():
        torch.manual_seed(derive(spec.seed, "weights"))
        model = workload.model().double()
    optimizer = torch.optim.SGD(model.parameters(), **dict(spec.settings))
    batches = Batches(data, spec.batch_size, [spec.seed])
    for step in range(50):
        x, y = batches.at(step)
        optimizer.zero_grad()
        workload.loss(model(x[0]), y[0]).backward()
        optimizer.step()
    model.eval()
    x, y = data.validation
    with torch.no_grad():
        outputs = model(x)
        return float(workload.loss(outputs, y)), float(workload.score(outputs, y))


def test_lanes_stepped_one_by_one_equal_the_vectorised_run():
    class OneByOne(WORKLOADS["fashion_mnist_cnn"]):
        vectorise = False

    specs = [
        trial("fashion_mnist_cnn", precision="float64", lr=lr, steps=6, every=3)
        for lr in (0.1, 0.01)
    ]
    vectorised, singly = run(make_pack(specs)), run(make_pack(specs, OneByOne()))
    for lane in (0, 1):
        pd.testing.assert_frame_equal(
            numbers(vectorised[lane]), numbers(singly[lane]), rtol=0, atol=1e-9
        )


def test_dropout_masks_change_from_step_to_step_and_are_shared_by_lanes():
    with_same = run(
        make_pack([trial("fashion_mnist_cnn", lr=0.1, steps=3, every=1)] * 2)
    )
    assert _same_curves(numbers(with_same[0]), numbers(with_same[1]))
    frozen = run(make_pack([trial("fashion_mnist_cnn", lr=1e-30, steps=3, every=1)]))
    # With weights that do not move, only batches and masks change the training loss.
    assert frozen[0].curve["train_loss"].iloc[1:].nunique() == 3


def test_the_global_generator_of_torch_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run(make_pack([trial("fashion_mnist_cnn", lr=0.1, steps=2, every=1)]))
    assert torch.equal(torch.get_rng_state(), before)


def test_trials_with_the_same_seed_see_the_same_weights_and_batches():
    specs = [trial(rule="sgd", lr=1e-9), trial(rule="adam", lr=1e-9)]
    curves = [run(make_pack([spec]))[0].curve for spec in specs]
    assert curves[0]["validation_loss"][0] == curves[1]["validation_loss"][0]
    # The loss of the same batches at nearly the same weights.
    assert curves[0]["train_loss"][1] == pytest.approx(curves[1]["train_loss"][1], 1e-5)


def test_every_sample_is_seen_once_an_epoch():
    data = DeviceData.of(dataset("iris_logreg"), "cpu", torch.float32)
    n = len(data.train)
    unique = torch.arange(len(data.x), dtype=torch.float32)
    data = DeviceData(unique, data.y, data.train, data.validation, data.test)
    batches = Batches(data, 10, [3, 4])
    steps = n // 10
    seen = torch.cat([batches.at(step)[0] for step in range(steps)], 1)
    for lane in (0, 1):
        assert seen[lane].unique().numel() == steps * 10
        assert set(seen[lane].long().tolist()) <= set(data.train.tolist())
    again = batches.at(steps)[0]
    assert not torch.equal(again, batches.at(0)[0])  # another order in the next epoch


def test_a_batch_larger_than_the_training_data_is_refused():
    data = DeviceData.of(dataset("iris_logreg"), "cpu", torch.float32)
    with pytest.raises(ValueError, match="`batch_size` must be at most the number"):
        Batches(data, 4096, [0])


def test_evaluations_come_at_step_0_at_the_interval_and_at_the_end():
    curve = run(make_pack([trial(steps=10, every=4, lr=0.1)]))[0].curve
    assert curve["step"].tolist() == [0, 4, 8, 10]
    assert math.isnan(curve["train_loss"][0])
    assert curve["train_loss"][1:].notna().all()


def test_a_lane_at_its_budget_ends_with_reason_budget_and_its_whole_ledger():
    result = run(make_pack([trial(steps=10, every=5, batch_size=16, lr=0.1)]))[0]
    assert result.end is EndReason.BUDGET
    training = result.ledger.spent[Purpose.TRAINING]
    assert (training.steps, training.sample_gradients) == (10, 160)
    assert result.curve["sample_gradients"].tolist() == [0, 80, 160]
    assert result.ledger.cost == 160
    data = dataset("digits_mlp")
    looked_at = 3 * (len(data.validation) + len(data.test))
    assert result.ledger.spent[Purpose.EVALUATION].forward_samples == looked_at


def test_a_diverged_lane_ends_at_its_evaluation_and_disturbs_nobody():
    specs = [trial(lr=0.1, steps=40), trial(lr=1e30, steps=40)]
    results = run(make_pack(specs))
    diverged = results[1]
    assert diverged.end is EndReason.DIVERGED
    assert diverged.curve["step"].tolist() == [0, 4]
    assert diverged.ledger.cost == 4 * 16  # what it burned until it was seen
    assert math.isnan(diverged.curve["validation_metric"].iloc[-1])
    alone = run(make_pack(specs[:1]))[0]
    assert _same_curves(numbers(results[0]), numbers(alone))


def test_a_lane_stops_at_its_target_and_costs_nothing_more():
    free = run(make_pack([trial(lr=0.1, steps=200, every=10)]))[0].curve
    target = free["validation_metric"].iloc[5]
    first = int((free["validation_metric"] >= target).to_numpy().argmax())
    specs = [
        trial(lr=0.1, steps=200, every=10, stop_at=target),
        trial(lr=0.1, steps=200, every=10),
    ]
    results = run(make_pack(specs))
    assert results[0].end is EndReason.TARGET
    assert results[0].ledger.cost == free["cost"][first]
    cut = numbers(results[1]).iloc[: first + 1]
    assert _same_curves(numbers(results[0]), cut)
    assert results[1].end is EndReason.BUDGET


class _Gap(Sphere):
    """A distance that is no number half-way, though all losses are finite."""

    def score(self, outputs, y):
        distance = super().score(outputs, y)
        return torch.where((distance < 1.0) & (distance > 0.5), math.nan, distance)


def test_a_lane_does_not_stop_at_a_target_behind_a_metric_that_was_no_number():
    spec = trial("sphere", lr=0.1, steps=12, every=1, batch_size=1, stop_at=0.3)
    result = run(make_pack([spec], _Gap()))[0]
    metric = result.curve["validation_metric"]
    assert metric.isna().any()
    assert metric.iloc[-1] < 0.3
    assert first_hit(metric, 0.3, "min") is None
    assert result.end is EndReason.BUDGET
    record = TrialRecord("0" * 32, spec, result.end, result.curve, result.ledger)
    assert serves(record, spec, "min") is not None  # and would not be trained again
    whole = run(make_pack([spec]))[0]
    assert whole.end is EndReason.TARGET


@pytest.mark.parametrize(
    ("workload", "rule"),
    [
        *(("digits_mlp", rule) for rule in RULES),
        # BatchNorm and dropout, with a rule of each kind: ours, one that evaluates a
        # minibatch twice, a library's, one that averages weights.
        *(
            ("fashion_mnist_cnn", r)
            for r in ("sgd", "gala", "dog", "schedule_free_sgd")
        ),
    ],
)
def test_a_restored_pack_goes_on_bit_for_bit(workload, rule, tmp_path):
    specs = [
        trial(workload, rule, steps=6, every=2, **_rate(rule, lr))
        for lr in (1e-2, 1e-3)
    ]
    straight = run(make_pack(specs))
    first = make_pack(specs)
    first.advance()
    first.advance()
    torch.save(first.checkpoint(), tmp_path / "pack.pt")
    second = make_pack(specs)
    second.restore(torch.load(tmp_path / "pack.pt", weights_only=False))
    resumed = run(second)
    for lane in (0, 1):
        assert _same_curves(numbers(resumed[lane]), numbers(straight[lane]))
        assert resumed[lane].ledger.cost == straight[lane].ledger.cost


def test_a_second_gradient_is_charged_and_leaves_batch_norm_alone():
    spec = trial("fashion_mnist_cnn", "tlr", form="look_ahead", lr=0.1, steps=4)
    result = run(make_pack([spec]))[0]
    again = result.ledger.spent[Purpose.SECOND_GRADIENT].sample_gradients
    assert again == result.ledger.spent[Purpose.TRAINING].sample_gradients == 64
    assert result.curve["sample_gradients"].iloc[-1] == 128
    pack = make_pack([spec])
    x, y = pack._batches.at(0)
    before = {name: tensor.clone() for name, tensor in pack._buffers.items()}
    oracle = pack._oracle(x, y, pack._noise_seed(), torch.zeros(2, 1))
    loss, gradient = oracle(pack._w)
    assert all(torch.equal(pack._buffers[name], before[name]) for name in before)
    again_loss, again_gradient = oracle(pack._w)
    assert torch.equal(loss, again_loss)  # the same masks, too
    assert torch.equal(gradient, again_gradient)


def test_the_curve_says_with_which_rate_the_next_step_starts():
    spec = trial(schedule="cosine", lr=0.5, momentum=0.9, steps=8, every=4)
    curve = run(make_pack([spec]))[0].curve
    assert curve["lr"].iloc[0] == pytest.approx(0.5)
    assert curve["lr"].iloc[1] == pytest.approx(0.25)
    assert curve["momentum"].eq(curve["momentum"].iloc[0]).all()
    assert curve["momentum"].iloc[0] == pytest.approx(0.9)
