"""CLARA: one step by hand, its constants, its limits and its edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, SettingProblem, build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.clara import CLARA
from hpo_vs_adapt.optim.damping import auto_damping
from hpo_vs_adapt.optim.random_walk import MU_TABLE, stationary_mu

TWO = Layout(("weight", "bias"), ((2, 1), (1,)))
RUN = Run(100, 10)


def train(settings, gradients, layout=TWO, start=None, dtype=torch.float64):
    """Weights, rates and r after each step of one lane."""
    rule = build_rule(CLARA, settings, RUN, dtype)
    w = torch.zeros(sum(layout.sizes), dtype=dtype) if start is None else start.clone()
    state = rule.init(w, layout)
    rows = []
    for g in gradients:
        w, state = rule.update(w, torch.as_tensor(g, dtype=dtype).clone(), state, None)
        seen = rule.observe(state)
        rows.append((w.clone(), seen["lr"].item(), seen["r"].item(), seen["rejected"]))
    return rows


def test_two_steps_by_hand():
    # c 0.5, so mu = 1/3. Step 1: uhat = (0.6, 0.8), (1): paths half of it, each of
    # squared length 1/4; r = (1/4 + 1/4) / (2 / 3) = 0.75.
    # Step 2: the first tensor turns back, the second goes on: paths -1/4 and 3/4 long;
    # r = (1/16 + 9/16) / (2 / 3) = 0.9375.
    settings = {"lr": 0.1, "c": 0.5, "damping": 0.2}
    gradients = [(3.0, 4.0, 2.0), (-6.0, -8.0, 0.5)]
    (w1, lr1, r1, _), (w2, lr2, r2, _) = train(settings, gradients)
    assert (r1, r2) == pytest.approx((0.75, 0.9375), rel=1e-12)
    assert lr1 == pytest.approx(0.1 * math.exp(-0.05), rel=1e-12)
    assert lr2 == pytest.approx(lr1 * math.exp(0.2 * -0.0625), rel=1e-12)
    assert w1.tolist() == pytest.approx([-0.3, -0.4, -0.2])  # the old rate
    assert (w2 - w1).tolist() == pytest.approx([lr1 * 6, lr1 * 8, -lr1 * 0.5])


def test_a_unit_step_moves_every_tensor_by_the_rate():
    settings = {"lr": 0.1, "unit_step": True, "damping": 0}
    ((w, *_),) = train(settings, [(3.0, 4.0, -2.0)])
    assert w.tolist() == pytest.approx([-0.06, -0.08, 0.1])


def test_a_global_unit_step_moves_the_whole_by_the_rate():
    settings = {"lr": 0.1, "unit_step": True, "per_tensor": False, "c": 0.5}
    ((w, _, r, _),) = train(settings, [(1.0, 2.0, 2.0)])
    assert w.tolist() == pytest.approx([-0.1 / 3, -0.2 / 3, -0.2 / 3])
    assert r == pytest.approx(0.25 * 3)  # one path, half a unit long; mu = 1/3


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("c", [0.1, 0.2, 0.3])
def test_mu_is_the_squared_path_length_of_a_random_walk(c, beta):
    size, lanes = 650, 200
    layout = Layout(("weight",), ((size,),))
    base = {"base": "adam", "betas": (beta, 0.999)} if beta else {"base": "sgd"}
    rule = build_rule(CLARA, [{"c": c, "damping": 0, **base}] * lanes, RUN)
    noise = torch.Generator().manual_seed(0)
    w = torch.zeros(lanes, size)
    state = rule.init(w, layout)
    lengths = []
    for step in range(120):
        w, state = rule.update(w, torch.randn(w.shape, generator=noise), state, None)
        if step >= 60:
            lengths.append(state["r"] * state["mu"])
    mu = stationary_mu(torch.tensor([c], dtype=torch.float64), beta).item()
    assert torch.stack(lengths).mean().item() == pytest.approx(mu, abs=0.003)


def test_the_closed_form_is_the_table_where_models_are_large():
    mu = stationary_mu(torch.tensor([0.2], dtype=torch.float64), 0.9).item()
    assert mu == pytest.approx(0.682540, abs=5e-7)
    for size, listed in MU_TABLE.items():
        assert mu == pytest.approx(listed, abs=3e-4 if size >= 650 else 0.09)
    sgd = stationary_mu(torch.tensor([0.2], dtype=torch.float64), 0.0).item()
    assert sgd == pytest.approx(0.2 / 1.8)


def test_the_table_serves_the_sizes_that_it_lists():
    closed = 0.6825396825396826
    for mu, size, expected in [
        ("table", 15, 0.6729),
        ("table", 62, 0.6853),
        ("table", 63, closed),
        (None, 62, closed),
        (0.5, 15, 0.5),
    ]:
        rule = build_rule(CLARA, {"base": "adam", "mu": mu}, RUN, torch.float64)
        layout = Layout(("weight",), ((size,),))
        state = rule.init(torch.zeros(size, dtype=torch.float64), layout)
        assert state["mu"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_without_damping_it_is_its_base_bitwise(base):
    settings = {"lr": 0.02, "weight_decay": 0.1}
    ours = build_rule(CLARA, {**settings, "base": base, "damping": 0}, RUN)
    plain = build_rule(RULES[base], settings, RUN)
    noise = torch.Generator().manual_seed(0)
    one = torch.randn(3, generator=noise)
    other = one.clone()
    state, plain_state = ours.init(one, TWO), plain.init(other, TWO)
    for _ in range(30):
        g = torch.randn(3, generator=noise)
        one, state = ours.update(one, one + g, state, None)
        other, plain_state = plain.update(other, other + g, plain_state, None)
        assert torch.equal(one, other)
        assert torch.equal(state["lr"], torch.tensor([0.02]))


def test_uncorrelated_steps_leave_the_rate_and_agreeing_ones_raise_it():
    noise = torch.Generator().manual_seed(0)
    layout = Layout(("weight",), ((500,),))
    walk = [torch.randn(500, generator=noise) for _ in range(300)]
    *_, (_, lr, _, _) = train({"lr": 1.0, "damping": 0.05}, walk, layout)
    # The first steps, before the path is full, cost exp(-1.78 damping).
    assert lr == pytest.approx(math.exp(-1.78 * 0.05), rel=0.05)
    *_, (_, lr, r, _) = train({"lr": 1e-6, "damping": 0.05}, [walk[0]] * 100, layout)
    assert r == pytest.approx(9, rel=1e-6)  # the longest path: 1 / mu
    assert lr > 1e-6 * math.exp(0.05 * 8 * 85)


def test_steps_turning_back_lower_the_rate():
    back_and_forth = [(1.0, 1.0, 1.0), (-1.0, -1.0, -1.0)] * 50
    *_, (_, lr, r, _) = train({"lr": 1.0, "damping": 0.05}, back_and_forth)
    assert r < 0.2
    assert math.exp(-0.05 * 100) <= lr < math.exp(-0.05 * 80)


def test_zero_gradients_shrink_the_rate_by_no_more_than_the_damping():
    rows = train({"lr": 1.0, "damping": 0.1}, [(0.0, 0.0, 0.0)] * 5)
    rates = [row[1] for row in rows]
    assert rates == pytest.approx([math.exp(-0.1 * t) for t in range(1, 6)], rel=1e-12)


def test_a_rate_that_is_not_finite_is_refused_and_counted():
    bad = [(1.0, 1.0, 1.0), (math.nan, 1.0, 1.0), (1.0, 1.0, 1.0)]
    first, *_, last = train({"lr": 0.1, "damping": 0.1}, bad)
    assert last[1] == first[1]
    assert last[3].item() == 2
    *_, last = train({"lr": 3e38, "damping": 9.0}, [bad[0]] * 9, dtype=torch.float32)
    assert math.isfinite(last[1])
    assert last[3].item() > 0


def test_small_gradients_still_have_a_direction_and_tiny_ones_none():
    *_, (_, _, small, _) = train({"c": 1.0}, [(1e-11, 0.0, 1e-11)])
    *_, (_, _, tiny, _) = train({"c": 1.0}, [(1e-14, 0.0, 1e-14)])
    assert small == pytest.approx(1.0)
    assert tiny == pytest.approx(1e-4)  # (1e-14 / 1e-12)^2


@pytest.mark.parametrize("unit_step", [False, True])
@pytest.mark.parametrize("mu", [0.2 / 1.8, 0.68254])
@pytest.mark.parametrize("steps", [1, 50, 400, 20_000])
def test_auto_damping_climbs_six_decades_in_an_eighth_of_the_run(steps, mu, unit_step):
    damping = auto_damping(torch.tensor([mu]), steps, unit_step).item()
    growth = damping * (1 / mu - 1)
    decades = growth * steps / 8 / math.log(10)
    bounded = growth == pytest.approx(0.8 if unit_step else 0.25, rel=1e-5)
    if bounded or damping == pytest.approx(0.3):
        assert decades <= 6
    else:
        assert decades == pytest.approx(6, rel=1e-5)
        assert growth < 0.8
        assert damping < 0.3


def test_auto_damping_takes_the_length_of_the_run():
    for steps in (800, 8000):
        rule = build_rule(CLARA, [{"base": "sgd"}] * 2, Run(steps, 10))
        damping = rule.init(torch.zeros(2, 3), TWO)["damping"]
        # 1 / mu - 1 is 8 for SGD: 6 ln(10) / (steps / 8 * 8)
        expected = torch.full((2, 1), 6 * math.log(10) / steps)
        torch.testing.assert_close(damping, expected)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"betas": (0.9, 0.99)}, "betas"),
        ({"mu": "table"}, "mu"),
        ({"mu": "table", "base": "adam", "c": 0.3}, "mu"),
        ({"mu": "table", "base": "adam", "betas": (0.8, 0.999)}, "mu"),
        ({"mu": 1.5}, "mu"),
        ({"damping": "fast"}, "damping"),
        ({"damping": -1}, "damping"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, name):
    with pytest.raises(SettingProblem, match=f"`{name}` must be") as caught:
        build_rule(CLARA, settings, RUN)
    assert caught.value.name == name
