"""Hypergradient descent: golden values, its laws, its limits and its edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, SettingProblem, build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.hypergradient import Hypergradient

H = torch.tensor([1.0, 10.0], dtype=torch.float64)
TWO = Layout(("weight", "bias"), ((1, 1), (1,)))


def trace(settings, steps, gradient=lambda w: H * w, start=(1.0, 1.0), run=None):
    """Weights and rate after each step of one lane."""
    rule = build_rule(Hypergradient, settings, run or Run(steps, 10), torch.float64)
    w = torch.tensor(start, dtype=torch.float64)
    layout = TWO if len(start) == 2 else Layout(("weight",), ((len(start),),))
    state = rule.init(w, layout)
    rows = []
    for _ in range(steps):
        w, state = rule.update(w, gradient(w), state, None)
        rows.append((w.clone(), state["lr"].item()))
    return rows


def rates(*args, **kwargs):
    return [row[1] for row in trace(*args, **kwargs)]


# Rates and last weights by a loop in numpy that forms each quantity from its
# definition: H = diag(1, 10), from (1, 1) with rate 0.01.
FROZEN = [
    (
        {"hyper_lr": 1e-5},
        [0.01, 0.0109099, 0.0116412238821, 0.0122187597804, 0.012668612228],
        (0.931579161892, 0.472428491234),
    ),
    (
        {"hyper_lr": 0.1, "form": "multiplicative"},
        [0.01, 0.0109999510857, 0.0120998660295, 0.0133097184555, 0.0146404605316],
        (0.925271696121, 0.43710471212),
    ),
    (
        {"hyper_lr": 1e-5, "momentum": 0.9},
        [0.01, 0.0109099, 0.0121947405275, 0.0131962873641, 0.0134492160562],
        (0.783984570166, -0.471473899867),
    ),
    (
        {"hyper_lr": 1e-5, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        [0.01, 0.011588760848, 0.0128959044535, 0.0134732200379, 0.0133750112704],
        (0.713714228879, -0.399541683617),
    ),
    (
        {"hyper_lr": 0.1, "momentum": 0.9, "nesterov": True, "form": "multiplicative"},
        [0.01, 0.0109997825326, 0.0120979438668, 0.0132825623501, 0.0130360211854],
        (0.748613880026, -0.376510119296),
    ),
    (
        {"hyper_lr": 1e-4, "base": "adam"},
        [0.01, 0.011088999998, 0.012165509766, 0.0132281158704, 0.0142753987255],
        (0.924067972916, 0.924067972223),
    ),
    (
        {
            "hyper_lr": 0.05,
            "base": "adam",
            "form": "multiplicative",
            "weight_decay": 0.1,
        },
        [0.01, 0.0103897544687, 0.0107946997919, 0.0112154280401, 0.0116525543598],
        (0.933938400932, 0.933938400391),
    ),
    (
        {"hyper_lr": 1e-4, "base": "adam", "in_loop": True},
        [0.01, 0.011088999998, 0.0121656087116, 0.013228415059, 0.014275999933],
        (0.928872236317, 0.924065975695),
    ),
]


@pytest.mark.parametrize(("settings", "expected", "last"), FROZEN, ids=str)
def test_rates_and_weights_are_those_of_an_independent_loop(settings, expected, last):
    rows = trace({"lr": 0.01, **settings}, 6)
    assert [row[1] for row in rows[:5]] == pytest.approx(expected, abs=1e-10)
    assert rows[-1][0].tolist() == pytest.approx(last, abs=1e-9)


# The same with displacements of the weights, divided by the (mean) rate.
WINDOWS = [
    (
        {"hyper_lr": 1e-6, "every": 3},
        12,
        [(5, 0.01), (6, 0.0105439443768), (9, 0.0108349280956), (12, 0.0109888727447)],
        (0.882687584738, 0.269692322874),
    ),
    (
        {"hyper_lr": 0.3, "every": 2, "form": "multiplicative", "momentum": 0.9},
        8,
        [(3, 0.01), (4, 0.0129994790386), (6, 0.0168941308411), (8, 0.0218403747719)],
        (0.637890504684, -0.789375361971),
    ),
    (
        {"hyper_lr": 1e-6, "every": 3, "schedule": "cosine"},
        12,
        [(5, 0.01), (6, 0.0105653312467), (9, 0.0109185611988), (12, 0.011186069323)],
        (0.93603771317, 0.503954247231),
    ),
]


@pytest.mark.parametrize(("settings", "steps", "expected", "last"), WINDOWS, ids=str)
def test_windows_are_displacements_over_the_mean_rate(settings, steps, expected, last):
    rows = trace({"lr": 0.01, **settings}, steps, run=Run(12, 6))
    for step, rate in expected:
        assert rows[step - 1][1] == pytest.approx(rate, abs=1e-10)
    assert rows[-1][0].tolist() == pytest.approx(last, abs=1e-9)


@pytest.mark.parametrize("h", [0.5, 3.0])
def test_on_a_parabola_the_second_rate_is_known(h):
    settings = {"lr": 0.1, "hyper_lr": 0.02}
    (first, _), (_, lr) = trace(settings, 2, lambda w: h * w, (2.0,))
    assert lr == pytest.approx(0.1 + 0.02 * h * h * 2 * first.item(), rel=1e-14)


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_orthogonal_gradients_leave_the_rate(form):
    source = iter([(1.0, 0.0), (0.0, 3.0), (2.0, 0.0), (0.0, -1.0)])

    def gradient(w):
        return torch.tensor(next(source), dtype=w.dtype)

    assert rates({"lr": 0.1, "hyper_lr": 0.5, "form": form}, 4, gradient) == [0.1] * 4


TORCH = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


@pytest.mark.parametrize(
    "settings",
    [
        {"base": "sgd"},
        {"base": "sgd", "momentum": 0.9, "weight_decay": 0.1},
        {"base": "sgd", "momentum": 0.9, "nesterov": True},
        {"base": "adam", "weight_decay": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "form",
    [{}, {"form": "multiplicative"}, {"every": 3}, {"in_loop": True}],
    ids=str,
)
def test_without_a_step_of_the_rate_it_is_its_base_bitwise(settings, form):
    if "in_loop" in form and settings["base"] != "adam":
        form = {"every": 5, "form": "multiplicative"}
    run = Run(40, 10)
    all_of_them = {"lr": 0.02, "hyper_lr": 0, **form, **settings}
    ours = build_rule(Hypergradient, all_of_them, run, torch.float64)
    own = {"lr": 0.02, **{k: v for k, v in settings.items() if k != "base"}}
    plain = build_rule(RULES[settings["base"]], own, run, torch.float64)
    leaf = torch.linspace(-1, 2, 7, dtype=torch.float64).requires_grad_()
    theirs = TORCH[settings["base"]]([leaf], **own)
    layout = Layout(("weight", "bias"), ((2, 2), (3,)))
    one, other = leaf.detach().clone(), leaf.detach().clone()
    state, plain_state = ours.init(one, layout), plain.init(other, layout)
    noise = torch.Generator().manual_seed(0)
    for _ in range(40):
        shift = torch.randn(7, generator=noise, dtype=torch.float64)
        one, state = ours.update(one, one**3 + shift, state, None)
        other, plain_state = plain.update(other, other**3 + shift, plain_state, None)
        leaf.grad = leaf.detach() ** 3 + shift
        theirs.step()
        assert state["lr"].item() == 0.02
        assert torch.equal(one, other)
    torch.testing.assert_close(one, leaf.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("every", [1, 3])
def test_the_multiplicative_form_does_not_see_the_losss_scale(every):
    s, settings = 64.0, {"hyper_lr": 0.2, "form": "multiplicative", "every": every}
    plain = trace({**settings, "lr": 0.01}, 20)
    scaled = trace({**settings, "lr": 0.01 / s}, 20, lambda w: s * H * w)
    for one, other in zip(plain, scaled, strict=True):
        torch.testing.assert_close(one[0], other[0], rtol=1e-12, atol=1e-14)
        assert other[1] * s == pytest.approx(one[1], rel=1e-12)


def test_the_additive_form_scales_with_the_cube_of_the_loss():
    s = 4.0
    plain = trace({"lr": 0.01, "hyper_lr": 1e-5}, 20)
    scaled = trace({"lr": 0.01 / s, "hyper_lr": 1e-5 / s**3}, 20, lambda w: s * H * w)
    for one, other in zip(plain, scaled, strict=True):
        torch.testing.assert_close(one[0], other[0], rtol=1e-12, atol=1e-14)
        assert other[1] * s == pytest.approx(one[1], rel=1e-12)
    unscaled = trace({"lr": 0.01 / s, "hyper_lr": 1e-5}, 20, lambda w: s * H * w)
    assert unscaled[-1][1] * s != pytest.approx(plain[-1][1], rel=0.1)


def test_an_additive_rate_may_turn_negative_and_a_multiplicative_one_may_not():
    def turning(w):
        turning.sign *= -1
        return turning.sign * torch.ones_like(w)

    turning.sign = 1.0
    assert rates({"lr": 0.1, "hyper_lr": 0.04}, 4, turning)[-1] < 0
    settings = {"lr": 0.1, "hyper_lr": 0.9, "form": "multiplicative"}
    *_, last = rates(settings, 30, turning)
    assert last == pytest.approx(0.1 * 0.1**29, rel=1e-9)


@pytest.mark.parametrize("every", [1, 2])
def test_a_zero_gradient_leaves_a_multiplicative_rate(every):
    sizes = iter([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    settings = {"lr": 0.1, "form": "multiplicative", "every": every}
    seen = rates(settings, 6, lambda w: next(sizes) * torch.ones_like(w))
    assert seen == [0.1] * 6


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"form": "multiplicative"},
        {"every": 2},
        {"base": "adam", "in_loop": True},
        {"base": "adam"},
    ],
    ids=str,
)
def test_a_rate_that_is_not_finite_is_refused_and_counted(settings):
    rule = build_rule(Hypergradient, settings, Run(9, 9), torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, TWO)
    for size in (1.0, 1.0, 1.0, math.nan):
        before = state["lr"].item()
        w, state = rule.update(w, size * torch.ones_like(w), state, None)
    assert state["lr"].item() == before
    assert rule.observe(state)["rejected"].item() >= 1


def test_later_tensors_see_more_of_the_change_in_the_published_loop():
    # Two steps with gradient (1, 1): Adam's directions are 1, both products 1.
    settings = {"lr": 0.1, "base": "adam", "hyper_lr": 0.01, "eps": 1e-30}
    ones = torch.ones_like
    looped = trace({**settings, "in_loop": True}, 2, ones)
    summed = trace(settings, 2, ones)
    moved = (looped[0][0] - looped[1][0]).tolist()
    assert moved == pytest.approx([0.11, 0.12], rel=1e-9)
    moved = (summed[0][0] - summed[1][0]).tolist()
    assert moved == pytest.approx([0.12, 0.12], rel=1e-9)


def test_a_schedule_multiplies_what_is_learnt():
    settings = {"lr": 0.01, "hyper_lr": 1e-5}
    scheduled = {**settings, "schedule": "multistep"}
    rule = build_rule(Hypergradient, scheduled, Run(8, 8), torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, TWO)
    for step in range(8):
        before, g = w.clone(), H * w
        w, state = rule.update(w, g.clone(), state, None)
        factor = 1 if step < 4 else 0.1 if step < 6 else 0.01
        torch.testing.assert_close(before - w, factor * state["lr"] * g)
        if step == 3:
            assert state["lr"].item() == rates(settings, 4)[-1]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"base": "adam", "momentum": 0.9}, "momentum"),
        ({"betas": (0.9, 0.99)}, "betas"),
        ({"in_loop": True}, "in_loop"),
        ({"in_loop": True, "base": "adam", "form": "multiplicative"}, "in_loop"),
        ({"in_loop": True, "base": "adam", "every": 2}, "in_loop"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, name):
    with pytest.raises(SettingProblem, match=f"`{name}` must be"):
        build_rule(Hypergradient, settings, Run(9, 3))
