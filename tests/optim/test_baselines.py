"""Baselines are the libraries' optimizers, hosted: same weights, same rates."""

import math
from functools import partial

import dog
import momo
import parameterfree
import pytest
import pytorch_optimizer
import torch
from mechanic_pytorch import mechanize

from hpo_vs_adapt.optim.base import build_rule, check_settings
from hpo_vs_adapt.optim.baselines import BASELINES
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS
from hpo_vs_adapt.optim.testing import RULE_CHECKS
from hpo_vs_adapt.optim.torch_library import has_muon
from hpo_vs_adapt.optim.trial_problem import LAYOUT, Problem, steps
from tests.optim.bare import RUN, bare_steps, hosted_steps

CASES = [  # beside the defaults, which every rule is held to
    ("nadamw", {"schedule": "cosine", "warmup": 0.1}),
    ("rmsprop", {"momentum": 0.9, "centered": True}),
    ("dadapt_sgd", {"growth_rate": 1.02, "weight_decay": 0.1}),
    ("dadapt_adam", {"growth_rate": 1.02, "weight_decay": 0.1}),
    ("prodigy", {"schedule": "cosine", "warmup": 0.25, "weight_decay": 0.1}),
    ("schedule_free_sgd", {"warmup": 0.25, "weight_decay": 0.1}),
    ("schedule_free_adamw", {"warmup": 0.25, "weight_decay": 0.1}),
    ("dog", {"weight_decay": 0.1}),
    ("momo", {"use_fstar": True, "bias_correction": True, "weight_decay": 0.1}),
    ("momo_adam", {"use_fstar": True, "weight_decay": 0.1}),
    ("cocob", {"weight_decay": 0.1}),
    ("mechanic_sgd", {"schedule": "multistep"}),
]


HELD = [
    pytest.param(name, settings, check, id=f"{name}-{settings}-{check.__name__}")
    for name, settings in CASES
    for check in RULE_CHECKS
    if check.__name__ not in BASELINES[name].exemptions
]


@pytest.mark.parametrize(("name", "settings", "check"), HELD)
def test_a_baseline_keeps_the_contract(name, settings, check):
    check(BASELINES[name], settings)


@pytest.mark.parametrize("name", BASELINES)
def test_no_exemption_is_without_a_check_and_a_reason(name):
    checks = {check.__name__ for check in RULE_CHECKS}
    exemptions = BASELINES[name].exemptions
    assert exemptions.keys() <= checks
    assert all(len(reason.split()) > 8 for reason in exemptions.values())


@pytest.mark.parametrize("name", BASELINES)
def test_checkpoints_keep_names_and_types_with_the_lanes_first(name):
    problem = Problem((0, 1, 2))
    rule = build_rule(BASELINES[name], [{}] * 3, RUN, torch.float64)
    w = problem.start()
    before = rule.init(w.clone(), LAYOUT)
    saved = rule.save(before)
    later = rule.save(steps(rule, problem, w, before, range(4))[1])
    assert saved.keys() == later.keys()
    for tensor_name, tensor in later.items():
        assert tensor.dtype == saved[tensor_name].dtype
        assert len(tensor) == 3


def test_every_baseline_that_was_promised_is_there():
    promised = """
        nadam nadamw rmsprop adagrad muon dadapt_sgd dadapt_adam prodigy adamg alig
        schedule_free_sgd schedule_free_adamw schedule_free_radam dog ldog momo
        momo_adam cocob mechanic_sgd mechanic_adam
    """
    expected = set(promised.split()) - (set() if has_muon() else {"muon"})
    assert set(BASELINES) == expected


def with_loss(optimizer, loss):
    optimizer.step(loss=loss)


def with_value(optimizer, loss):
    optimizer.step(lambda: float(loss))


BARE = {
    "nadam": (torch.optim.NAdam, {}),
    "nadamw": (
        partial(torch.optim.NAdam, decoupled_weight_decay=True),
        {"weight_decay": 0.01},
    ),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adagrad": (torch.optim.Adagrad, {}),
    "dadapt_sgd": (pytorch_optimizer.DAdaptSGD, {}),
    "dadapt_adam": (
        partial(pytorch_optimizer.DAdaptAdam, weight_decouple=True),
        {"weight_decay": 0.1},
    ),
    "prodigy": (pytorch_optimizer.Prodigy, {"safeguard_warmup": True}),
    "schedule_free_sgd": (pytorch_optimizer.ScheduleFreeSGD, {}),
    "schedule_free_adamw": (pytorch_optimizer.ScheduleFreeAdamW, {}),
    "schedule_free_radam": (pytorch_optimizer.ScheduleFreeRAdam, {}),
    "adamg": (partial(pytorch_optimizer.AdamG, weight_decouple=True), {}),
    "dog": (dog.DoG, {}),
    "ldog": (dog.LDoG, {}),
    "momo": (momo.Momo, {}),
    "momo_adam": (momo.MomoAdam, {}),
    "cocob": (parameterfree.COCOB, {}),
    "mechanic_sgd": (mechanize(torch.optim.SGD), {"lr": 0.5, "momentum": 0.9}),
    "mechanic_adam": (mechanize(torch.optim.AdamW), {"lr": 0.5}),
}
STEPS = {"momo": with_loss, "momo_adam": with_loss}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", BARE)
def test_a_hosted_optimizer_is_the_bare_one_bitwise(name, dtype):
    make, settings = BARE[name]
    step = STEPS.get(name, lambda optimizer, _: optimizer.step())
    bare = bare_steps(lambda tensors: make(tensors, **settings), 30, dtype, step)
    for (w, _), (hosted, *_) in zip(
        bare, hosted_steps(BASELINES[name], settings, 30, dtype), strict=True
    ):
        assert torch.equal(w, hosted)
    assert torch.isfinite(w).all()


def test_alig_is_the_bare_one_with_its_cap_as_the_rate():
    make = partial(pytorch_optimizer.AliG, max_lr=0.3, momentum=0.9)
    bare = bare_steps(make, 30, step=with_value)
    hosted = hosted_steps(BASELINES["alig"], {"lr": 0.3}, 30)
    for (w, optimizer), (also, rule, state) in zip(bare, hosted, strict=True):
        assert torch.equal(w, also)
        rate = optimizer.param_groups[0]["step_size"]
        assert rule.observe(state)["lr"].item() == rate


@pytest.mark.skipif(not has_muon(), reason="torch has Muon from 2.9 on")
def test_muon_takes_the_matrices_and_adamw_the_rest():
    made = []

    def make(tensors):
        adjust = {"adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.1}
        matrices = [t for t in tensors if t.ndim == 2]
        made.append(torch.optim.Muon(matrices, lr=0.01, **adjust))
        biases = [t for t in tensors if t.ndim == 1]
        return torch.optim.AdamW(biases, lr=0.01, weight_decay=0.1)

    def step(optimizer, _):
        made[0].step()
        optimizer.step()

    bare = bare_steps(make, 10, step=step)
    hosted = hosted_steps(BASELINES["muon"], {"lr": 0.01}, 10)
    for (w, _), (also, *_) in zip(bare, hosted, strict=True):
        assert torch.equal(w, also)


@pytest.mark.parametrize("name", ["nadam", "prodigy", "dadapt_sgd", "momo"])
def test_a_schedule_multiplies_the_rate_as_torchs_schedulers_do(name):
    make, settings = BARE[name]
    schedulers = []

    def scheduled(tensors):
        optimizer = make(tensors, **settings)
        schedulers.append(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40))
        return optimizer

    def step(optimizer, loss):
        STEPS.get(name, lambda optimizer, _: optimizer.step())(optimizer, loss)
        schedulers[0].step()

    assert RUN.steps == 40
    bare = bare_steps(scheduled, 39, step=step)
    hosted = hosted_steps(BASELINES[name], {"schedule": "cosine"}, 39)
    for (w, optimizer), (also, rule, state) in zip(bare, hosted, strict=True):
        torch.testing.assert_close(w, also, rtol=1e-9, atol=1e-12)
        group = optimizer.param_groups[0]
        if name == "nadam":
            lr = rule.observe(state)["lr"].item()
            assert lr == pytest.approx(group["lr"], rel=1e-12)


def test_the_logged_rate_of_dog_is_that_of_the_last_step():
    problem = Problem((0,))
    before = problem.start()[0]
    for number, (w, rule, state) in enumerate(hosted_steps(BASELINES["dog"], {}, 9)):
        g = problem.gradient(before[None], number)[0]
        lr = rule.observe(state)["lr"].item()
        torch.testing.assert_close(before - w, lr * g, rtol=1e-6, atol=1e-12)
        before = w


def test_the_logged_rate_of_d_adaptation_is_that_of_the_coming_step():
    problem = Problem((0,))
    before, lr = None, None
    settings = {"momentum": 0.0, "lr": 0.5, "d0": 1e-3}
    trace = hosted_steps(BASELINES["dadapt_sgd"], settings, 9)
    for number, (w, rule, state) in enumerate(trace):
        if number:
            g = problem.gradient(before[None], number)[0]
            torch.testing.assert_close(before - w, lr * g, rtol=1e-6, atol=1e-12)
        before, lr = w, rule.observe(state)["lr"].item()


def test_the_logged_rate_of_cocob_is_the_way_over_the_gradients():
    problem = Problem((0,))
    start = before = problem.start()[0]
    total = torch.zeros_like(start)
    for number, (w, rule, state) in enumerate(hosted_steps(BASELINES["cocob"], {}, 9)):
        total += problem.gradient(before[None], number)[0]
        lr = rule.observe(state)["lr"].item()
        way = torch.linalg.vector_norm(start - w) / torch.linalg.vector_norm(total)
        assert lr == pytest.approx(way.item(), rel=1e-6)
        before = w


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_momos_measured_rate_is_polyaks_below_the_cap(weight_decay):
    # beta 0 and lb 0 leave min(lr, loss / ||g||^2) without weight decay.
    problem = Problem((0,))
    before = problem.start()[0]
    settings = {"beta": 0.0, "lr": 0.4, "weight_decay": weight_decay}
    rates = []
    trace = hosted_steps(BASELINES["momo"], settings, 12)
    for number, (w, rule, state) in enumerate(trace):
        g = problem.gradient(before[None], number)[0]
        loss = problem.loss(before[None], number).item()
        # With it, from the library: (1 + lr wd) (loss - <w, g>) + <w, g> instead.
        shrunk = 1 + 0.4 * weight_decay
        above = shrunk * (loss - (before @ g).item()) + (before @ g).item()
        rate = min(0.4, above / (g @ g).item())
        rates.append(rate)
        assert rule.observe(state)["lr"].item() == pytest.approx(rate, rel=1e-6)
        before = w
    assert min(rates) < 0.4
    assert weight_decay > 0 or max(rates) == 0.4


@pytest.mark.parametrize("name", BASELINES)
def test_a_declaration_says_what_the_settings_offer(name):
    rule = BASELINES[name]
    offered = SCHEDULE_SETTINGS.keys() <= rule.settings.keys()
    assert (rule.declares.schedule != "forbidden") == offered
    assert (rule.declares.lr == "none") == ("lr" not in rule.settings)
    assert rule.resumable == rule.declares.resumable
    assert rule.adapts in ("nothing", "rate", "schedule")
    assert rule.defaults != "unknown"
    assert set(rule.free_hyperparameters()) <= set(rule.settings)
    check_settings(rule, {n: s.default for n, s in rule.settings.items()})


@pytest.mark.parametrize("name", BASELINES)
def test_lanes_of_a_pack_may_differ_in_every_number(name):
    rule = BASELINES[name]
    numbers = {
        setting: value.default
        for setting, value in rule.settings.items()
        if value.per_lane(value.default)
    }
    assert numbers
    ((w, *_),) = hosted_steps(rule, numbers, 1)
    ((also, *_),) = hosted_steps(rule, {}, 1)
    assert torch.equal(w, also)
    assert math.isfinite(w.sum())
