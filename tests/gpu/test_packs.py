"""A CUDA device must do as the CPU does, up to the order of floating-point sums."""

import numpy as np
import pytest
import torch

from hpo_vs_adapt.engines.packs.batches import DeviceData
from hpo_vs_adapt.engines.packs.flops import count_flops
from hpo_vs_adapt.engines.packs.pack import Pack
from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.workloads import WORKLOADS
from tests.packs import dataset, numbers, run, trial

pytestmark = pytest.mark.gpu


def _pack(specs, device):
    first = specs[0]
    workload = WORKLOADS[first.workload]()
    data = DeviceData.of(
        dataset(first.workload), device, getattr(torch, first.precision)
    )
    flops = count_flops(workload, data.x[:4], data.y[:4])
    return Pack(workload, RULES[first.rule], specs, data, flops)


@pytest.mark.parametrize("rule", RULES)
def test_a_pack_on_the_gpu_equals_one_on_the_cpu(rule):
    specs = [
        trial(rule=rule, lr=lr, seed=seed, steps=20, precision="float64")
        for seed, lr in enumerate([0.1, 0.01, 1e-3])
    ]
    on_cpu, on_gpu = run(_pack(specs, "cpu")), run(_pack(specs, "cuda"))
    for lane in range(3):
        np.testing.assert_allclose(
            numbers(on_gpu[lane]), numbers(on_cpu[lane]), rtol=1e-6, atol=1e-9
        )


def test_batch_norm_and_dropout_train_on_the_gpu_and_leave_its_generator_alone():
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    specs = [trial("fashion_mnist_cnn", lr=lr, steps=4) for lr in (0.1, 0.01)]
    results = run(_pack(specs, "cuda"))
    assert {result.end for result in results.values()} == {EndReason.BUDGET}
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_a_checkpoint_moves_from_the_gpu_to_the_cpu():
    specs = [trial(lr=lr, steps=8, precision="float64") for lr in (0.1, 0.01)]
    first = _pack(specs, "cuda")
    first.advance()
    first.advance()
    second = _pack(specs, "cpu")
    second.restore(first.checkpoint())
    resumed, straight = run(second), run(_pack(specs, "cpu"))
    for lane in (0, 1):
        np.testing.assert_allclose(
            numbers(resumed[lane]), numbers(straight[lane]), rtol=1e-6, atol=1e-9
        )
