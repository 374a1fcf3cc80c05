"""GAP: its scores by hand, its laws, its limits and its edges."""

import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, SettingProblem, build_rule, check_settings
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.gap import GAP

RUN = Run(100, 10)
H = torch.tensor([1.0, 10.0, 3.0], dtype=torch.float64)
TWO = Layout(("weight", "bias"), ((2, 1), (1,)))


class HeldOut:
    """An oracle whose held-out gradient is given; counts how often it is asked."""

    def __init__(self, gradient):
        self.gradient, self.asked = gradient, 0

    def held_out(self, w):
        self.asked += 1
        return w.sum(-1, keepdim=True), self.gradient.clone()


def scores(state, candidates):
    return [state[f"score_{j}"].item() for j in range(candidates)]


def trace(settings, gradients, layout=None, oracle=None):
    """Rule, state and momenta used after each step of one lane in float64."""
    rule = build_rule(GAP, settings, RUN, torch.float64)
    first = torch.as_tensor(gradients[0], dtype=torch.float64)
    w = torch.zeros_like(first)
    state = rule.init(w, layout or Layout(("w",), ((len(first),),)))
    rows = []
    for g in gradients:
        g = torch.as_tensor(g, dtype=torch.float64).clone()
        w, state = rule.update(w, g, state, oracle)
        seen = {name: tensor.clone() for name, tensor in state.items()}
        rows.append((w.clone(), seen, rule.observe(seen)["momentum"].item()))
    return rows


def momenta(settings, gradients, **others):
    return [row[2] for row in trace(settings, gradients, **others)]


def test_the_scores_of_a_constant_and_of_an_alternating_gradient():
    settings = {"candidates": (0.0, 0.5, 0.9)}
    rows = trace(settings, [[1.0]] * 3)
    expected = [
        (1, 0.866025, 0.435890),
        (1, 1.299038, 0.828191),
        (1, 1.515544, 1.181262),
    ]
    for (_, state, _), row in zip(rows, expected, strict=True):
        assert scores(state, 3) == pytest.approx(row, abs=5e-7)
    assert [row[2] for row in rows] == [0, 0.5, 0.5]
    rows = trace({"candidates": (0.0, 0.5)}, [[1.0], [-1.0], [1.0]])
    half = [scores(state, 2)[1] for _, state, _ in rows]
    assert half == pytest.approx([0.866025, 0.433013, 0.649519], abs=5e-7)
    assert [row[2] for row in rows] == [0, 0, 0]


def test_a_step_along_the_chosen_buffer_by_hand():
    # Buffers after g = 2, then 1: 0.5 * 2 + 1 = 2 and 0.9 * 2 + 1 = 2.8; scores
    # 2 * sqrt(0.75) = 1.732 and 2.8 * sqrt(0.19) = 1.220: 0.5 is chosen at both.
    rows = trace({"candidates": (0.5, 0.9), "lr": 0.1}, [[2.0], [1.0]])
    assert [w.item() for w, *_ in rows] == pytest.approx([-0.2, -0.4], rel=1e-14)
    assert scores(rows[1][1], 2) == pytest.approx([1.7320508, 1.2204917], abs=1e-7)


class Loop:
    """GAP in Python floats, entry by entry, on a weight of two and a bias of one."""

    def __init__(self, base, norm, exclude_current, start):
        self.base, self.norm, self.exclude_current = base, norm, exclude_current
        self.candidates, self.beta2, self.eps = (0.5, 0.9), 0.9, 1e-3
        self.decay, self.lr, self.t = 0.1, 0.05, 0
        self.w, self.v = start, [0.0] * 3
        self.buffers = [[0.0] * 3, [0.0] * 3]

    def step(self, g):
        """Return the scores; the weights move."""
        self.t += 1
        if self.base != "adamw":
            g = [a + self.decay * b for a, b in zip(g, self.w, strict=True)]
        self.v = [
            self.beta2 * a + (1 - self.beta2) * b * b
            for a, b in zip(self.v, g, strict=True)
        ]
        self.den = [math.sqrt(a / (1 - self.beta2**self.t)) + self.eps for a in self.v]
        scores = [self.score(j, m, g) for j, m in enumerate(self.candidates)]
        pick = scores.index(max(scores))
        for i in range(3):
            u = self.buffers[pick][i]
            if self.base != "sgd":
                u = u / (1 - self.candidates[pick] ** self.t) / self.den[i]
            if self.base == "adamw":
                self.w[i] *= 1 - self.lr * self.decay
            self.w[i] -= self.lr * u
        return scores

    def score(self, j, m, g):
        share = 1 if self.base == "sgd" else 1 - m
        old = [m * b for b in self.buffers[j]]
        self.buffers[j] = [a + share * b for a, b in zip(old, g, strict=True)]
        scored = old if self.exclude_current else self.buffers[j]
        size = 1 / math.sqrt(1 - m * m)
        if self.norm == "exact":
            size *= math.sqrt(1 - m ** (2 * self.t))
        if self.base == "sgd":
            return sum(a * b for a, b in zip(g, scored, strict=True)) / size
        unit = 1 - m**self.t if self.norm == "readme_literal" else 1 - m
        total = 0.0
        for part in ((0, 1), (2,)):
            weight = sum(1 / self.den[i] for i in part) / len(part)
            dot = sum(g[i] * scored[i] / unit / self.den[i] for i in part)
            total += dot / size / math.sqrt(weight)
        return total


@pytest.mark.parametrize("exclude_current", [False, True])
@pytest.mark.parametrize("norm", ["filter", "exact", "readme_literal"])
@pytest.mark.parametrize("base", ["sgd", "adam", "adamw"])
def test_the_trace_of_an_independent_loop(base, norm, exclude_current):
    loop = Loop(base, norm, exclude_current, [1.0, -2.0, 0.5])
    settings = {"base": base, "candidates": (0.5, 0.9), "lr": 0.05, "norm": norm}
    settings |= {"exclude_current": exclude_current, "weight_decay": 0.1}
    if base != "sgd":
        settings |= {"beta2": 0.9, "eps": 1e-3}
    rule = build_rule(GAP, settings, RUN, torch.float64)
    w = torch.tensor(loop.w, dtype=torch.float64)
    state = rule.init(w, TWO)
    for t in range(12):
        noise = [math.sin(3 * t + i) for i in range(3)]
        g = [h * a + b for h, a, b in zip(H.tolist(), loop.w, noise, strict=True)]
        expected = loop.step(g)
        given = torch.tensor(g, dtype=torch.float64)
        w, state = rule.update(w, given, state, None)
        assert w.tolist() == pytest.approx(loop.w, abs=1e-9)
        if t == 0 and (exclude_current or norm == "exact"):
            continue  # no scores yet, or a tie but for rounding
        assert state["choice"].item() == expected.index(max(expected))
        assert scores(state, 2) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("base", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("mode", ["default", "switch", "switch_parameter_wise"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_candidate_is_its_base_bitwise_and_torchs_optimizer(base, mode, dtype):
    extra = {"weight_decay": 0.1, "lr": 0.02}
    settings = {"base": base, "candidates": (0.9,), "mode": mode, **extra}
    momentum = {"momentum": 0.9} if base == "sgd" else {}
    ours = build_rule(GAP, settings, RUN, dtype)
    plain = build_rule(RULES[base], {**extra, **momentum}, RUN, dtype)
    source = torch.Generator().manual_seed(0)
    one = torch.randn(3, generator=source, dtype=dtype)
    other, leaf = one.clone(), torch.nn.Parameter(one.clone())
    library = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    optimizer = library.get(base, torch.optim.AdamW)([leaf], **extra, **momentum)
    state, plain_state = ours.init(one, TWO), plain.init(other, TWO)
    for _ in range(30):
        noise = torch.randn(3, generator=source, dtype=dtype)
        leaf.grad = leaf.detach() + noise
        one, state = ours.update(one, one + noise, state, None)
        other, plain_state = plain.update(other, other + noise, plain_state, None)
        optimizer.step()
        assert torch.equal(one, other)
    if dtype == torch.float64:
        torch.testing.assert_close(one, leaf.detach(), rtol=1e-12, atol=1e-12)


def test_the_default_mode_keeps_to_the_first_candidate():
    gradients = [[1.0, -2.0], [3.0, 1.0], [1.0, 1.0]]
    given = trace({"mode": "default", "candidates": (0.9, 0.5)}, gradients)
    alone = trace({"candidates": (0.9,)}, gradients)
    assert [row[2] for row in given] == [0.9] * 3
    assert torch.equal(given[-1][0], alone[-1][0])


def test_momenta_are_chosen_in_ascending_order_however_they_are_listed():
    gradients = [[1.0]] * 4
    listed = trace({"candidates": (0.9, 0.0, 0.5)}, gradients)
    assert [row[2] for row in listed] == momenta(
        {"candidates": (0.0, 0.5, 0.9)}, gradients
    )


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9, 0.97])
def test_the_score_of_an_autoregressive_gradient_is_largest_at_its_own_momentum(rho):
    def score(m):
        return math.sqrt(1 - m * m) / (1 - m * rho)

    grid = [i / 1000 for i in range(1000)]
    assert max(grid, key=score) == pytest.approx(rho)
    assert score(rho) == pytest.approx(1 / math.sqrt(1 - rho * rho))


@pytest.mark.slow
@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_on_autoregressive_gradients_their_own_momentum_is_chosen(base):
    # Unit variance, rho = 0.8: mean scores a coordinate sqrt(1 - m^2) / (1 - 0.8 m).
    size, rho, candidates = 2000, 0.8, (0.0, 0.5, 0.8, 0.9, 0.99)
    source = torch.Generator().manual_seed(0)
    rule = build_rule(GAP, {"candidates": candidates, "base": base}, RUN, torch.float64)
    w = torch.zeros(size, dtype=torch.float64)
    state = rule.init(w, Layout(("w",), ((size,),)))
    g = torch.randn(size, generator=source, dtype=torch.float64)
    sums = torch.zeros(len(candidates), dtype=torch.float64)
    for step in range(900):
        noise = torch.randn(size, generator=source, dtype=torch.float64)
        g = rho * g + math.sqrt(1 - rho * rho) * noise
        w, state = rule.update(w, g.clone(), state, None)
        if step >= 600:
            assert rule.observe(state)["momentum"].item() == 0.8
            sums += torch.tensor(scores(state, 5), dtype=torch.float64) / size
    if base == "sgd":
        expected = [1.00, 1.44, 1.67, 1.56, 0.67]
        assert (sums / 300).tolist() == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_white_noise_chooses_the_smallest_and_a_constant_the_largest(base):
    source = torch.Generator().manual_seed(0)
    candidates = (0.3, 0.6, 0.9)
    settings = {"base": base, "candidates": candidates}
    noise = [torch.randn(3000, generator=source) for _ in range(40)]
    assert set(momenta(settings, noise)[5:]) == {0.3}
    rows = trace(settings, [noise[0]] * 120)
    assert rows[-1][2] == 0.9
    if base == "sgd":
        norm = noise[0].double().square().sum().item()
        law = [norm * math.sqrt((1 + m) / (1 - m)) for m in candidates]
        assert scores(rows[-1][1], 3) == pytest.approx(law, rel=1e-4)


def test_read_literally_adams_score_favours_the_smallest_even_for_a_constant():
    settings = {"base": "adam", "norm": "readme_literal", "candidates": (0.3, 0.6, 0.9)}
    assert set(momenta(settings, [[1.0, 2.0]] * 60)) == {0.3}


@pytest.mark.parametrize("scale", [1e-4, 1e4])
@pytest.mark.parametrize("base", ["sgd", "adam"])
@pytest.mark.parametrize("mode", ["switch", "switch_parameter_wise"])
def test_the_scale_of_the_loss_does_not_change_the_choice(base, scale, mode):
    source = torch.Generator().manual_seed(0)
    walk = torch.randn(60, 3, generator=source, dtype=torch.float64)
    walk = walk + 0.7 * walk.roll(1, 0) + 0.5 * walk.roll(2, 0)
    settings = {"base": base, "mode": mode, "candidates": (0.0, 0.5, 0.9)}
    if base == "adam":
        settings["eps"] = 1e-30
    plain = momenta(settings, list(walk), layout=TWO)
    assert momenta(settings, list(scale * walk), layout=TWO) == plain
    assert len(set(plain)) > 1


def test_the_regret_of_a_choice_by_wrong_correlations_is_bounded():
    # S*(R) - S_jhat(R) <= 2 max_j |<q_j, R - Rhat>|, q_j of unit norm.
    source = torch.Generator().manual_seed(0)
    lags = torch.arange(200, dtype=torch.float64)
    filters = torch.stack(
        [math.sqrt(1 - m * m) * m**lags for m in (0.0, 0.5, 0.9, 0.99)]
    )
    assert filters.norm(dim=-1).tolist() == pytest.approx([1] * 4, abs=0.01)
    regrets = []
    for _ in range(200):
        true = 0.8**lags
        seen = true + torch.randn(200, generator=source, dtype=torch.float64)
        regret = (filters @ true).max() - (filters @ true)[(filters @ seen).argmax()]
        assert regret <= 2 * (filters @ (true - seen)).abs().max()
        regrets.append(regret.item())
    assert max(regrets) > 0


def test_smoothing_near_one_freezes_the_choice_at_the_first_scores():
    gradients = [[1.0]] * 60
    settings = {"candidates": (0.0, 0.5, 0.9)}
    assert momenta(settings, gradients)[-1] == 0.9
    frozen = trace({**settings, "score_ema": 1 - 1e-9}, gradients)
    assert {row[2] for row in frozen} == {0.0}
    first = scores(frozen[0][1], 3)
    assert scores(frozen[-1][1], 3) == pytest.approx(first, abs=1e-6)


def test_smoothed_scores_are_the_exponential_average_from_the_first_on():
    gradients = [[1.0], [2.0], [-1.0], [0.5]]
    raw = [scores(row[1], 2) for row in trace({"candidates": (0.0, 0.9)}, gradients)]
    smooth = trace({"candidates": (0.0, 0.9), "score_ema": 0.75}, gradients)
    expected = raw[0]
    for step, row in enumerate(smooth):
        if step:
            pairs = zip(expected, raw[step], strict=True)
            expected = [0.75 * old + 0.25 * new for old, new in pairs]
        assert scores(row[1], 2) == pytest.approx(expected, rel=1e-13)


def test_the_first_step_takes_the_smallest_and_the_exact_norm_ties_there():
    rows = trace({"candidates": (0.5, 0.9, 0.99), "norm": "exact"}, [[1.0, 2.0]])
    assert scores(rows[0][1], 3) == [5.0] * 3
    assert rows[0][2] == 0.5
    assert momenta({}, [[1.0, 2.0]]) == [0.5]


@pytest.mark.parametrize("base", ["sgd", "adam"])
@pytest.mark.parametrize("mode", ["switch", "switch_parameter_wise"])
@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf])
def test_without_scores_the_choice_stays(base, mode, bad):
    settings = {"candidates": (0.0, 0.9), "mode": mode, "base": base}
    rows = trace(settings, [[1.0] * 3] * 30 + [[bad] * 3], layout=TWO)
    assert rows[-2][2] == rows[-1][2] == 0.9
    rejected = rows[-1][1]["rejected"].item()
    assert rejected == (0 if bad == 0 else 1)


def test_scores_that_overflow_leave_the_smoothed_ones():
    settings = {"candidates": (0.0, 0.9), "score_ema": 0.5}
    rows = trace(settings, [[1.0], [1e200], [1.0]])
    assert scores(rows[1][1], 2) == scores(rows[0][1], 2)
    assert rows[1][1]["rejected"].item() == 1


def test_tensors_choose_for_themselves():
    # The weight's gradient is constant, the bias's turns at every step.
    gradients = [[1.0, 1.0, (-1.0) ** t] for t in range(30)]
    settings = {"candidates": (0.0, 0.9), "mode": "switch_parameter_wise", "lr": 1.0}
    rows = trace(settings, gradients, layout=TWO)
    state = rows[-1][1]
    assert [state[f"choice.{i}"].item() for i in (0, 1)] == [1, 0]
    assert rows[-1][2] == pytest.approx(0.45)  # the mean over tensors
    moved = rows[-1][0] - rows[-2][0]
    assert moved[:2].tolist() == pytest.approx([-10 * (1 - 0.9**30)] * 2)
    assert moved[2].item() == 1.0  # g itself, negative


def test_patience_waits_for_a_candidate_to_lead_so_many_times_in_a_row():
    # 0.5 leads from the second step on; with a turn in between it starts anew.
    settings = {"candidates": (0.0, 0.5)}
    gradients = [[1.0]] * 6
    assert momenta(settings, gradients) == [0, 0.5, 0.5, 0.5, 0.5, 0.5]
    waits = momenta({**settings, "patience": 3}, gradients)
    assert waits == [0, 0, 0, 0.5, 0.5, 0.5]
    turning = [[1.0], [1.0], [-3.0], [-3.0], [-3.0], [-3.0]]
    raw = momenta(settings, turning)
    assert raw == [0, 0.5, 0, 0.5, 0.5, 0.5]
    assert momenta({**settings, "patience": 3}, turning) == [0, 0, 0, 0, 0, 0.5]


def test_modulation_keeps_the_norm_of_the_filter():
    gradients = [[1.0]] * 60
    for base in ("sgd", "adam"):
        settings = {"base": base, "candidates": (0.5, 0.9), "lr": 0.1}
        plain = trace(settings, gradients)
        scaled = trace({**settings, "lr_modulation": True}, gradients)
        if base == "sgd":
            factor = math.sqrt((1 - 0.81) / (1 - 0.25))
        else:  # means: their filters have norm sqrt((1 - m) / (1 + m))
            factor = math.sqrt((0.5 / 1.5) / (0.1 / 1.9))
        steps = [(rows[-1][0] - rows[-2][0]).item() for rows in (plain, scaled)]
        assert steps[1] / steps[0] == pytest.approx(factor, rel=1e-9)
        rule = build_rule(GAP, {**settings, "lr_modulation": True}, RUN, torch.float64)
        shown = rule.observe(scaled[-1][1])
        assert shown["lr_factor"].item() == pytest.approx(factor)
        assert shown["lr"].item() == pytest.approx(0.1)


def test_leaving_out_the_current_gradient_removes_its_agreement_with_itself():
    source = torch.Generator().manual_seed(0)
    noise = [torch.randn(400, generator=source) for _ in range(200)]
    drift = torch.full((400,), 0.3)
    settings = {"candidates": (0.0, 0.9)}
    plain = momenta(settings, [drift + n for n in noise])
    without = momenta({**settings, "exclude_current": True}, [drift + n for n in noise])
    assert plain[-100:].count(0.9) < 10
    assert without[-100:].count(0.9) > 90


def test_held_out_gradients_choose_and_training_gradients_move():
    # The held-out gradient is opposite to what has gone on: least momentum is best.
    oracle = HeldOut(torch.tensor([-1.0], dtype=torch.float64))
    settings = {"candidates": (0.0, 0.9), "validate": True, "val_every": 3, "lr": 0.1}
    rows = trace(settings, [[1.0]] * 10, oracle=oracle)
    assert oracle.asked == 4  # at steps 1, 4, 7 and 10
    # S(0) = -1; S(0.9) = -(1 + 0.9 + ...) sqrt(0.19): -0.436 at step 1, -1.499 at 4.
    assert [row[2] for row in rows] == [0.9] * 3 + [0.0] * 7
    assert scores(rows[3][1], 2) == pytest.approx([-1, -1.499025], abs=1e-6)
    assert (rows[4][0] - rows[3][0]).item() == pytest.approx(-0.1)


def test_a_resumed_run_asks_for_held_out_gradients_at_the_same_steps():
    settings = {"validate": True, "val_every": 4}
    oracle = HeldOut(torch.ones(3))
    rule = build_rule(GAP, settings, RUN)
    w = torch.zeros(3)
    state = rule.init(w, TWO)
    asked = []
    for step in range(10):
        rule = build_rule(GAP, settings, RUN)
        state = rule.resume(w, rule.save(state))
        before = oracle.asked
        w, state = rule.update(w, torch.ones(3), state, oracle)
        if oracle.asked > before:
            asked.append(step)
    assert asked == [0, 4, 8]


def test_training_samples_are_held_out_only_to_validate():
    assert GAP.held_out_share({}) == 0
    assert GAP.held_out_share({"validate": True}) == 0.1
    assert GAP.held_out_share({"validate": True, "val_share": 0.25}) == 0.25


def test_a_schedule_multiplies_the_rate():
    run = Run(4, 1)
    rule = build_rule(GAP, {"lr": 0.1, "schedule": "cosine"}, run, torch.float64)
    w = torch.zeros(1, dtype=torch.float64)
    state = rule.init(w, Layout(("w",), ((1,),)))
    rates = []
    for _ in range(4):
        rates.append(rule.observe(state)["lr"].item())
        w, state = rule.update(w, torch.ones_like(w), state, None)
    expected = [0.05 * (1 + math.cos(math.pi * t / 4)) for t in range(4)]
    assert rates == pytest.approx(expected)


def test_blocks_do_not_show(monkeypatch):
    source = torch.Generator().manual_seed(0)
    gradients = [torch.randn(3, generator=source) for _ in range(20)]
    for base in ("sgd", "adamw"):
        settings = {"base": base, "weight_decay": 0.1, "candidates": (0.5, 0.9)}
        whole = trace(settings, gradients, layout=TWO)[-1]
        with monkeypatch.context() as patch:
            patch.setattr("hpo_vs_adapt.optim.filters._BLOCK", 1)
            cut = trace(settings, gradients, layout=TWO)[-1]
        torch.testing.assert_close(whole[0], cut[0], rtol=1e-13, atol=1e-15)
        assert scores(whole[1], 2) == pytest.approx(scores(cut[1], 2), rel=1e-12)


@pytest.mark.parametrize("lanes", [2, 3, 7])
@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_lanes_of_models_longer_than_a_block_do_not_depend_on_the_pack(base, lanes):
    size = 140_001
    layout = Layout(("0.weight", "0.bias"), ((size - 33,), (33,)))
    source = torch.Generator().manual_seed(0)
    gradients = [torch.randn(1, size, generator=source) for _ in range(4)]
    ends = []
    for count in (2, lanes):
        settings = [{"base": base, "score_ema": 0.5}] * count
        rule = build_rule(GAP, settings, RUN)
        w = torch.zeros(count, size)
        state = rule.init(w, layout)
        for g in gradients:
            w, state = rule.update(w, g.repeat(count, 1), state, None)
        ends.append((w, scores({n: t[-1] for n, t in state.items()}, 3)))
    assert torch.equal(ends[0][0][0], ends[1][0][-1])
    assert ends[0][1] == ends[1][1]


@pytest.mark.parametrize(
    ("settings", "name", "rule"),
    [
        ({"candidates": ()}, "candidates", "a list of numbers, each >= 0 and < 1"),
        ({"candidates": (0.5, 1.0)}, "candidates", "a list of numbers, each"),
        ({"candidates": 0.9}, "candidates", "a list of numbers, each"),
        ({"beta2": 0.9}, "beta2", "left out beside base sgd"),
        ({"eps": 1e-3}, "eps", "left out beside base sgd"),
        ({"mode": "default", "patience": 2}, "patience", "beside mode default"),
        ({"mode": "default", "validate": True}, "validate", "beside mode default"),
        (
            {"mode": "switch_parameter_wise", "score_ema": 0.9},
            "score_ema",
            "left out beside mode switch_parameter_wise",
        ),
        ({"val_every": 3}, "val_every", "left out beside validate false"),
        ({"val_share": 0.3}, "val_share", "left out beside validate false"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, name, rule):
    with pytest.raises(SettingProblem, match=f"`{name}` must be .*{rule}") as caught:
        check_settings(GAP, settings)
    assert caught.value.name == name
    check_settings(GAP, {"beta2": 0.999, "eps": 1e-8, "patience": 0, "score_ema": 0})
    check_settings(GAP, {"candidates": [0.1]})
