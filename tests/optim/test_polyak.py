"""SPS_max: the rate on quadratics, its bound, and its edges."""

import pytest
import torch

from hpo_vs_adapt.optim import build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.polyak import SPS
from hpo_vs_adapt.optim.testing import RULE_CHECKS

LAYOUT = Layout(("weight",), ((2,),))
CASES = [
    {},
    {"growth": None, "lr_max": 0.5},
    {"lower_bound": -1.0, "schedule": "cosine"},
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", CASES, ids=str)
def test_it_keeps_the_contract(settings, check):
    check(SPS, settings)


class Loss:
    """An oracle that knows the loss of the step alone."""

    def __init__(self, loss):
        self.loss = torch.tensor([loss], dtype=torch.float64)


def train(settings, losses, gradients, start=(1.0, 1.0)):
    """Weights and rates after each step on given losses and gradients."""
    rule = build_rule(SPS, settings, Run(10, 5), torch.float64)
    w = torch.tensor(start, dtype=torch.float64)
    state = rule.init(w, LAYOUT)
    rows = []
    for loss, gradient in zip(losses, gradients, strict=True):
        g = torch.tensor(gradient, dtype=torch.float64)
        w, state = rule.update(w, g, state, Loss(loss))
        rows.append((w.tolist(), rule.observe(state)["lr"].item()))
    return rows


def test_one_step_by_hand():
    # (f - f*) / (c ||g||^2) = (6 - 1) / (0.2 * 25) = 1, and w falls by g.
    settings = {"c": 0.2, "lower_bound": 1, "growth": None}
    (row,) = train(settings, [6.0], [(3.0, 4.0)])
    assert row == ([-2, -3], 1)


def test_on_a_round_bowl_one_step_is_enough():
    # f = h w^2 / 2 and c = 1/2: lr = 1 / h, the exact one.
    (row,) = train({"growth": None}, [7 * 2 / 2], [(7.0, 7.0)])
    assert row[1] == pytest.approx(1 / 7)
    assert row[0] == pytest.approx([0, 0], abs=1e-15)


def test_the_rate_is_bounded():
    settings = {"growth": None, "lr_max": 0.25}
    (row,) = train(settings, [6.0], [(1.0, 0.0)])
    assert row == ([0.75, 1], 0.25)


def test_the_bound_grows_by_the_factor_in_an_epoch_from_the_last_rate():
    rows = train({"growth": 32}, [1e9] * 5 + [1e-3, 1e9], [(1e-3, 0.0)] * 7)
    # 5 steps an epoch: the bound doubles at each.
    rates = [row[1] for row in rows]
    assert rates[:5] == pytest.approx([2, 4, 8, 16, 32])
    (small, rate) = rates[5:]
    assert small == pytest.approx(min(1e-3 / (0.5 * 1e-6), 64))
    assert rate == pytest.approx(2 * small)


def test_a_loss_at_its_bound_takes_no_step_and_keeps_the_rate():
    rows = train({"lower_bound": 2}, [2.0, 1.0, 3.0], [(1.0, 0.0)] * 3)
    assert rows[0] == ([1, 1], 1)
    assert rows[1] == ([1, 1], 1)
    assert rows[2][0][0] < 1


def test_a_loss_twice_as_large_halves_the_rate_bitwise():
    settings = {"growth": None}
    rows = train(settings, [0.3, 0.2], [(0.7, -0.4), (0.1, 0.3)])
    doubled = train(settings, [0.6, 0.4], [(1.4, -0.8), (0.2, 0.6)])
    assert [w for w, _ in rows] == [w for w, _ in doubled]
    assert [lr for _, lr in rows] == [2 * lr for _, lr in doubled]
