"""TLR: golden values, its laws on quadratics, presets and edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, SettingProblem, build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.tlr import TLR

H = torch.tensor([1.0, 10.0], dtype=torch.float64)


def layout(size):
    return Layout(("weight",), ((size,),))


def trace(settings, steps, gradient=lambda w: H * w, start=(1.0, 1.0), run=None):
    """Weights, rates and factors after steps 1, 2, ... of one lane."""
    rule = build_rule(TLR, settings, run or Run(100, 10), torch.float64)
    w = torch.tensor(start, dtype=torch.float64)
    state = rule.init(w, layout(len(start)))
    rows = []
    for _ in range(steps):
        w, state = rule.update(w, gradient(w), state, lambda w: (w, gradient(w)))
        rows.append((w.clone(), state["lr"].item(), state["factor"].item()))
    return rows


def test_golden_factors_and_rates():
    rows = trace({"lr": 0.01, "gamma": 0.33, "every": 1}, 5)
    factors = [1, 3.99967033, 4.00589357, 1.50592394, 0.88288462]
    rates = [0.01, 0.0399967033, 0.1602225365, 0.2412829542, 0.2130250095]
    assert [row[2] for row in rows] == pytest.approx(factors, abs=5e-9)
    assert [row[1] for row in rows] == pytest.approx(rates, abs=1e-9)


def test_golden_windows_against_an_independent_loop():
    # Python floats; displacements over windows of 3 steps, divided by the rate.
    w, lr, gamma, cap = [1.0, 1.0], 0.01, 0.33, 100.0
    cache, old, expected = list(w), None, []
    for step in range(1, 19):
        w = [x - lr * h * x for x, h in zip(w, (1.0, 10.0), strict=True)]
        if step % 3 == 0:
            new = [(c - x) / lr for c, x in zip(cache, w, strict=True)]
            if old is not None:
                num = sum(a * b for a, b in zip(old, new, strict=True))
                den = sum(a * a for a in old) - num
                if den > 0:
                    lr *= min(1 + gamma * num / den, cap)
            cache, old = list(w), new
        expected.append(lr)
    rows = trace({"lr": 0.01, "gamma": 0.33, "every": 3}, 18)
    assert [row[1] for row in rows] == pytest.approx(expected, abs=1e-9)
    assert [row[1] == 0.01 for row in rows[:6]] == [True] * 5 + [False]


def test_looking_ahead_on_a_quadratic_averages_with_the_exact_line_search():
    # a_new = (1 - gamma) a + gamma <u, g> / <u, H u>, here with u = g.
    rows = trace({"lr": 0.03, "gamma": 0.4, "form": "look_ahead"}, 6)
    w, lr = torch.ones(2, dtype=torch.float64), 0.03
    for moved, rate, _ in rows:
        g = H * w
        lr = 0.6 * lr + 0.4 * (g @ g / (g @ (H * g))).item()
        assert rate == pytest.approx(lr, rel=1e-13)
        w = w - lr * g
        torch.testing.assert_close(moved, w, rtol=1e-13, atol=1e-14)


def test_looking_ahead_with_gamma_one_is_the_cauchy_step():
    (moved, rate, _), *_ = trace({"lr": 0.03, "gamma": 1, "form": "look_ahead"}, 1)
    assert rate == pytest.approx(101 / 1001, rel=1e-13)
    ahead = H * moved
    assert (ahead @ H).item() == pytest.approx(0, abs=1e-12)  # new gradient, old one


def test_looking_ahead_with_momentum_searches_along_the_buffer():
    rows = trace({"lr": 0.01, "gamma": 1, "form": "look_ahead", "momentum": 0.9}, 4)
    w, buffer = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for moved, rate, _ in rows:
        g = H * w
        buffer = 0.9 * buffer + g
        lr = (buffer @ g / (buffer @ (H * buffer))).item()
        assert rate == pytest.approx(lr, rel=1e-12)
        w = w - lr * buffer
        torch.testing.assert_close(moved, w, rtol=1e-12, atol=1e-13)


def test_looking_ahead_counts_coupled_decay_as_part_of_the_loss():
    # Decay 2 turns H = diag(1, 10) into diag(3, 12).
    one = trace({"lr": 0.03, "form": "look_ahead", "weight_decay": 2}, 5)
    other = trace({"lr": 0.03, "form": "look_ahead"}, 5, lambda w: (H + 2) * w)
    assert [row[1] for row in one] == pytest.approx(
        [row[1] for row in other], rel=1e-12
    )


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("lr", [1e-6, 0.01, 0.3, 0.49])
def test_in_one_dimension_a_change_brings_the_rate_nearer_to_the_inverse_curvature(
    every, lr
):
    # num / den = q / (1 - q), q = (1 - lr h)^K; for K = 1, lr <- lr + gamma (1/h - lr).
    h = 2.0
    *_, (_, rate, factor) = trace(
        {"lr": lr, "gamma": 0.2, "every": every, "cap": 1e9},
        2 * every,
        lambda w: h * w,
        (1.0,),
    )
    q = (1 - lr * h) ** every
    assert factor == pytest.approx(1 + 0.2 * q / (1 - q), rel=1e-9)
    assert lr < rate < 1 / h


@pytest.mark.parametrize("base", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("still", [{"gamma": 0}, {"every": 10**6}], ids=str)
def test_without_changes_it_is_its_base_bitwise(base, still):
    extra = {"weight_decay": 0.1, **({"momentum": 0.9} if base == "sgd" else {})}
    ours = build_rule(TLR, {"lr": 0.02, "base": base, **still, **extra}, Run(9, 9))
    plain = build_rule(RULES[base], {"lr": 0.02, **extra}, Run(9, 9))
    noise = torch.Generator().manual_seed(0)
    w = torch.randn(7, generator=noise)
    one, other = w.clone(), w.clone()
    state, plain_state = ours.init(one, layout(7)), plain.init(other, layout(7))
    for _ in range(30):
        g = torch.randn(7, generator=noise)
        one, state = ours.update(one, one + g, state, lambda w: (w, w))
        other, plain_state = plain.update(
            other, other + g, plain_state, lambda w: (w, w)
        )
        assert torch.equal(one, other)
        assert torch.equal(state["lr"], torch.tensor([0.02]))


@pytest.mark.parametrize("form", ["practical", "look_ahead"])
@pytest.mark.parametrize("base", ["sgd", "adam", "adamw"])
def test_without_changes_it_is_torchs_optimizer(base, form):
    extra = {"weight_decay": 0.1, **({"momentum": 0.9} if base == "sgd" else {})}
    settings = {"lr": 0.02, "base": base, "gamma": 0, "form": form, **extra}
    if form == "practical":
        settings["every"] = 3
    rule = build_rule(TLR, settings, Run(9, 9), torch.float64)
    leaf = torch.linspace(-1, 2, 7, dtype=torch.float64).requires_grad_()
    theirs = {
        "sgd": torch.optim.SGD,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }[base]([leaf], lr=0.02, **extra)
    w = leaf.detach().clone()
    state = rule.init(w, layout(7))
    for _ in range(30):
        w, state = rule.update(w, w**3, state, lambda w: (w, w**3))
        leaf.grad = leaf.detach() ** 3
        theirs.step()
    torch.testing.assert_close(w, leaf.detach(), rtol=1e-12, atol=1e-12)


def test_a_schedule_multiplies_what_is_learnt_from_displacements_over_the_mean_rate():
    # Learnt rates and last weights by a loop in numpy that divides the displacement of
    # each window by its mean rate.
    expected = [(6, 0.0202377235896), (9, 0.0464969245494), (12, 0.122147103147)]
    settings = {"lr": 0.01, "gamma": 0.33, "every": 3, "schedule": "cosine"}
    rows = trace(settings, 12, run=Run(12, 6))
    for step, rate in expected:
        assert rows[step - 1][1] == pytest.approx(rate, abs=1e-11)
    assert rows[-1][0].tolist() == pytest.approx(
        (0.918298799627, 0.412448128294), abs=1e-11
    )


def test_looking_ahead_under_a_schedule_scales_the_step_that_was_searched():
    # gamma 1 finds the exact line search whatever the factor: learnt * factor is it.
    settings = {"lr": 0.03, "gamma": 1, "form": "look_ahead", "schedule": "multistep"}
    w = torch.ones(2, dtype=torch.float64)
    for step, (moved, rate, _) in enumerate(trace(settings, 8, run=Run(8, 8))):
        factor = 1 if step < 4 else 0.1 if step < 6 else 0.01
        g = H * w
        assert rate * factor == pytest.approx((g @ g / (g @ (H * g))).item(), rel=1e-9)
        torch.testing.assert_close(w - rate * factor * g, moved, rtol=1e-9, atol=1e-12)
        w = moved


def test_a_schedule_that_has_ended_leaves_the_rate():
    settings = {"lr": 0.01, "every": 2, "schedule": "cosine"}
    rows = trace(settings, 14, run=Run(6, 6))
    assert len({row[1] for row in rows[8:]}) == 1
    assert math.isfinite(rows[-1][1])


def test_the_factor_that_a_front_end_sets_is_the_schedule():
    rule = build_rule(TLR, {"lr": 0.01, "every": 1}, Run(9, 9), torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, layout(2))
    state["schedule"] = torch.full((1,), 0.5, dtype=torch.float64)
    w, state = rule.update(w, H * w, state, None)
    torch.testing.assert_close(w, 1 - 0.005 * H, rtol=1e-14, atol=0)
    assert rule.observe(state)["lr"].item() == 0.5 * state["lr"].item()


@pytest.mark.parametrize("scale", [1e-3, 64.0])
def test_scaling_the_loss_scales_the_rate_and_nothing_else(scale):
    plain = trace({"lr": 0.01, "every": 2}, 20)
    scaled = trace({"lr": 0.01 / scale, "every": 2}, 20, lambda w: scale * H * w)
    for one, other in zip(plain, scaled, strict=True):
        torch.testing.assert_close(one[0], other[0], rtol=1e-9, atol=1e-12)
        assert other[1] * scale == pytest.approx(one[1], rel=1e-9)
        assert other[2] == pytest.approx(one[2], rel=1e-9)


def test_with_adam_the_rates_do_not_see_the_losss_scale():
    settings = {"lr": 0.01, "base": "adam", "every": 2, "eps": 1e-14}
    plain = trace(settings, 20)
    scaled = trace(settings, 20, lambda w: 50 * H * w)
    assert [r[1] for r in scaled] == pytest.approx([r[1] for r in plain], rel=1e-9)


def test_factors_stay_between_one_minus_gamma_and_the_cap():
    noise = torch.Generator().manual_seed(1)

    def gradient(w):
        return H * w + torch.randn(2, generator=noise, dtype=w.dtype)

    for cap in (100.0, 1.5):
        rows = trace({"lr": 0.01, "every": 1, "gamma": 0.33, "cap": cap}, 400, gradient)
        factors = [row[2] for row in rows]
        assert min(factors) >= 1 - 0.33 - 1e-12
        assert max(factors) <= cap
        assert max(factors) > 1.2 > 0.9 > min(factors)


def test_a_growing_direction_leaves_the_rate():
    # Ascent on a concave loss: den < 0 at every change.
    rows = trace({"lr": 0.05, "every": 1}, 12, lambda w: -H * w)
    assert {row[1] for row in rows} == {0.05}


def test_rates_that_overflow_are_refused_and_counted():
    settings = {"lr": 1e38, "every": 1, "cap": 1e9}
    rule = build_rule(TLR, settings, Run(9, 9))
    w = torch.zeros(2)
    state = rule.init(w, layout(2))
    previous = torch.tensor([1.0, 0.0])
    for shrink in (1.0, 1 - 1e-6):  # num / den is a million: lr * 3e5 overflows float32
        _, state = rule.update(w, previous * shrink, state, lambda w: (w, w))
    assert torch.equal(state["lr"], torch.tensor([1e38]))
    assert rule.observe(state)["rejected"].item() == 1


@pytest.mark.parametrize(
    ("preset", "gamma", "every"),
    [("paper", 0.33, 9), ("code_defaults", 0.20, 15), ("paper", 0.33, 1)],
)
def test_a_preset_sets_gamma_and_the_windows_share_of_an_epoch(preset, gamma, every):
    epoch = 45 if every > 1 else 3  # 0.2 * 3 < 1: at least one step
    named = trace({"lr": 0.01, "preset": preset}, 40, run=Run(90, epoch))
    spelt = trace({"lr": 0.01, "gamma": gamma, "every": every}, 40)
    assert [row[1:] for row in named] == [row[1:] for row in spelt]


def test_the_published_code_first_changes_the_rate_after_three_windows_and_a_step():
    # K = int(12 / 3) = 4: sums over steps 6..9 and 10..13, the first change after 13.
    rows = trace({"lr": 0.01, "preset": "code_exact"}, 13, run=Run(100, 12))
    assert [row[1] for row in rows[:12]] == [0.01] * 12
    windows = []
    for begin in (5, 9):
        x = (1 - 0.01 * H) ** begin
        windows.append((x - (1 - 0.01 * H) ** (begin + 4)) / 0.01)
    num = windows[0] @ windows[1]
    factor = 1 + 0.2 * num / (windows[0] @ windows[0] - num + 1e-10)
    assert rows[12][2] == pytest.approx(factor.item(), rel=1e-12)


def test_the_published_code_may_turn_the_rate_negative():
    # K = 1: <u_old, u_new> / ||u_old||^2 = 1.01 gives 1 - 0.2 * 101 = -19.2.
    growth = iter([1.0, 1.0, 1.0, 1.01])
    settings = {"lr": 1e-3, "preset": "code_exact"}
    rows = trace(
        settings, 4, lambda w: next(growth) * torch.ones_like(w), run=Run(9, 3)
    )
    assert [row[2] for row in rows] == pytest.approx([1, 1, 1, -19.2], rel=1e-6)
    assert rows[-1][1] < 0


def test_without_a_preset_the_rate_changes_every_hundred_steps():
    rows = trace({"lr": 1e-4}, 201)
    changes = [i + 1 for i in range(1, 201) if rows[i][1] != rows[i - 1][1]]
    assert changes == [200]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"preset": "paper", "gamma": 0.3}, "gamma"),
        ({"preset": "code_exact", "every": 7}, "every"),
        ({"form": "look_ahead", "every": 7}, "every"),
        ({"form": "look_ahead", "preset": "paper"}, "preset"),
        ({"base": "adam", "momentum": 0.9}, "momentum"),
        ({"betas": (0.9, 0.99)}, "betas"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, name):
    with pytest.raises(SettingProblem, match=f"`{name}` must be left out beside"):
        build_rule(TLR, settings, Run(9, 3))
