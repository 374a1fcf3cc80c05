"""The path scheme of 2017: its steps by hand, its random walk, its restart."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, SettingProblem, build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.page_hinkley import PageHinkley
from hpo_vs_adapt.optim.path_scheme import AgAdam, ALeRA, SALeRA

RUN = Run(100, 10)
# Two modules: a weight of two with a bias, and a weight alone.
LAYERS = Layout(("0.weight", "0.bias", "2.weight"), ((2, 1), (1,), (1, 1)))
H = (1.0, 10.0, 3.0, 0.5)


class Losses:
    """An oracle that knows the loss of the step's own minibatch."""

    def __init__(self, loss):
        self.loss = torch.tensor([float(loss)], dtype=torch.float64)


def train(rule, settings, gradients, losses=None, layout=LAYERS, dtype=torch.float64):
    """Weights, states and what is shown after each step of one lane."""
    built = build_rule(rule, settings, RUN, dtype)
    w = torch.ones(sum(layout.sizes), dtype=dtype)
    state = built.init(w, layout)
    rows = []
    for step, g in enumerate(gradients):
        given = g(w) if callable(g) else torch.as_tensor(g, dtype=dtype).clone()
        oracle = Losses(losses[step]) if losses else None
        w, state = built.update(w, given, state, oracle)
        seen = {name: tensor.clone() for name, tensor in state.items()}
        rows.append((w.clone(), seen, built.observe(seen)))
    return rows


def test_two_steps_by_hand():
    # memory 0.5, gain 0.1. Layer 0 has dimension 3, sd = 0.5 / sqrt(3); layer 1 has 1,
    # sd = 0.5. mu_1 = 1/3 (1 - 1/4) = 1/4, and all paths are 1/2 long: no change.
    # Step 2: layer 0 turns back, path 1/4 - 1/2 = -1/4 u; layer 1 goes on, path 3/4.
    # mu_2 = 1/3 (1 - 1/16) = 5/16; exponents 0.1 sqrt(3) / 0.5 (1/16 - 5/16) and
    # 0.1 / 0.5 (9/16 - 5/16) = 0.05; the step is taken with the new rates.
    settings = {"memory": 0.5, "gain": 0.1, "lr": 0.1}
    rows = train(ALeRA, settings, [(2.0, 2.0, 1.0, 3.0), (-4.0, -4.0, -2.0, 1.0)])
    assert rows[0][0].tolist() == pytest.approx([0.8, 0.8, 0.9, 0.7], rel=1e-14)
    first = math.exp(-0.05 * math.sqrt(3))
    last = math.exp(0.05)
    assert rows[1][1]["factor.0"].item() == pytest.approx(first, rel=1e-13)
    assert rows[1][1]["factor.2"].item() == pytest.approx(last, rel=1e-13)
    moved = (rows[1][0] - rows[0][0]).tolist()
    assert moved == pytest.approx([0.4 * first] * 2 + [0.2 * first, -0.1 * last])
    shown = rows[1][2]
    assert shown["lr"].item() == pytest.approx(0.1 * (first + last) / 2)
    assert shown["lr_smallest"].item() == pytest.approx(0.1 * first)
    assert shown["lr_largest"].item() == pytest.approx(0.1 * last)


@pytest.mark.parametrize("rule", [ALeRA, AgAdam])
def test_the_trace_of_an_independent_loop(rule):
    alpha, gain, lr, beta1, beta2, eps = 0.2, 0.05, 0.05, 0.9, 0.99, 1e-6
    settings = {"memory": alpha, "gain": gain, "lr": lr}
    if rule is AgAdam:
        settings |= {"betas": (beta1, beta2), "eps": eps}
    rows = train(
        rule, settings, [lambda w: torch.tensor(H, dtype=torch.float64) * w] * 15
    )
    x, m, v = [1.0] * 4, [0.0] * 4, [0.0] * 4
    path, rates = [0.0] * 4, [lr, lr]
    for t, (w, state, _) in enumerate(rows, start=1):
        g = [h * a for h, a in zip(H, x, strict=True)]
        mu = alpha / (2 - alpha) * (1 - (1 - alpha) ** (2 * t))
        for i, layer in enumerate(((0, 1, 2), (3,))):
            norm = math.sqrt(sum(g[k] ** 2 for k in layer))
            for k in layer:  # of raw gradients, for Adam too
                path[k] = (1 - alpha) * path[k] + alpha * g[k] / norm
            square = sum(path[k] ** 2 for k in layer)
            rates[i] *= math.exp(gain * math.sqrt(len(layer)) / alpha * (square - mu))
        for k in range(4):
            u = g[k]
            if rule is AgAdam:
                m[k] = beta1 * m[k] + (1 - beta1) * g[k]
                v[k] = beta2 * v[k] + (1 - beta2) * g[k] ** 2
                u = m[k] / (1 - beta1**t) / (math.sqrt(v[k] / (1 - beta2**t)) + eps)
            x[k] -= rates[k == 3] * u
        assert w.tolist() == pytest.approx(x, abs=1e-9)
        seen = [(state["lr"] * state[f"factor.{i}"]).item() for i in (0, 2)]
        assert seen == pytest.approx(rates, rel=1e-9)


@pytest.mark.parametrize(
    ("names", "layers"),
    [
        (("a.weight", "a.bias", "b.weight", "b.bias"), {0: 3, 2: 7}),
        (("weight", "bias", "b.c.weight", "b.d.weight"), {0: 3, 2: 3, 3: 4}),
        (("a.weight", "b.weight", "c.weight", "d.weight"), {0: 1, 1: 2, 2: 3, 3: 4}),
    ],
)
def test_a_layer_is_the_tensors_of_one_module(names, layers):
    layout = Layout(names, ((1,), (2,), (3,), (4,)))
    rule = build_rule(ALeRA, {}, RUN)
    state = rule.init(torch.zeros(10), layout)
    sizes = {
        int(name.removeprefix("path.")): tensor.shape[-1]
        for name, tensor in state.items()
        if name.startswith("path.")
    }
    assert sizes == layers


@pytest.mark.parametrize(
    ("rule", "base"), [(ALeRA, "sgd"), (SALeRA, "sgd"), (AgAdam, "adam")]
)
def test_without_gain_it_is_its_base_bitwise(rule, base):
    settings = {"lr": 0.02, "weight_decay": 0.1}
    still = {"threshold": 1e9} if rule is SALeRA else {}
    ours = build_rule(rule, {**settings, **still, "gain": 0}, RUN)
    plain = build_rule(RULES[base], settings, RUN)
    source = torch.Generator().manual_seed(0)
    one = torch.randn(4, generator=source)
    other = one.clone()
    state, plain_state = ours.init(one, LAYERS), plain.init(other, LAYERS)
    for _ in range(30):
        noise = torch.randn(4, generator=source)
        one, state = ours.update(one, one + noise, state, Losses(1))
        other, plain_state = plain.update(other, other + noise, plain_state, None)
        assert torch.equal(one, other)


@pytest.mark.parametrize("rule", [ALeRA, AgAdam])
def test_gradients_without_direction_leave_the_rate_from_the_first_step_on(rule):
    # E ||p_t||^2 = mu_t at every t, not only after the path has filled.
    lanes, size = 400, 100
    source = torch.Generator().manual_seed(0)
    settings = {"memory": 0.1, "gain": 0, "lr": 1e-9}
    built = build_rule(rule, [settings] * lanes, RUN)
    w = torch.zeros(lanes, size)
    state = built.init(w, Layout(("w",), ((size,),)))
    for step in range(1, 31):
        w, state = built.update(w, torch.randn(w.shape, generator=source), state, None)
        squares = state["path.0"].square().sum(-1)
        mu = 0.1 / 1.9 * (1 - 0.9 ** (2 * step))
        error = 4 * squares.std().item() / math.sqrt(lanes) + 1e-6
        assert squares.mean().item() == pytest.approx(mu, abs=error)


def test_gradients_that_agree_raise_the_rate_and_opposite_ones_lower_it():
    settings = {"memory": 0.1, "gain": 1e-2, "lr": 1e-3}
    *_, (_, _, up) = train(ALeRA, settings, [(1.0,) * 4] * 60)
    assert up["lr_smallest"].item() > 3e-3
    turning = [((-1.0) ** t,) * 4 for t in range(60)]
    *_, (_, _, down) = train(ALeRA, settings, turning)
    assert down["lr_largest"].item() < 1e-3


@pytest.mark.parametrize("scale", [1e-3, 50.0])
def test_the_rates_do_not_see_the_losss_scale(scale):
    source = torch.Generator().manual_seed(0)
    noise = torch.randn(20, 4, generator=source, dtype=torch.float64)
    settings = {"memory": 0.2, "gain": 0.05}
    plain = train(ALeRA, settings, list(noise))
    scaled = train(ALeRA, settings, list(scale * noise))
    for one, other in zip(plain, scaled, strict=True):
        for name in ("lr", "lr_smallest", "lr_largest"):
            torch.testing.assert_close(one[2][name], other[2][name], rtol=1e-9, atol=0)


def test_gradients_too_small_to_have_a_direction_do_not_enter_the_path():
    rows = train(ALeRA, {"memory": 0.5}, [(1e-6, 0.0, 0.0, 2e-6)])
    assert rows[0][1]["path.0"].tolist() == [0.0] * 3
    assert rows[0][1]["path.2"].tolist() == [0.5]


def test_rates_that_are_not_finite_are_refused_and_counted():
    settings = {"memory": 0.5, "gain": 100, "lr": 1e30}
    rows = train(ALeRA, settings, [(1.0,) * 4] * 9, dtype=torch.float32)
    assert math.isfinite(rows[-1][2]["lr"].item())
    assert rows[-1][2]["rejected"].item() > 0


def alarms(settings, losses):
    """Which of a sequence of losses raise the alarm."""
    rule = build_rule(SALeRA, settings, RUN, torch.float64)
    test = PageHinkley(rule)
    state = test.init(torch.zeros(3, dtype=torch.float64))
    return [
        bool(test.alarm(torch.tensor([x], dtype=torch.float64), state)) for x in losses
    ]


def test_the_page_hinkley_test_by_hand():
    # Unit 2, threshold 0.5 of it: 1. Losses 2, 2, 3: mean 7/3, U = 2/3, no alarm; then
    # 3: mean 2.5, U = 2/3 + 1/2 > 1. It begins anew: 3, 3 are no rise.
    assert alarms({"threshold": 0.5}, [2, 2, 3, 3, 3, 3]) == [
        *([False] * 3),
        True,
        *([False] * 2),
    ]
    # A tolerance of 0.1 * 2 a step: U falls to -0.2, -0.4, then 0.067 and 0.367, each
    # time against the least so far, -0.4.
    assert not any(alarms({"threshold": 0.5, "tolerance": 0.1}, [2, 2, 3, 3]))


@pytest.mark.parametrize("averaged", [False, True])
def test_the_page_hinkley_test_finds_what_an_independent_loop_finds(averaged):
    source = torch.Generator().manual_seed(0)
    losses = (2 + 0.1 * torch.randn(300, generator=source)).tolist()
    losses = [x + (step > 200) * 1.5 for step, x in enumerate(losses)]
    expected, seen, mean, total, least = [], [], 0.0, 0.0, 0.0
    for loss in losses:
        # Averaged over all so far, then over an epoch of 10 steps.
        share = max(1 / (len(seen) + 1), 0.1)
        mean += share * (loss - mean)
        seen.append(mean if averaged else loss)
        total += seen[-1] - sum(seen) / len(seen) - 0.05 * losses[0]
        least = min(least, total)
        expected.append(total - least > 0.8 * losses[0])
        if expected[-1]:
            seen, mean, total, least = [], 0.0, 0.0, 0.0
    settings = {"threshold": 0.8, "tolerance": 0.05, "averaged": averaged}
    found = alarms(settings, losses)
    assert found == expected
    assert 0 < sum(found[200:]) < 5
    assert not any(found[:200])


@pytest.mark.parametrize("first", [1.0, math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_an_alarm(first):
    losses = [first, 1.0, math.nan, 1.0, math.inf, 1.0, 1.0]
    expected = [not math.isfinite(x) for x in losses]
    assert alarms({"threshold": 0.5}, losses) == expected


def test_an_alarm_goes_back_a_step_and_halves_all_rates():
    gradients = [(1.0, -2.0, 0.5, 1.0)] * 5
    losses = [1.0, 1.0, 1.0, 9.0, 1.0]
    settings = {"lr": 0.1, "threshold": 0.5, "memory": 0.5, "gain": 0.01}
    rows = train(SALeRA, settings, gradients, losses)
    plain = train(ALeRA, {n: settings[n] for n in ("lr", "memory", "gain")}, gradients)
    for one, other in zip(rows[:3], plain, strict=False):
        assert torch.equal(one[0], other[0])
    # Step 4's minibatch shows what step 3 did: back to before it, and no step.
    assert torch.equal(rows[3][0], rows[1][0])
    assert rows[3][1]["lr"].item() == 0.05
    assert [row[2]["alarms"].item() for row in rows] == [0, 0, 0, 1, 1]
    for name in ("path.0", "factor.0", "factor.2", "forgotten"):
        assert torch.equal(rows[3][1][name], rows[2][1][name])
    # Then on, with the paths as they were: ALeRA's fourth step at half its rate.
    factor = plain[3][1]["factor.2"].item()
    moved = (rows[4][0] - rows[3][0])[3].item()
    assert moved == pytest.approx(-0.05 * factor, rel=1e-12)


def test_weights_come_back_from_where_nothing_is_finite():
    nothing = (math.nan,) * 4
    gradients = [(1.0,) * 4, (1.0,) * 4, nothing, (1.0,) * 4]
    rows = train(SALeRA, {"lr": 0.1}, gradients, [1.0, 1.0, math.nan, 1.0])
    assert torch.equal(rows[2][0], rows[0][0])
    assert torch.isfinite(rows[3][0]).all()
    assert torch.isfinite(rows[3][1]["path.0"]).all()
    assert rows[3][0][0] < rows[2][0][0]


def test_settings_without_a_meaning_are_refused():
    for rule, name, value in [
        (ALeRA, "threshold", 0.1),
        (ALeRA, "memory", 0),
        (AgAdam, "gain", -1),
        (SALeRA, "threshold", 0),
        (SALeRA, "averaged", "yes"),
    ]:
        with pytest.raises(SettingProblem) as caught:
            build_rule(rule, {name: value}, RUN)
        assert caught.value.name == name
