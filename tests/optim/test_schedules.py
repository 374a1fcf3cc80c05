"""Schedules, against formulas and against torch's own."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, build_rule
from hpo_vs_adapt.optim.base import Layout, Run

LAYOUT = Layout(("weight",), ((2,),))


def rates(settings, steps, lanes=1):
    """The rates with which steps 0, 1, ... start, as observed, shape (steps, lanes)."""
    every = settings if isinstance(settings, list) else [settings] * lanes
    rule = build_rule(RULES["sgd"], every, Run(steps, 5), torch.float64)
    w = torch.zeros(len(every), 2, dtype=torch.float64)
    state = rule.init(w, LAYOUT)
    seen = []
    for _ in range(steps):
        seen.append(rule.observe(state)["lr"][:, 0])
        before = w.clone()
        w, state = rule.update(w, torch.ones_like(w), state, lambda w: (w, w))
        # What is observed is what the step then takes.
        torch.testing.assert_close((before - w)[:, 0], seen[-1], rtol=1e-9, atol=1e-14)
    return torch.stack(seen)


def test_a_constant_rate_stays():
    assert torch.equal(
        rates({"lr": 0.3}, 8), torch.full((8, 1), 0.3, dtype=torch.float64)
    )


def test_cosine_is_torchs_cosine():
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    expected = []
    for _ in range(20):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    ours = rates({"lr": 0.3, "schedule": "cosine"}, 20)[:, 0]
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64))
    assert ours[10].item() == pytest.approx(0.15)


@pytest.mark.parametrize("steps", [8, 10, 11])
def test_multistep_falls_at_half_and_at_three_quarters(steps):
    ours = rates({"lr": 1.0, "schedule": "multistep"}, steps)[:, 0]
    expected = [
        1.0 if t < 0.5 * steps else 0.1 if t < 0.75 * steps else 0.01
        for t in range(steps)
    ]
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64))


def test_warm_up_climbs_linearly_and_then_the_schedule_starts():
    constant = rates({"lr": 1.0, "warmup": 0.25}, 16)[:, 0]
    torch.testing.assert_close(
        constant[:4], torch.tensor([0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    )
    assert (constant[4:] == 1).all()
    cosine = rates({"lr": 1.0, "warmup": 0.25, "schedule": "cosine"}, 16)[:, 0]
    torch.testing.assert_close(cosine[:4], constant[:4])
    expected = [(1 + math.cos(math.pi * t / 12)) / 2 for t in range(12)]
    torch.testing.assert_close(cosine[4:], torch.tensor(expected, dtype=torch.float64))
    multistep = rates({"lr": 1.0, "warmup": 0.25, "schedule": "multistep"}, 16)[:, 0]
    expected = [0.25, 0.5, 0.75] + [1.0] * 5 + [0.1] * 4 + [0.01] * 4
    torch.testing.assert_close(multistep, torch.tensor(expected, dtype=torch.float64))


def test_lanes_warm_up_at_their_own_pace():
    lanes = [{"lr": 1.0, "warmup": share} for share in (0.0, 0.5, 0.1)]
    together = rates(lanes, 10)
    for lane, settings in enumerate(lanes):
        assert torch.equal(together[:, lane], rates(settings, 10)[:, 0])
    assert torch.equal(together[:, 0], torch.ones(10).double())


def test_past_the_horizon_the_rate_stays_where_it_ended():
    rule = build_rule(RULES["sgd"], [{"schedule": "cosine"}], Run(4, 2), torch.float64)
    state = rule.init(torch.zeros(1, 2).double(), LAYOUT)
    state["step"] += 9
    assert rule.observe(state)["lr"].item() == pytest.approx(0, abs=1e-18)
