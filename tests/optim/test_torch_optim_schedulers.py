"""Torch's schedulers on top: the rate is their schedule times what was learnt."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

from hpo_vs_adapt.optim.rate_tensor import Rate
from hpo_vs_adapt.optim.torch_optim import CLARA, GALA, SPS, AdaGradNorm
from tests.optim.hosted import Model, train

LR = 0.1
SCHEDULERS = {
    "lambda": lambda o: schedulers.LambdaLR(o, lambda t: 0.9**t),
    "multiplicative": lambda o: schedulers.MultiplicativeLR(o, lambda t: 0.95),
    "step": lambda o: schedulers.StepLR(o, 3, 0.5),
    "multistep": lambda o: schedulers.MultiStepLR(o, [4, 9], 0.1),
    "constant": lambda o: schedulers.ConstantLR(o, 0.3, total_iters=8),
    "exponential": lambda o: schedulers.ExponentialLR(o, 0.9),
    "polynomial": lambda o: schedulers.PolynomialLR(o, 40, 2.0),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, 10, eta_min=1e-3),
    "restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 5, eta_min=1e-3),
    "warm-up": lambda o: schedulers.LinearLR(o, 0.1, total_iters=8),
    "one cycle": lambda o: schedulers.OneCycleLR(
        o, 0.5, total_steps=40, cycle_momentum=False
    ),
    "cyclic": lambda o: schedulers.CyclicLR(o, 0.01, 0.2, 5, cycle_momentum=False),
    "sequential": lambda o: schedulers.SequentialLR(
        o,
        [
            schedulers.LinearLR(o, 0.1, total_iters=5),
            schedulers.CosineAnnealingLR(o, 15),
        ],
        [5],
    ),
    "chained": lambda o: schedulers.ChainedScheduler(
        [
            schedulers.ConstantLR(o, 0.1, total_iters=4),
            schedulers.ExponentialLR(o, 0.9),
        ]
    ),
}


def make(cls, **arguments):
    """An optimizer of one parameter, whose gradients do not depend on its steps."""
    p = nn.Parameter(torch.ones(3, dtype=torch.float64))
    return cls([p], lr=LR, **arguments)


def step(optimizer, t):
    noise = torch.Generator().manual_seed(t)
    (p,) = optimizer.param_groups[0]["params"]
    p.grad = torch.randn(3, generator=noise, dtype=torch.float64)
    optimizer.step()


def rate(optimizer):
    return float(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_rate_is_the_schedule_times_what_was_learnt(name):
    # CLARA's factor follows from directions alone, so the unscheduled twin learns the
    # same; and torch's SGD shows what the scheduler makes of a rate that stays.
    ours, twin = (make(CLARA, damping=0.05) for _ in range(2))
    plain = make(torch.optim.SGD)
    on_ours, on_plain = SCHEDULERS[name](ours), SCHEDULERS[name](plain)
    for t in range(25):
        assert rate(ours) == pytest.approx(rate(plain) * rate(twin) / LR, rel=1e-12)
        before = ours.param_groups[0]["params"][0].detach().clone()
        start = rate(ours)
        for optimizer in (ours, twin, plain):
            step(optimizer, t)
        (p,) = ours.param_groups[0]["params"]
        torch.testing.assert_close(before - p.detach(), start * p.grad)
        on_ours.step()
        on_plain.step()
        assert isinstance(ours.param_groups[0]["lr"], Rate)
    assert rate(twin) != pytest.approx(LR, rel=0.01)


def test_reducing_on_a_plateau_keeps_what_was_learnt():
    ours, twin = (make(CLARA, damping=0.05) for _ in range(2))
    scheduler = schedulers.ReduceLROnPlateau(ours, factor=0.5, patience=2)
    factor = 1.0
    for t in range(20):
        assert rate(ours) == pytest.approx(factor * rate(twin), rel=1e-12)
        step(ours, t)
        step(twin, t)
        before = rate(ours)
        scheduler.step(1.0)
        if rate(ours) != before:
            factor /= 2
    assert factor == 0.5**6
    floor = schedulers.ReduceLROnPlateau(ours, factor=0.5, patience=0, min_lr=1e-2)
    for _ in range(9):
        floor.step(1.0)
    assert rate(ours) <= 1e-2


def test_reading_the_rate_changes_nothing():
    one, other = make(CLARA, damping=0.05), make(CLARA, damping=0.05)
    on_one, on_other = SCHEDULERS["one cycle"](one), SCHEDULERS["one cycle"](other)
    for t in range(10):
        assert one.param_groups[0]["lr"].item() == rate(one)
        for optimizer, scheduler in ((one, on_one), (other, on_other)):
            step(optimizer, t)
            scheduler.step()
    assert rate(one) == rate(other)


def test_a_rate_written_by_hand_is_a_schedule():
    ours, twin = make(CLARA, damping=0.05), make(CLARA, damping=0.05)
    for t in range(5):
        step(ours, t)
        step(twin, t)
    (group,) = ours.param_groups
    group["lr"] = LR / 4  # afresh: a quarter of the initial rate
    step(ours, 5)
    step(twin, 5)
    assert rate(ours) == pytest.approx(rate(twin) / 4, rel=1e-12)
    group["lr"] *= 0.5
    assert rate(ours) == pytest.approx(rate(twin) / 8, rel=1e-12)
    group["lr"] = group["lr"] * 4
    step(ours, 6)
    step(twin, 6)
    assert rate(ours) == pytest.approx(rate(twin) / 2, rel=1e-12)
    group["lr"].fill_(LR)
    assert rate(ours) == rate(twin)


def test_a_warm_up_from_zero_comes_back():
    ours, twin = make(CLARA, damping=0.05), make(CLARA, damping=0.05)
    scheduler = schedulers.LambdaLR(ours, lambda t: min(t / 4, 1))
    for t in range(6):
        assert rate(ours) == pytest.approx(min(t / 4, 1) * rate(twin), rel=1e-12)
        step(ours, t)
        step(twin, t)
        scheduler.step()


def test_gala_learns_the_rate_itself_under_a_schedule():
    model = Model()
    optimizer = GALA(model.parameters(), lr=0.01)
    scheduler = schedulers.ExponentialLR(optimizer, 0.5)
    for t in range(4):
        train(model, optimizer, [t])
        (scalars,) = optimizer.observe()
        assert rate(optimizer) == scalars["lr"].item()
        scheduler.step()
        assert rate(optimizer) == pytest.approx(scalars["lr"].item() / 2, rel=1e-12)


@pytest.mark.parametrize(("cls", "first"), [(AdaGradNorm, 1.0), (SPS, 0.1)])
def test_rules_that_choose_the_rate_take_schedules_too(cls, first):
    optimizer = make(cls)
    assert rate(optimizer) == pytest.approx(first)
    SCHEDULERS["warm-up"](optimizer)
    assert rate(optimizer) == pytest.approx(first / 10)


def test_a_cycle_of_momentum_reaches_the_base():
    ours, plain = Model(), Model()
    pair = [
        (ours, GALA(ours.parameters(), lr=0.01, delta=1e30)),
        (plain, torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9)),
    ]
    cycles = [
        (schedulers.OneCycleLR(optimizer, 0.05, total_steps=20))
        for _, optimizer in pair
    ]
    for t in range(10):
        for (model, optimizer), cycle in zip(pair, cycles, strict=True):
            train(model, optimizer, [t])
            cycle.step()
        torch.testing.assert_close(ours.w, plain.w, rtol=1e-11, atol=1e-11)
    assert pair[0][1].param_groups[0]["momentum"] != 0.9


@pytest.mark.parametrize("name", ["lambda", "cosine", "one cycle", "sequential"])
def test_scheduler_and_optimizer_resume_bit_for_bit(name):
    def begin():
        model = Model(torch.float32)
        optimizer = CLARA(model.parameters(), lr=LR, damping=0.05)
        return model, optimizer, SCHEDULERS[name](optimizer)

    def go_on(run, which):
        model, optimizer, scheduler = run
        rates = []
        for t in which:
            rates += train(model, optimizer, [t])
            scheduler.step()
        return rates

    run = begin()
    go_on(run, range(7))
    file = io.BytesIO()
    torch.save([part.state_dict() for part in run], file)
    file.seek(0)
    fresh = begin()
    # Optimizers come after schedulers, whose constructors write rates.
    saved = torch.load(file)
    for i in (0, 2, 1):
        fresh[i].load_state_dict(saved[i])
    assert go_on(run, range(7, 12)) == go_on(fresh, range(7, 12))
    assert torch.equal(run[0].w, fresh[0].w)


def test_copies_of_rates_are_tensors_of_their_own():
    optimizer = make(CLARA, damping=0.5)
    lr = optimizer.param_groups[0]["lr"]
    copies = [lr.clone(), copy.deepcopy(lr), lr.detach().clone(), lr + 0]
    step(optimizer, 0)
    assert [float(each) for each in copies] == [LR] * 4
    assert float(lr) != LR
    copies[0].mul_(2)
    assert float(copies[0]) == 2 * LR
    assert f"{copies[0]:.2f}" == "0.20"
    assert int(lr) == 0
