"""AdaGrad-Norm: a trace by hand, its laws and its edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import build_rule
from hpo_vs_adapt.optim.adagrad_norm import AdaGradNorm
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.testing import RULE_CHECKS

CASES = [
    {},
    {"b0": 2.0, "weight_decay": 0.1},
    {"schedule": "multistep", "warmup": 0.25},
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", CASES, ids=str)
def test_it_keeps_the_contract(settings, check):
    check(AdaGradNorm, settings)


def trace(settings, gradient, start, steps):
    """Weights and rates after each step, in float64, those of the start first."""
    rule = build_rule(AdaGradNorm, settings, Run(100, 10), torch.float64)
    w = torch.tensor(start, dtype=torch.float64)
    state = rule.init(w, Layout(("weight",), ((len(start),),)))
    rows = [(w.clone(), rule.observe(state)["lr"].item())]
    for _ in range(steps):
        w, state = rule.update(w, gradient(w), state, None)
        rows.append((w.clone(), rule.observe(state)["lr"].item()))
    return rows


def test_two_steps_by_hand():
    # b0 3, g 4: b = 5 and w falls by 2 * 4 / 5; then b^2 = 25 + 16.
    rows = trace({"lr": 2, "b0": 3}, lambda w: torch.full_like(w, 4.0), (1.0,), 2)
    assert rows[0][1] == pytest.approx(2 / 3, rel=1e-15)
    assert rows[1] == (pytest.approx(1 - 8 / 5), pytest.approx(2 / 5))
    expected = 1 - 8 / 5 - 8 / math.sqrt(41)
    assert rows[2][0].item() == pytest.approx(expected, rel=1e-14)


def test_the_norm_is_that_of_all_weights():
    # g = (3, 4) has norm 5: both weights move by lr / sqrt(144 + 25) = lr / 13.
    g = torch.tensor([3.0, 4.0], dtype=torch.float64)
    rows = trace({"lr": 13, "b0": 12}, lambda w: g, (0.0, 0.0), 1)
    assert rows[1][0].tolist() == pytest.approx([-3, -4], rel=1e-14)


def test_a_trace_against_an_independent_loop():
    h, w, b2, expected = (1.0, 10.0), [1.0, -0.5], 0.01, []
    for _ in range(60):
        g = [a * x for a, x in zip(h, w, strict=True)]
        b2 += sum(x * x for x in g)
        w = [x - y / math.sqrt(b2) for x, y in zip(w, g, strict=True)]
        expected.append(list(w))
    curvature = torch.tensor(h, dtype=torch.float64)
    rows = trace({}, lambda w: curvature * w, (1.0, -0.5), 60)
    for (moved, _), weights in zip(rows[1:], expected, strict=True):
        assert moved.tolist() == pytest.approx(weights, abs=1e-9)


def test_a_rotated_problem_gives_the_rotated_trace():
    c, s = math.cos(0.7), math.sin(0.7)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    h = torch.tensor([1.0, 10.0], dtype=torch.float64)
    plain = trace({}, lambda w: h * w, (1.0, -0.5), 40)
    start = tuple((turn @ torch.tensor([1.0, -0.5], dtype=torch.float64)).tolist())
    turned = trace({}, lambda w: turn @ (h * (turn.T @ w)), start, 40)
    for (one, _), (other, _) in zip(plain, turned, strict=True):
        torch.testing.assert_close(turn @ one, other, rtol=1e-10, atol=1e-12)


def test_a_gradient_and_a_b0_twice_as_large_give_the_same_steps_bitwise():
    plain = trace({"b0": 0.5}, lambda w: w**3, (1.0, -0.5), 40)
    scaled = trace({"b0": 1.0}, lambda w: 2 * w**3, (1.0, -0.5), 40)
    for (one, _), (other, _) in zip(plain, scaled, strict=True):
        assert torch.equal(one, other)


def test_one_infinite_gradient_does_not_reach_the_rate():
    rule = build_rule(AdaGradNorm, {}, Run(9, 3), torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, Layout(("weight",), ((2,),)))
    g = torch.full_like(w, torch.nan)
    _, state = rule.update(w, g, state, None)
    assert rule.observe(state)["lr"].item() == pytest.approx(10)  # 1 / b0
    assert rule.observe(state)["rejected"].item() == 1
