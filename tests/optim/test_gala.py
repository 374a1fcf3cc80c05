"""GALA: golden values, its laws on quadratics, its limits and its edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, SettingProblem, build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.gala import GALA

H = torch.tensor([1.0, 10.0], dtype=torch.float64)
PLAIN = {"lr": 0.01, "momentum": 0}


def layout(size):
    return Layout(("weight",), ((size,),))


def trace(settings, steps, gradient=lambda w: H * w, start=(1.0, 1.0), run=None):
    """Weights, rate and scalars after each step of one lane, whose batches are alike.

    The rate is that with which the step was taken.
    """
    rule = build_rule(GALA, settings, run or Run(steps, 10), torch.float64)
    w = torch.tensor(start, dtype=torch.float64)
    state = rule.init(w, layout(len(start)))
    rows = []
    for _ in range(steps):
        w, state = rule.update(w, gradient(w), state, lambda w: (w, gradient(w)))
        names = ("lr", "alignment", "curvature", "rejected", "curvature_sum")
        rows.append((w.clone(), *(state[name].item() for name in names)))
    return rows


def rates(*args, **kwargs):
    return [row[1] for row in trace(*args, **kwargs)]


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (0, [0.499, 0.250498497999, 0.250498496009, 0.250498495513]),
        (1, [0.443666666667, 0.261778490438, 0.261638902137]),
    ],
)
def test_golden_rates_in_one_dimension(delta, expected):
    settings = {"lr": 1e-3, "momentum": 0, "delta": delta}
    first, *others = rates(settings, 1 + len(expected), lambda w: 2 * w, (1.0,))
    assert first == 1e-3
    assert others == pytest.approx(expected, abs=1e-12)


# Rates of steps 2, 3, ... and the last weights by a loop in numpy that forms each
# quantity from its definition, for H = diag(1, 10) and eight steps of rate 0.01 first.
FROZEN = [
    (
        {"momentum": 0},
        [0.090533907355, 0.0546980145495, 0.0549789564642, 0.0552780260293],
        (0.639559120202, 0.000669377172067),
    ),
    (
        {"momentum": 0.9},
        [0.090533907355, 0.0143571460752, 0.0381899449397, 0.064827401279],
        (-0.131083941188, 0.594721763243),
    ),
    (
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        [0.0814533317897, 0, 0.0405433939219, 0.0390128267935],
        (0.0332374373301, 0.202122778089),
    ),
    (
        {"momentum": 0.9, "align": "direction"},
        [0.090533907355, 0, 0, 0, 0, 0.00614107163012, 0.0146461428775],
        (0.720937608769, -0.268114618937),
    ),
    (
        {"momentum": 0.9, "nesterov": True, "align": "direction"},
        [0.0429316134154, 0.0121390958498, 0.00797687910833, 0.0064140683945],
        (0.661427109138, -0.215717117503),
    ),
    (
        {"momentum": 0.5, "optimistic": True, "delta": 2, "center": False},
        [0.0998348112186, 0.00148000204124, 0.0441341721197, 0.0449966843325],
        (0.531487860883, 0.085044433607),
    ),
    (
        {"momentum": 0.5, "optimistic": True, "align": "direction"},
        [0.0611183850474, 0.0298488978663, 0.0207479902938, 0.0223254548168],
        (0.661800576517, -0.0151050806196),
    ),
    (
        {"base": "adam"},
        [0.766217729881, 0.469894454019, 0.297950365669, 0.203387700277],
        (-0.448708545926, -0.44870855063),
    ),
    (
        {"base": "adam", "weight_decay": 0.1},
        [0.766217729584, 0.469894453924, 0.297950365651, 0.203387700285],
        (-0.448708546334, -0.448708550568),
    ),
    (
        {"base": "adamw", "weight_decay": 0.1},
        [0.765443772885, 0.440144302571, 0.272038288936, 0.185169385558],
        (-0.41114323634, -0.411143240179),
    ),
    (
        {"base": "adam", "optimistic": True},
        [0.766428154201, 0.405253886014, 0.242960109044, 0.168665288543],
        (-0.392346638413, -0.392346643594),
    ),
    (
        {"base": "adam", "align": "same_batch"},
        [0.766217729881, 0.471722021903, 0.436041286827, 0.465108609715],
        (-0.451662937724, -0.451662930775),
    ),
    (
        {
            "base": "adam",
            "align": "same_batch",
            "weight_decay": 0.1,
            "optimistic": True,
        },
        [0.837739475244, 0.537841612408, 0.395395208853, 0.461108481257],
        (-0.376144269915, -0.376144262119),
    ),
]


@pytest.mark.parametrize(("settings", "expected", "last"), FROZEN, ids=str)
def test_rates_and_weights_are_those_of_an_independent_loop(settings, expected, last):
    rows = trace({"lr": 0.01, **settings}, 8)
    seen = [row[1] for row in rows[1 : 1 + len(expected)]]
    assert seen == pytest.approx(expected, abs=1e-9)
    assert rows[-1][0].tolist() == pytest.approx(last, abs=1e-9)


@pytest.mark.parametrize("h", [0.5, 2.0, 30.0])
def test_after_one_step_the_rate_is_the_inverse_curvature_less_the_first_rate(h):
    for lr in (1e-4, 0.01, 0.7):
        settings = {"lr": lr, "momentum": 0}
        _, second = rates(settings, 2, lambda w: h * w, (1.0, -2.0))
        assert second == pytest.approx(max(0, 1 / h - lr), rel=1e-9, abs=1e-12)


def test_curvature_and_rates_stay_within_the_spectrum():
    spectrum = torch.tensor([0.2, 1.0, 5.0, 40.0], dtype=torch.float64)
    start = (1.0, -2.0, 0.5, 1.5)
    for lr in (1e-5, 1e-2, 1.0):
        settings = {"lr": lr, "momentum": 0}
        rows = trace(settings, 60, lambda w: spectrum * w, start)
        assert all(0.2 - 1e-9 <= row[3] <= 40 + 1e-9 for row in rows[1:])
        assert all(0 <= row[1] <= 1 / 0.2 + 1e-9 for row in rows[1:])


@pytest.mark.parametrize("settings", [{"momentum": 0}, {"momentum": 0.9}], ids=str)
@pytest.mark.parametrize("align", ["same_batch", "direction"])
def test_scaling_the_loss_scales_the_rate_and_nothing_else(settings, align):
    s = 64.0
    settings = {**settings, "align": align}
    plain = trace({**settings, "lr": 0.01, "delta": 0.5}, 30)
    scaled = trace(
        {**settings, "lr": 0.01 / s, "delta": 0.5 * s**3}, 30, lambda w: s * H * w
    )
    for one, other in zip(plain, scaled, strict=True):
        torch.testing.assert_close(one[0], other[0], rtol=1e-12, atol=1e-14)
        assert other[1] * s == pytest.approx(one[1], rel=1e-12, abs=1e-15)


def test_turning_the_axes_turns_the_weights_and_nothing_else():
    source = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(2, 2, generator=source, dtype=torch.float64))
    start = turn @ torch.ones(2, dtype=torch.float64)
    plain = trace({"lr": 0.01, "delta": 0.1}, 30)
    turned = trace(
        {"lr": 0.01, "delta": 0.1},
        30,
        lambda w: turn @ (H * (turn.T @ w)),
        tuple(start.tolist()),
    )
    for one, other in zip(plain, turned, strict=True):
        torch.testing.assert_close(turn @ one[0], other[0], rtol=1e-10, atol=1e-12)
        assert other[1] == pytest.approx(one[1], rel=1e-10, abs=1e-12)


TORCH = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize(
    "settings",
    [
        {"base": "sgd", "momentum": 0.0},
        {"base": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"base": "sgd", "momentum": 0.9, "align": "direction", "optimistic": True},
        {"base": "adam", "weight_decay": 0.1},
        {"base": "adam", "align": "same_batch"},
        {"base": "adamw", "weight_decay": 0.1},
    ],
    ids=str,
)
def test_an_overwhelming_regulariser_leaves_the_base_bitwise(settings):
    ours = build_rule(GALA, {"lr": 0.02, "delta": 1e30, **settings}, RUN, H.dtype)
    own = {k: v for k, v in settings.items() if k not in ("base", "align")}
    own = {"lr": 0.02, **own}
    own.pop("optimistic", None)
    plain = build_rule(RULES[settings["base"]], own, RUN, H.dtype)
    leaf = torch.linspace(-1, 2, 7, dtype=torch.float64).requires_grad_()
    theirs = TORCH[settings["base"]]([leaf], **own)
    one, other = leaf.detach().clone(), leaf.detach().clone()
    state, plain_state = ours.init(one, layout(7)), plain.init(other, layout(7))
    noise = torch.Generator().manual_seed(0)
    for _ in range(40):
        shift = torch.randn(7, generator=noise, dtype=H.dtype)
        one, state = ours.update(
            one, one**3 + shift, state, lambda w, shift=shift: (w, w**3 + shift)
        )
        other, plain_state = plain.update(other, other**3 + shift, plain_state, None)
        leaf.grad = leaf.detach() ** 3 + shift
        theirs.step()
        assert torch.equal(one, other)
        assert state["lr"].item() == 0.02
    assert state["curvature_sum"].item() > 0
    torch.testing.assert_close(one, leaf.detach(), rtol=1e-12, atol=1e-12)


RUN = Run(40, 10)


def test_both_alignments_coincide_for_plain_gradient_descent_on_full_batches():
    one = trace(PLAIN, 30)
    other = trace({**PLAIN, "align": "direction"}, 30)
    for same_batch, direction in zip(one, other, strict=True):
        torch.testing.assert_close(same_batch[0], direction[0], rtol=1e-12, atol=1e-14)
        assert direction[1] == pytest.approx(same_batch[1], rel=1e-12)


@pytest.mark.parametrize("center", [True, False])
def test_the_rate_is_the_least_point_of_the_summed_quadratics(center):
    settings = {"lr": 0.05, "momentum": 0, "delta": 20.0, "center": center}
    rows = trace(settings, 9)
    grid = torch.linspace(0, 0.3, 300_001, dtype=torch.float64)
    total = 10 * (grid - (0.05 if center else 0)) ** 2
    w, last = torch.ones(2, dtype=torch.float64), None
    for moved, rate, *_ in rows:
        g = H * w
        if last is not None:
            h, step = H * last[0], w - last[0]
            curvature = (g - h).norm() / step.norm()
            total += -grid * (g @ h) + curvature * (last[1] @ last[1]) * grid**2 / 2
            assert rate == pytest.approx(grid[total.argmin()].item(), abs=2e-6)
        last, w = (w, g), moved


def test_a_rate_of_zero_recovers():
    # 2 x^2 / 2 from x = 1 with rate 5: x = -9, <g, h> = -36 < 0, so the rate is 0; then
    # the weights stay, L is the last one, and <g, h> is the squared gradient, 18^2.
    settings = {"lr": 5.0, "momentum": 0}
    rows = trace(settings, 5, lambda w: 2 * w, (1.0,))
    seen = [row[1] for row in rows]
    assert seen == pytest.approx([5, 0, 0.439, 0.2512, 0.2511], abs=5e-4)
    assert rows[1][0].item() == rows[0][0].item()
    assert (rows[2][2], rows[2][3]) == (18.0**2, 2.0)
    # N = -36 + 324, D = 2 (4 + 324)
    assert seen[2] == pytest.approx(288 / 656, rel=1e-14)


def test_the_rate_is_clipped_at_its_bounds():
    assert rates({"lr": 0.01, "momentum": 0, "lr_max": 0.05}, 4)[1:] == [0.05] * 3
    assert rates({"lr": 0.5, "momentum": 0, "lr_max": 0.05}, 1) == [0.05]


@pytest.mark.parametrize("base", ["sgd", "adam", "adamw"])
def test_a_zero_gradient_leaves_sums_and_rate(base):
    gradients = iter([1.0, 1.0, 0.0, 0.0])
    settings = {"lr": 0.01, "base": base, "align": "same_batch"}
    rule = build_rule(GALA, settings, RUN, torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, layout(2))
    kept = []
    for size in gradients:
        g = size * H * w
        w, state = rule.update(w, g, state, lambda w, s=size: (w, s * H * w))
        kept.append([state[name].item() for name in ("alignment_sum", "lr")])
    assert kept[1] == kept[2] == kept[3]


def test_without_any_curvature_the_rate_stays():
    # A linear loss: g = h at every step, D = 0.
    rows = trace({"lr": 0.03, "momentum": 0.5}, 6, lambda w: torch.ones_like(w))
    assert {row[1] for row in rows} == {0.03}
    assert rows[-1][4] == 0


def test_what_is_not_finite_is_skipped_and_counted():
    rule = build_rule(GALA, {**PLAIN, "delta": 0.1}, RUN, torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, layout(2))
    names = ("lr", "alignment", "curvature", "alignment_sum", "curvature_sum")
    for bad in (1, 1, math.inf, math.nan):
        before = [state[name].item() for name in names]
        g = H * w
        w, state = rule.update(w, g, state, lambda w, bad=bad: (w, bad * H * w))
    assert [state[name].item() for name in names] == before
    assert math.isfinite(before[0])
    assert rule.observe(state)["rejected"].item() == 2
    w, state = rule.update(w, H * w, state, lambda w: (w, H * w))
    assert state["lr"].item() != before[0]
    assert state["rejected"].item() == 2


def test_an_infinite_curvature_does_not_stop_the_training():
    # float32: ||g||^2 overflows, so D would be infinite and the rate 0.
    rule = build_rule(GALA, {**PLAIN, "lr": 1e-22}, RUN)
    w = torch.ones(2)
    state = rule.init(w, layout(2))
    for size in (1e20, 2e20, 1e20):
        g = torch.full((2,), size)
        w, state = rule.update(w, g, state, lambda w: (w, torch.zeros(2)))
    assert state["lr"].item() == pytest.approx(1e-22)
    assert state["rejected"].item() == 2


def test_the_second_gradient_is_taken_at_the_weights_before_the_last_step():
    rule = build_rule(GALA, {"lr": 0.01}, RUN, torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, layout(2))
    before = [w.clone()]
    for step in range(4):
        asked = []
        probe = rule.probe(w, state)
        probe = probe if probe is None else probe.clone()

        def oracle(at, asked=asked):
            asked.append(at.clone())
            return at, H * at

        w, state = rule.update(w, H * w, state, oracle)
        before.append(w.clone())
        if step == 0:  # nothing lies before it
            assert asked == []
            assert probe is None
            continue
        assert len(asked) == 1
        assert torch.equal(asked[0], before[-3])
        assert torch.equal(probe, asked[0])


def test_a_schedule_multiplies_what_is_learnt():
    run = Run(8, 8)
    settings = {**PLAIN, "schedule": "multistep"}
    rule = build_rule(GALA, settings, run, torch.float64)
    w = torch.ones(2, dtype=torch.float64)
    state = rule.init(w, layout(2))
    for step in range(8):
        before, g = w.clone(), H * w
        w, state = rule.update(w, g.clone(), state, lambda w: (w, H * w))
        factor = 1 if step < 4 else 0.1 if step < 6 else 0.01
        lr = factor * state["lr"]
        torch.testing.assert_close(before - w, lr * g, rtol=1e-9, atol=1e-15)
    *_, last = trace(PLAIN, 4)
    at_four = trace(settings, 4, run=run)[-1]
    assert at_four[1] == last[1]


def test_a_schedule_of_zero_leaves_the_curvature():
    state_rows = trace({**PLAIN, "schedule": "cosine"}, 9, run=Run(5, 5))
    # From the sixth step on the weights stay; L is kept, and the sums stay finite.
    assert {row[3] for row in state_rows[6:]} == {state_rows[6][3]}
    assert all(math.isfinite(row[1]) and row[1] > 0 for row in state_rows)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"base": "adam", "momentum": 0.9}, "momentum"),
        ({"base": "adamw", "nesterov": True}, "nesterov"),
        ({"betas": (0.9, 0.99)}, "betas"),
        ({"eps": 1e-3}, "eps"),
    ],
)
def test_settings_of_another_base_are_refused(settings, name):
    with pytest.raises(SettingProblem, match=f"`{name}` must be left out beside base"):
        build_rule(GALA, settings, RUN)


@pytest.mark.parametrize(
    ("name", "value"),
    [("lr_max", 0), ("lr_max", math.inf), ("delta", -1), ("lr", 0), ("align", "both")],
)
def test_settings_without_a_meaning_are_refused(name, value):
    with pytest.raises(SettingProblem, match=f"`{name}` must be"):
        build_rule(GALA, {name: value}, RUN)
