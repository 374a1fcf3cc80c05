"""The optimizers of torch: the rules of the packs, their limits and their errors."""

import inspect
import math

import pytest
import torch

from hpo_vs_adapt.optim import RULES, build_rule
from hpo_vs_adapt.optim.base import Run
from hpo_vs_adapt.optim.torch_optim import (
    CLARA,
    GALA,
    GAP,
    SLS,
    SPS,
    TLR,
    AdaGradNorm,
    DoWG,
    Hypergradient,
)
from hpo_vs_adapt.optim.trial_problem import (
    LAYOUT,
    Problem,
    count_scalar_reads,
    steps,
)
from tests.optim.hosted import Model, closure_of, train

ADAM = {"base": "adam", "weight_decay": 0.01}
ADAMW = {"base": "adamw", "weight_decay": 0.1}
CASES = [
    (GALA, {}),
    (GALA, {"delta": 0.5, "nesterov": True, "weight_decay": 0.1}),
    (GALA, {**ADAM, "align": "same_batch"}),
    (GALA, {**ADAMW, "lr_max": 0.1, "optimistic": True}),
    (CLARA, {"damping": 0.1, "c": 0.3}),
    (CLARA, {"damping": 0.1, "unit_step": True, "per_tensor": False}),
    (CLARA, {**ADAM, "damping": 0.5, "mu": 0.6}),
    (GAP, {"lr": 0.01}),
    (GAP, {"lr": 0.01, "candidates": (0.0, 0.8), "score_ema": 0.5, "patience": 2}),
    (GAP, {**ADAM, "lr": 0.01, "mode": "switch_parameter_wise"}),
    (GAP, {**ADAMW, "lr": 0.01, "lr_modulation": True}),
    (TLR, {"every": 2, "lr": 0.01}),
    (TLR, {"every": 3, "momentum": 0.8, "nesterov": True, "lr": 0.01}),
    (TLR, {**ADAMW, "every": 2, "lr": 0.01}),
    (Hypergradient, {}),
    (Hypergradient, {"form": "multiplicative", "momentum": 0.9, "hyper_lr": 0.1}),
    (Hypergradient, {**ADAM, "every": 3}),
    (DoWG, {}),
    (AdaGradNorm, {"weight_decay": 0.1}),
    (SLS, {}),
    (SPS, {"lr_max": 0.5}),
]
RUN = {SLS: Run(1, 500), SPS: Run(1, 500)}


def rule_settings(cls, arguments):
    """Settings of the rule for the arguments of an optimizer, defaults named."""
    known = inspect.signature(cls).parameters
    adam = arguments.get("base", "sgd") != "sgd"
    foreign = {"momentum", "nesterov"} if adam else {"betas", "beta2"}
    if "base" in known and not adam:
        foreign.add("eps")
    settings = {n: arguments.get(n, p.default) for n, p in known.items()}
    return {
        name: None if value == math.inf else value
        for name, value in settings.items()
        if name in cls.rule.settings and name not in foreign
    }


@pytest.mark.parametrize(("cls", "arguments"), CASES, ids=str)
def test_the_trace_is_that_of_a_lane_in_a_pack(cls, arguments):
    model = Model()
    optimizer = cls(model.parameters(), **arguments)
    settings = rule_settings(cls, arguments)
    rule = build_rule(cls.rule, [settings] * 3, RUN.get(cls, Run(1, 1)), torch.float64)
    problem = Problem((0, 1, 2), torch.float64)
    w = problem.start()
    state = rule.init(w.clone(), LAYOUT)
    for step in range(12):
        w, state = steps(rule, problem, w, state, [step])
        (lr,) = train(model, optimizer, [step])
        rounding = 1e-11 * w[1].abs().max().item()
        torch.testing.assert_close(model.w, w[1], rtol=0, atol=rounding)
        assert lr == pytest.approx(rule.observe(state)["lr"][1].item(), rel=1e-11)


H = torch.tensor([1.0, 10.0], dtype=torch.float64)
GOLDEN = [
    (
        GALA,
        {"lr": 1e-3, "momentum": 0.0},
        torch.tensor([2.0], dtype=torch.float64),
        [1e-3, 0.499, 0.250498497999, 0.250498496009, 0.250498495513],
    ),
    (
        GALA,
        {"lr": 1e-3, "momentum": 0.0, "delta": 1.0},
        torch.tensor([2.0], dtype=torch.float64),
        [1e-3, 0.443666666667, 0.261778490438, 0.261638902137],
    ),
    (
        CLARA,
        {"lr": 0.1, "damping": 0.1, "unit_step": True},
        H,
        [0.0938005, 0.0953741330, 0.1069243187, 0.1323939787, 0.1799056765],
    ),
    (
        CLARA,
        {"lr": 0.1, "damping": 0.1},
        H,
        [0.0938005, 0.0905535692, 0.0942150972, 0.1075867391, 0.1351945343],
    ),
    (
        TLR,
        {"lr": 0.01, "gamma": 0.33, "every": 1},
        H,
        [0.01, 0.0399967033, 0.1602225365, 0.2412829542, 0.2130250095],
    ),
    (
        Hypergradient,
        {"lr": 0.01, "hyper_lr": 1e-5},
        H,
        [0.01, 0.0109099, 0.0116412239, 0.0122187598],
    ),
]


@pytest.mark.parametrize(("cls", "arguments", "h", "rates"), GOLDEN, ids=str)
def test_golden_rates_on_quadratics(cls, arguments, h, rates):
    p = torch.nn.Parameter(torch.ones_like(h))
    optimizer = cls([p], **arguments)

    def closure():
        optimizer.zero_grad()
        loss = (h * p * p).sum() / 2
        loss.backward()
        return loss

    for rate in rates:
        optimizer.step(closure)
        shown = float(optimizer.param_groups[0]["lr"])
        # The first rate of CLARA is known to seven digits: exp(-0.064) / 10.
        tolerance = 3e-8 if rate == 0.0938005 else 1e-9
        assert shown == pytest.approx(rate, abs=tolerance)


@pytest.mark.parametrize(
    ("gradients", "momenta"),
    [((1, 1, 1), (0, 0.5, 0.5)), ((1, -1, 1), (0, 0, 0))],
)
def test_gap_shows_the_momentum_of_its_choice(gradients, momenta):
    p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = GAP([p], candidates=(0.0, 0.5, 0.9))
    for g, momentum in zip(gradients, momenta, strict=True):
        p.grad = torch.full_like(p, g)
        optimizer.step()
        assert float(optimizer.param_groups[0]["momentum"]) == momentum


LIMITS = [
    (CLARA, {"damping": 0.0}, "sgd", {}),
    (CLARA, {"damping": 0.0, **ADAM}, "adam", {"weight_decay": 0.01}),
    (TLR, {"gamma": 0.0, "every": 2, "momentum": 0.9}, "sgd", {"momentum": 0.9}),
    (TLR, {"gamma": 0.0, "every": 2, **ADAMW}, "adamw", {"weight_decay": 0.1}),
    (Hypergradient, {"hyper_lr": 0.0, "momentum": 0.5}, "sgd", {"momentum": 0.5}),
    (Hypergradient, {"hyper_lr": 0.0, **ADAM}, "adam", {"weight_decay": 0.01}),
    (GAP, {"candidates": (0.9,)}, "sgd", {"momentum": 0.9}),
    (GAP, {"mode": "default", "candidates": (0.9, 0.5)}, "sgd", {"momentum": 0.9}),
    (GAP, {"candidates": (0.9,), **ADAM}, "adam", {"weight_decay": 0.01}),
    (GAP, {"candidates": (0.9,), **ADAMW}, "adamw", {"weight_decay": 0.1}),
    (GALA, {"delta": 1e30}, "sgd", {"momentum": 0.9}),
    (GALA, {"delta": 1e30, **ADAMW}, "adamw", {"weight_decay": 0.1}),
]
TORCH = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize(("cls", "arguments", "base", "settings"), LIMITS, ids=str)
def test_what_learns_nothing_is_its_base(cls, arguments, base, settings):
    ours, theirs = Model(), Model()
    optimizer = cls(ours.parameters(), lr=0.01, **arguments)
    reference = TORCH[base](theirs.parameters(), lr=0.01, **settings)
    rule = build_rule(RULES[base], {"lr": 0.01, **settings}, Run(1, 1), torch.float64)
    problem = Problem((1,), torch.float64)
    w = problem.start()[0]
    state = rule.init(w.clone(), LAYOUT)
    for step in range(15):
        assert float(optimizer.param_groups[0]["lr"]) == 0.01
        # One gradient for both, from the same kernel.
        optimizer.step(closure_of(ours, optimizer, step))
        g = torch.cat([p.grad.flatten() for p in ours.tensors])
        w, state = rule.update(w, g, state, problem.oracle(w, step))
        train(theirs, reference, [step])
        assert torch.equal(ours.w, w)
        torch.testing.assert_close(ours.w, theirs.w, rtol=1e-12, atol=1e-12)


# Whether SLS needs another trial is known only from the last one's loss.
SILENT = [case for case in CASES if case[0] is not SLS]


@pytest.mark.parametrize(("cls", "arguments"), SILENT, ids=str)
def test_a_step_reads_no_value_back(cls, arguments):
    p = torch.nn.Parameter(torch.ones(4))
    optimizer = cls([p], **arguments)

    def closure():
        p.grad = torch.ones_like(p)
        return p.detach().sum()

    optimizer.step(closure)
    assert count_scalar_reads(lambda: optimizer.step(closure)) == 0


@pytest.mark.parametrize(("cls", "arguments"), CASES, ids=str)
def test_gradients_stay_what_the_closure_left(cls, arguments):
    model = Model()
    optimizer = cls(model.parameters(), **arguments)
    train(model, optimizer, range(2))
    before = Model()
    before.load_state_dict(model.state_dict())
    before(2).backward()
    train(model, optimizer, [2])
    for p, q in zip(model.parameters(), before.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad)


SIGNATURES = {
    GALA: "lr=0.001, base='sgd', momentum=0.9, betas=(0.9, 0.999), eps=1e-08, "
    "weight_decay=0.0, delta=0.0, center=True, lr_max=inf, align=None",
    CLARA: "lr=0.001, base='sgd', betas=(0.9, 0.999), eps=1e-08, c=0.2, "
    "damping=0.001, unit_step=False, per_tensor=True, mu=None, weight_decay=0.0",
    GAP: "lr=0.1, base='sgd', candidates=(0.5, 0.9, 0.99), beta2=0.999, eps=1e-08, "
    "mode='switch', score_ema=0.0, norm='filter', exclude_current=False, "
    "lr_modulation=False, patience=0, weight_decay=0.0",
    TLR: "lr=0.1, base='sgd', momentum=0.0, betas=(0.9, 0.999), eps=1e-08, "
    "gamma=0.33, every=100, cap=100.0, weight_decay=0.0",
    Hypergradient: "lr=0.001, base='sgd', momentum=0.0, betas=(0.9, 0.999), "
    "eps=1e-08, hyper_lr=0.001, form='additive', every=1, weight_decay=0.0",
}


@pytest.mark.parametrize("cls", SIGNATURES)
def test_arguments_keep_their_order_and_defaults(cls):
    params, *others = inspect.signature(cls).parameters.values()
    assert params.name == "params"
    spelt = ", ".join(f"{p.name}={p.default!r}" for p in others)
    assert spelt.startswith(SIGNATURES[cls])


@pytest.mark.parametrize("cls", [GALA, SLS, SPS])
def test_a_missing_closure_is_asked_for(cls):
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = cls([p])
    p.grad = torch.ones(2)
    with pytest.raises(ValueError, match=f"`closure` must be given .* {cls.__name__}"):
        optimizer.step()
    assert torch.equal(p, torch.ones(2))


@pytest.mark.parametrize("cls", [GALA, SLS, SPS])
def test_a_closure_that_returns_nothing_is_refused(cls):
    p = torch.nn.Parameter(torch.ones(2))

    def closure():
        p.grad = torch.ones(2)

    with pytest.raises(ValueError, match=r"must return the minibatch's loss; got None"):
        cls([p]).step(closure)
    assert torch.equal(p, torch.ones(2))


@pytest.mark.parametrize(
    ("cls", "arguments", "name"),
    [
        (CLARA, {"lr": 0.0}, "lr"),
        (CLARA, {"lr": math.nan}, "lr"),
        (CLARA, {"base": "adamw"}, "base"),
        (CLARA, {"betas": (0.5, 0.9)}, "betas"),
        (CLARA, {"damping": "auto"}, "steps"),
        (GALA, {"base": "adam", "momentum": 0.5}, "momentum"),
        (GALA, {"lr_max": -1.0}, "lr_max"),
        (TLR, {"every": 0}, "every"),
        (GAP, {"candidates": (0.5, 1.0)}, "candidates"),
        (Hypergradient, {"form": "divided"}, "form"),
    ],
    ids=str,
)
def test_arguments_without_a_meaning_are_refused(cls, arguments, name):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        cls([torch.nn.Parameter(torch.ones(2))], **arguments)


def test_damping_by_the_length_of_the_run():
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = CLARA([p], damping="auto", steps=8000)
    p.grad = torch.ones(2)
    optimizer.step()
    # r = c^2 / mu = 0.36 after one step, and damping 6 ln(10) / steps
    expected = 1e-3 * math.exp(-0.64 * 6 * math.log(10) / 8000)
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(expected, rel=1e-6)


def test_sparse_gradients_are_refused():
    table = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = CLARA(table.parameters())
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match="Gradients must be dense; got a sparse one"):
        optimizer.step()


def test_parameters_that_are_not_real_are_refused():
    p = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    with pytest.raises(ValueError, match="must be real floating-point"):
        CLARA([p])


def test_without_gradients_nothing_happens():
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = CLARA([p])
    optimizer.step()
    assert torch.equal(p, torch.ones(2))
    assert float(optimizer.param_groups[0]["lr"]) == 1e-3


class Mine(CLARA):
    def __init__(self, params, rate):
        damping = 0.1  # a local of a constructor is no argument
        super().__init__(params, rate, damping=2 * damping)


def test_a_subclass_hands_on_what_it_says_and_nothing_else():
    parameter = torch.nn.Parameter(torch.ones(3))
    mine = Mine([parameter], 0.5)
    known = CLARA([parameter], lr=0.5, damping=0.2)
    assert mine.param_groups[0].keys() == known.param_groups[0].keys()
    for name in ("lr", "damping", "c"):
        assert mine.param_groups[0][name] == known.param_groups[0][name]
