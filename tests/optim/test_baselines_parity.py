"""pytorch-optimizer's ports give the weights of the original libraries."""

from functools import partial

import dadaptation
import prodigyopt
import pytest
import schedulefree
import torch

from hpo_vs_adapt.optim.baselines import BASELINES
from tests.optim.bare import bare_steps, hosted_steps

STEPS = 100

# Settings of the baseline, the original with its arguments, and the relative difference
# of the weights after 100 steps in float64. It is what float32 accumulators leave: both
# sides keep the sums that d is made of in float32, whatever the weights are.
CASES = {
    "prodigy": (
        {"d0": 1e-3, "weight_decay": 0.1},
        partial(prodigyopt.Prodigy, d0=1e-3, weight_decay=0.1, safeguard_warmup=True),
        1e-6,
    ),
    "dadapt_adam": (
        {"d0": 1e-3, "weight_decay": 0.1},
        partial(dadaptation.DAdaptAdam, d0=1e-3, weight_decay=0.1, decouple=True),
        1e-6,
    ),
    "dadapt_sgd": (
        {"d0": 1e-3},
        partial(dadaptation.DAdaptSGD, d0=1e-3, momentum=0.9),
        1e-6,
    ),
    "schedule_free_sgd": (
        {"lr": 0.1, "weight_decay": 0.1},
        partial(schedulefree.SGDScheduleFree, lr=0.1, weight_decay=0.1),
        1e-12,
    ),
    "schedule_free_adamw": (
        {"lr": 0.05, "weight_decay": 0.1},
        partial(schedulefree.AdamWScheduleFree, lr=0.05, weight_decay=0.1),
        1e-6,
    ),
    "schedule_free_radam": (
        {"lr": 0.05},
        partial(schedulefree.RAdamScheduleFree, lr=0.05),
        1e-12,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_port_is_its_original(name):
    settings, original, tolerance = CASES[name]

    def make(tensors):
        optimizer = original(tensors)
        if hasattr(optimizer, "train"):
            optimizer.train()
        return optimizer

    bare = list(bare_steps(make, STEPS))
    hosted = list(hosted_steps(BASELINES[name], settings, STEPS))
    start = bare[0][0]
    w, also = bare[-1][0], hosted[-1][0]
    assert (w - start).norm() > 0.5  # both went somewhere
    assert (w - also).norm() / w.norm() < tolerance


@pytest.mark.parametrize("name", ["dadapt_adam", "dadapt_sgd"])
def test_growth_is_bounded_alike(name):
    original = {"dadapt_adam": dadaptation.DAdaptAdam}.get(name, dadaptation.DAdaptSGD)
    extra = {"decouple": True} if name == "dadapt_adam" else {"momentum": 0.9}
    make = partial(original, d0=1e-3, growth_rate=1.02, **extra)
    bare = bare_steps(make, 40)
    hosted = hosted_steps(BASELINES[name], {"d0": 1e-3, "growth_rate": 1.02}, 40)
    for (w, optimizer), (also, _, state) in zip(bare, hosted, strict=True):
        torch.testing.assert_close(w, also, rtol=1e-6, atol=1e-9)
        ours = state.guests[0].optimizers[0].param_groups[0]["d"]
        assert ours == pytest.approx(optimizer.param_groups[0]["d"], rel=1e-3)
    assert 1e-3 < ours <= 1e-3 * 1.02**40 * 1.001
