"""DoWG: a trace by hand, its laws and its edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.dowg import DoWG
from hpo_vs_adapt.optim.testing import RULE_CHECKS

CASES = [
    {},
    {"eps": 1e-2, "weight_decay": 0.1, "decay": "matrices"},
    {"schedule": "cosine", "warmup": 0.25},
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", CASES, ids=str)
def test_it_keeps_the_contract(settings, check):
    check(DoWG, settings)


def trace(settings, gradient, start, steps, run=None):
    """Weights and observations after each step, in float64."""
    rule = build_rule(DoWG, settings, run or Run(100, 10), torch.float64)
    w = torch.tensor(start, dtype=torch.float64)
    state = rule.init(w, Layout(("weight",), ((len(start),),)))
    rows = []
    for _ in range(steps):
        w, state = rule.update(w, gradient(w), state, None)
        rows.append((w.clone(), {n: t.item() for n, t in rule.observe(state).items()}))
    return rows


def test_two_steps_by_hand():
    # eps 0.01; w 3, g 4: r2 = 0.01, v = 0.01 * 16, lr = 0.01 / (0.4 + 0.01), and
    # w = 3 - 4 lr. Then w moved by 4 lr, whose square is r2 if it is above 0.01.
    (first, shown), (second, later) = trace(
        {"eps": 0.01}, lambda w: torch.full_like(w, 4.0), (3.0,), 2
    )
    assert shown["lr"] == pytest.approx(0.01 / 0.41, rel=1e-14)
    assert first.item() == pytest.approx(3 - 4 * 0.01 / 0.41, rel=1e-14)
    r2 = max(0.01, (4 * 0.01 / 0.41) ** 2)
    assert r2 == 0.01  # 0.0976 ** 2 = 0.0095
    lr = r2 / (math.sqrt(0.16 + r2 * 16) + 0.01)
    assert later["lr"] == pytest.approx(lr, rel=1e-14)
    assert second.item() == pytest.approx(first.item() - 4 * lr, rel=1e-14)


def test_a_trace_against_an_independent_loop():
    h = (1.0, 10.0)
    w, start = [1.0, -0.5], [1.0, -0.5]
    r2, v, expected = 1e-4, 0.0, []
    for _ in range(60):
        g = [a * x for a, x in zip(h, w, strict=True)]
        r2 = max(r2, sum((x - y) ** 2 for x, y in zip(w, start, strict=True)))
        v += r2 * sum(x * x for x in g)
        lr = r2 / (math.sqrt(v) + 1e-4)
        w = [x - lr * y for x, y in zip(w, g, strict=True)]
        expected.append((*w, lr))
    curvature = torch.tensor(h, dtype=torch.float64)
    rows = trace({}, lambda w: curvature * w, (1.0, -0.5), 60)
    for (moved, shown), (one, two, lr) in zip(rows, expected, strict=True):
        assert moved.tolist() == pytest.approx([one, two], abs=1e-9)
        assert shown["lr"] == pytest.approx(lr, rel=1e-9)
    assert rows[-1][1]["distance"] > 0.5  # it left its first guess, 0.01, behind


def test_a_rotated_problem_gives_the_rotated_trace():
    c, s = math.cos(0.7), math.sin(0.7)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    h = torch.tensor([1.0, 10.0], dtype=torch.float64)
    plain = trace({}, lambda w: h * w, (1.0, -0.5), 40)
    start = tuple((turn @ torch.tensor([1.0, -0.5], dtype=torch.float64)).tolist())
    turned = trace({}, lambda w: turn @ (h * (turn.T @ w)), start, 40)
    for (one, _), (other, _) in zip(plain, turned, strict=True):
        torch.testing.assert_close(turn @ one, other, rtol=1e-10, atol=1e-12)


def test_the_scale_of_the_loss_does_not_matter_without_eps():
    # eps is a distance too: what is left of it here is 1e-12 of the first distance.
    settings = {"eps": 1e-4}
    plain = trace(settings, lambda w: w * 1e8, (1.0, -0.5), 40)
    scaled = trace(settings, lambda w: w * 1e10, (1.0, -0.5), 40)
    for (one, _), (other, _) in zip(plain, scaled, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_the_schedule_multiplies_what_is_learnt():
    plain = trace({}, torch.ones_like, (1.0,), 1)
    warming = trace({"warmup": 0.5}, torch.ones_like, (1.0,), 1, Run(8, 4))
    # The first of four warm-up steps is at a quarter.
    moved = [1 - rows[0][0].item() for rows in (warming, plain)]
    assert moved[0] == pytest.approx(moved[1] / 4, rel=1e-12)
