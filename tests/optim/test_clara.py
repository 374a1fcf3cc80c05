"""CLARA: one step by hand, its constants, its limits and its edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, SettingProblem, build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.clara import CLARA
from hpo_vs_adapt.optim.damping import auto_damping
from hpo_vs_adapt.optim.random_walk import (
    MU_TABLE,
    SIGMA_TABLE,
    published_sigma,
    stationary_mu,
    true_sigma,
)
from hpo_vs_adapt.optim.walk_cache import find_walk

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


def test_small_tensors_of_adam_have_walks_of_their_own():
    # r = sum ||p_i||^2 / sum mu_i: the mean of the tensors' values is the model's.
    layout = Layout(("0.weight", "0.bias", "1.weight"), ((9, 9), (2,), (7, 2)))
    betas = (0.9, 0.999)
    closed = stationary_mu(torch.tensor([0.2], dtype=torch.float64), 0.9).item()
    walks = [find_walk(size, 0.2, betas).mu for size in (2, 14)]
    for settings, expected in [
        ({"base": "adam"}, (closed + sum(walks)) / 3),
        ({"base": "adam", "per_tensor": False}, closed),
        ({"base": "sgd"}, 0.2 / 1.8),  # holds in every dimension
    ]:
        for dtype in (torch.float32, torch.float64):
            rule = build_rule(CLARA, [settings] * 2, RUN, dtype)
            mu = rule.init(torch.zeros(2, 97, dtype=dtype), layout)["mu"]
            assert mu.flatten().tolist() == pytest.approx([expected] * 2, rel=1e-6)


def test_lanes_may_differ_in_the_memory_of_small_tensors():
    lanes = [{"base": "adam", "c": c} for c in (0.2, 0.5, 0.2)]
    rule = build_rule(CLARA, lanes, RUN, torch.float64)
    layout = Layout(("weight",), ((3,),))
    mu = rule.init(torch.zeros(3, 3, dtype=torch.float64), layout)["mu"]
    walks = [find_walk(3, c, (0.9, 0.999)).mu for c in (0.2, 0.5, 0.2)]
    assert mu.flatten().tolist() == walks


@pytest.mark.slow
@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_on_noise_r_is_one_on_average_for_tensors_of_any_size(base):
    layout = Layout(("a", "b", "c", "d"), ((1,), (2,), (5,), (60,)))
    lanes = 2000
    rule = build_rule(CLARA, [{"base": base, "damping": 0}] * lanes, RUN)
    source = torch.Generator().manual_seed(0)
    w = torch.zeros(lanes, 68)
    state = rule.init(w, layout)
    means = torch.zeros(lanes)
    for step in range(450):
        w, state = rule.update(w, torch.randn(w.shape, generator=source), state, None)
        if step >= 150:
            means += state["r"].squeeze(-1) / 300
    # Three standard errors, and what a simulation of mu is off.
    error = 3 * means.std().item() / math.sqrt(lanes) + 0.002
    assert means.mean().item() == pytest.approx(1, abs=error)


def test_on_noise_the_path_of_sgd_fills_as_known():
    # E r_t = 1 - (1 - c)^(2 t); `transient` divides it out.
    lanes, size = 3000, 30
    source = torch.Generator().manual_seed(0)
    noise = [torch.randn(lanes, size, generator=source) for _ in range(8)]
    for transient in (False, True):
        settings = {"damping": 0, "transient": transient}
        rule = build_rule(CLARA, [settings] * lanes, RUN)
        w = torch.zeros(lanes, size)
        state = rule.init(w, Layout(("w",), ((size,),)))
        for t, g in enumerate(noise, start=1):
            w, state = rule.update(w, g.clone(), state, None)
            expected = 1 if transient else 1 - 0.8 ** (2 * t)
            error = 4 * state["r"].std().item() / math.sqrt(lanes) + 1e-5
            assert state["r"].mean().item() == pytest.approx(expected, abs=error)


def test_the_path_of_a_constant_and_of_an_alternating_gradient():
    c, mu = 0.2, 1 / 9
    rows = train({"damping": 0.1, "lr": 1.0}, [(1.0, 2.0, 2.0)] * 60)
    for t, (_, _, r, _) in enumerate(rows, start=1):
        assert r == pytest.approx((1 - (1 - c) ** t) ** 2 / mu, rel=1e-12)
    rates = [1.0, *(row[1] for row in rows)]
    assert rates[1] < rates[0]  # r_1 = 0.36
    assert all(rates[t + 1] > rates[t] for t in range(1, 60))
    assert rates[60] / rates[59] == pytest.approx(math.exp(0.1 * 8), rel=1e-4)
    turning = [(1.0, 2.0, 2.0), (-1.0, -2.0, -2.0)] * 60
    rows = train({"damping": 0.1, "lr": 1.0}, turning)
    assert rows[-1][2] == pytest.approx(mu, rel=1e-9)  # (c / (2 - c))^2 / mu
    assert rows[-1][1] / rows[-2][1] == pytest.approx(math.exp(-0.8 / 9), rel=1e-9)


QUADRATIC = torch.tensor([1.0, 10.0], dtype=torch.float64)
GOLDEN = {
    True: (
        [0.36, 1.16637213, 2.14313882, 3.13660883, 4.06650529],
        [0.0938005, 0.0953741330, 0.1069243187, 0.1323939787, 0.1799056765],
    ),
    False: (
        [0.36, 0.64771414, 1.39638836, 2.3271696, 3.28417339],
        [0.0938005, 0.0905535692, 0.0942150972, 0.1075867391, 0.1351945343],
    ),
}


def descend(settings, steps, scale=1.0, dtype=torch.float64):
    """Weights, r and rates on a quadratic of curvatures 1 and 10, from (1, 1)."""
    rule = build_rule(CLARA, settings, RUN, dtype)
    w = torch.ones(2, dtype=dtype)
    state = rule.init(w, Layout(("w",), ((2,),)))
    rows = []
    for _ in range(steps):
        w, state = rule.update(w, scale * QUADRATIC.to(dtype) * w, state, None)
        rows.append((w.tolist(), state["r"].item(), state["lr"].item()))
    return rows


@pytest.mark.parametrize("unit_step", [False, True])
def test_golden_rates_on_a_quadratic(unit_step):
    rows = descend({"damping": 0.1, "lr": 0.1, "unit_step": unit_step}, 5)
    lengths, rates = GOLDEN[unit_step]
    assert [row[1] for row in rows] == pytest.approx(lengths, abs=5e-9)
    assert [row[2] for row in rows] == pytest.approx(rates, abs=1e-9)


def test_the_trace_of_an_independent_loop_over_adam():
    # Frozen from a loop in Python floats, with the closed form of mu.
    c, kept = 0.2, 0.8 * 0.9
    mu = c / (2 - c) * (1 + kept) / (1 - kept)
    settings = {"base": "adam", "damping": 0.1, "lr": 0.1, "mu": mu}
    rows = descend(settings, 6)
    expected = [
        (0.0586046512, 0.0910155755, 0.900000001, 0.9000000001),
        (0.1898790698, 0.0839329745, 0.8093596178, 0.8093596161),
        (0.3489086512, 0.0786422765, 0.7263492868, 0.7263492842),
        (0.510698746, 0.0748869241, 0.6493317008, 0.6493316974),
        (0.662253337, 0.0723998792, 0.5769337536, 0.5769337495),
        (0.7976554194, 0.0709496289, 0.5080748154, 0.5080748106),
    ]
    seen = [(r, lr, *w) for w, r, lr in rows]
    for row, frozen in zip(seen, expected, strict=True):
        assert row == pytest.approx(frozen, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize(
    "settings", [{"unit_step": True}, {"base": "adam", "eps": 1e-20}], ids=str
)
def test_the_rates_do_not_see_the_losss_scale(settings, scale):
    settings = {**settings, "damping": 0.1, "lr": 0.05}
    plain, scaled = descend(settings, 20), descend(settings, 20, scale)
    assert [r[2] for r in scaled] == pytest.approx([r[2] for r in plain], rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_without_damping_it_is_its_base_bitwise_and_torchs_optimizer(base, dtype):
    settings = {"lr": 0.02, "weight_decay": 0.1}
    ours = build_rule(CLARA, {**settings, "base": base, "damping": 0}, RUN, dtype)
    plain = build_rule(RULES[base], settings, RUN, dtype)
    noise = torch.Generator().manual_seed(0)
    one = torch.randn(3, generator=noise, dtype=dtype)
    other, leaf = one.clone(), torch.nn.Parameter(one.clone())
    library = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[base]
    optimizer = library([leaf], **settings)
    state, plain_state = ours.init(one, TWO), plain.init(other, TWO)
    for _ in range(30):
        g = torch.randn(3, generator=noise, dtype=dtype)
        leaf.grad = leaf.detach() + g
        one, state = ours.update(one, one + g, state, None)
        other, plain_state = plain.update(other, other + g, plain_state, None)
        optimizer.step()
        assert torch.equal(one, other)
        assert torch.equal(state["lr"], torch.tensor([0.02], dtype=dtype))
    if dtype == torch.float64:
        torch.testing.assert_close(one, leaf.detach(), rtol=1e-12, atol=1e-12)


def test_a_schedule_multiplies_what_is_learnt():
    run = Run(8, 1)
    gradients = [(1.0, 2.0, 2.0)] * 8
    rates = {}
    for schedule in ("constant", "cosine"):
        settings = {"damping": 0.1, "lr": 0.1, "schedule": schedule}
        rule = build_rule(CLARA, settings, run, torch.float64)
        w = torch.zeros(3, dtype=torch.float64)
        state = rule.init(w, TWO)
        rates[schedule] = []
        for g in gradients:
            rates[schedule].append(rule.observe(state)["lr"].item())
            before = w.clone()
            w, state = rule.update(w, torch.tensor(g, dtype=w.dtype), state, None)
            assert (before - w)[0].item() == pytest.approx(rates[schedule][-1])
    for t, (plain, cosine) in enumerate(zip(*rates.values(), strict=True)):
        factor = 0.5 * (1 + math.cos(math.pi * t / 8))
        assert cosine == pytest.approx(factor * plain, rel=1e-12)


def test_a_largest_rate_is_kept_to():
    gradients = [(1.0, 2.0, 2.0)] * 30
    rows = train({"lr": 0.1, "damping": 0.1, "lr_max": 0.3}, gradients)
    assert rows[-1][1] == 0.3
    assert rows[2][1] < 0.3


def test_a_damping_may_be_twice_the_deviation_of_a_random_walk():
    adam = {"base": "adam"}
    for settings, size, sigma in [
        ({"damping": "sigma"}, 62, true_sigma(0.2, 0, 62)),
        ({"damping": "published_sigma"}, 62, published_sigma(0.2, 62)),
        ({"damping": "sigma", **adam}, 62, true_sigma(0.2, 0.9, 62)),
        ({"damping": "sigma", **adam}, 2, find_walk(2, 0.2, (0.9, 0.999)).sigma),
        ({"damping": "published_sigma", **adam}, 2, SIGMA_TABLE[2]),
        ({"damping": "published_sigma", **adam}, 63, true_sigma(0.2, 0.9, 63)),
    ]:
        rule = build_rule(CLARA, [settings] * 2, RUN, torch.float64)
        w = torch.zeros(2, size, dtype=torch.float64)
        damping = rule.init(w, Layout(("w",), ((size,),)))["damping"]
        assert damping.flatten().tolist() == pytest.approx([2 * sigma] * 2)


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
        ({"damping": "published_sigma", "base": "adam", "c": 0.3}, "damping"),
        ({"lr_max": 0}, "lr_max"),
        ({"damping": "fast"}, "damping"),
        ({"damping": -1}, "damping"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, name):
    with pytest.raises(SettingProblem, match=f"`{name}` must be") as caught:
        build_rule(CLARA, settings, RUN)
    assert caught.value.name == name
