"""SGD, Adam and AdamW are those of torch."""

import pytest
import torch

from hpo_vs_adapt.optim import RULES, build_rule
from hpo_vs_adapt.optim.base import Layout, Run

LAYOUT = Layout(("weight", "bias"), ((4, 3), (4,)))
TORCH = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
CASES = [
    ("sgd", {"lr": 0.05}),
    ("sgd", {"lr": 0.05, "momentum": 0.9}),
    ("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("sgd", {"lr": 0.05, "weight_decay": 0.1}),
    ("sgd", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("adam", {"lr": 0.01}),
    ("adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3}),
    ("adam", {"lr": 0.01, "weight_decay": 0.1}),
    ("adamw", {"lr": 0.01}),
    ("adamw", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-4, "weight_decay": 0.3}),
    ("adamw", {"lr": 0.01, "weight_decay": 0.0}),
]


def gradients(w):
    """A trajectory-dependent, noisy gradient."""
    noise = torch.Generator().manual_seed(3)
    while True:
        yield lambda w: w**3 - w + torch.randn(16, generator=noise, dtype=w.dtype)


def train_torch(name, settings, steps):
    weight = torch.linspace(-1, 2, 16, dtype=torch.float64).requires_grad_()
    optimizer = TORCH[name]([weight], **settings)
    for gradient, _ in zip(gradients(weight), range(steps), strict=False):
        weight.grad = gradient(weight.detach())
        optimizer.step()
    return weight.detach()


def train_ours(name, lanes, steps, run=None):
    rule = build_rule(RULES[name], lanes, run or Run(steps, 10), torch.float64)
    w = torch.linspace(-1, 2, 16, dtype=torch.float64).repeat(len(lanes), 1)
    state = rule.init(w, LAYOUT)
    for gradient, _ in zip(gradients(w), range(steps), strict=False):
        w, state = rule.update(w, gradient(w), state, lambda w: (w, w))
    return w


@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_the_rule_is_torchs_over_a_hundred_steps(name, settings):
    ours = train_ours(name, [settings, {**settings, "lr": 1e-3}], 100)
    expected = train_torch(name, settings, 100)
    assert not torch.equal(expected, train_torch(name, settings, 0))
    torch.testing.assert_close(ours[0], expected, rtol=1e-12, atol=1e-12)


def test_the_defaults_are_torchs():
    for name, optimizer in TORCH.items():
        theirs = optimizer([torch.zeros(1, requires_grad=True)]).defaults
        for setting in RULES[name].settings.keys() & theirs.keys():
            assert RULES[name].settings[setting].default == theirs[setting], setting


def test_lanes_with_and_without_momentum_train_in_one_pack():
    lanes = [{"lr": 0.05, "momentum": momentum} for momentum in (0.0, 0.5, 0.9)]
    together = train_ours("sgd", lanes, 30)
    for lane, settings in enumerate(lanes):
        alone = train_torch("sgd", settings, 30)
        torch.testing.assert_close(together[lane], alone, rtol=1e-12, atol=1e-12)


def test_decay_of_matrices_leaves_biases_alone():
    # One step of SGD with decay 0.5 and lr 0.1 on zero gradients: matrices lose 5 %.
    settings = {"lr": 0.1, "weight_decay": 0.5, "decay": "matrices"}
    for name in ("sgd", "adamw"):
        rule = build_rule(RULES[name], [settings], Run(1, 1), torch.float64)
        w = torch.ones(1, 16, dtype=torch.float64)
        state = rule.init(w, LAYOUT)
        w, _ = rule.update(w, torch.zeros_like(w), state, lambda w: (w, w))
        torch.testing.assert_close(w[0, :12], torch.full((12,), 0.95, dtype=w.dtype))
        assert torch.equal(w[0, 12:], torch.ones(4).double())


def test_first_steps_by_hand():
    # Adam's first step is lr * g / (|g| + eps): both corrections cancel.
    w = torch.zeros(1, 2, dtype=torch.float64)
    g = torch.tensor([[4.0, -0.25]], dtype=torch.float64)
    rule = build_rule(RULES["adam"], [{"lr": 0.1, "eps": 1.0}], Run(9, 3), w.dtype)
    layout = Layout(("weight",), ((2,),))
    moved, _ = rule.update(w.clone(), g.clone(), rule.init(w, layout), None)
    expected = torch.tensor([[-0.1 * 4 / 5, 0.1 * 0.25 / 1.25]], dtype=w.dtype)
    torch.testing.assert_close(moved, expected, rtol=1e-12, atol=1e-12)


def test_adams_corrections_keep_their_digits_in_float32():
    # 1 - 0.999 has four digits in float32; the first step would be off by 6e-5 / 2.
    rule = build_rule(RULES["adam"], [{"lr": 1.0, "eps": 1e-30}], Run(9, 3))
    w = torch.zeros(1, 2)
    layout = Layout(("weight",), ((2,),))
    moved, _ = rule.update(w, torch.ones(1, 2), rule.init(w, layout), None)
    torch.testing.assert_close(moved, -torch.ones(1, 2), rtol=3e-7, atol=0)
