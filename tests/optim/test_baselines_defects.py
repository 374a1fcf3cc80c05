"""Known defects of libraries, each shown on the bare library and guarded against."""

import copy

import dadaptation
import dog
import momo
import parameterfree
import pytest
import pytorch_optimizer
import torch
from mechanic_pytorch import mechanize
from torch import nn

from hpo_vs_adapt.optim.base import build_rule, check_settings
from hpo_vs_adapt.optim.baselines import BASELINES
from hpo_vs_adapt.optim.signatures import external_rule
from hpo_vs_adapt.optim.trial_problem import LAYOUT, Problem, steps
from tests.optim.bare import RUN, flat, parameters, put_gradients

PROBLEM = Problem((0,))


def bare(make):
    tensors = parameters(PROBLEM.start()[0])
    return make(tensors), tensors


def bare_step(optimizer, tensors, number=0, **arguments):
    put_gradients(tensors, PROBLEM.gradient(flat(tensors), number))
    optimizer.step(**arguments)


def begin(rule, **settings):
    built = build_rule(rule, [settings], RUN, torch.float64)
    w = PROBLEM.start()
    return built, w, built.init(w, LAYOUT)


def hosted_step(built, w, state, number=0):
    g, oracle = PROBLEM.gradient(w, number), PROBLEM.oracle(w.clone(), number)
    return built.update(w, g, state, oracle)


def test_d_adaptation_divides_by_a_first_gradient_of_zero():
    optimizer, tensors = bare(dadaptation.DAdaptSGD)
    put_gradients(tensors, torch.zeros(sum(LAYOUT.sizes), dtype=torch.float64))
    with pytest.raises(ZeroDivisionError):
        optimizer.step()
    built, w, state = begin(external_rule(dadaptation.DAdaptSGD))
    start = w.clone()
    w, state = built.update(w, torch.zeros_like(w), state, PROBLEM.oracle(w, 0))
    assert torch.equal(w, start)
    w, state = hosted_step(built, w, state)
    assert torch.isfinite(w).all()
    assert not torch.equal(w, start)


def test_d_adaptation_fails_where_a_schedule_reaches_zero():
    optimizer, tensors = bare(dadaptation.DAdaptSGD)
    bare_step(optimizer, tensors)
    optimizer.param_groups[0]["lr"] = 0.0
    with pytest.raises(UnboundLocalError):
        bare_step(optimizer, tensors, 1)
    # The baseline is another library's, which takes it.
    built, w, state = begin(BASELINES["dadapt_sgd"])
    w, state = hosted_step(built, w, state)
    state.guests[0].optimizers[0].param_groups[0]["lr"] = 0.0
    w, state = hosted_step(built, w, state, 1)
    assert torch.isfinite(w).all()


@pytest.mark.parametrize("name", ["DAdaptSGD", "DAdaptAdam", "Prodigy"])
def test_the_second_groups_rate_is_ignored(name):
    cls = getattr(pytorch_optimizer, name)

    def trained(*rates):
        tensors = parameters(PROBLEM.start()[0])
        groups = [
            {"params": tensors[:2], "lr": rates[0]},
            {"params": tensors[2:], "lr": rates[1]},
        ]
        optimizer = cls(groups)
        for number in range(5):
            bare_step(optimizer, tensors, number)
        return flat(tensors)

    assert torch.equal(trained(1.0, 1.0), trained(1.0, 0.1))
    assert not torch.equal(trained(1.0, 1.0), trained(0.1, 0.1))


@pytest.mark.parametrize("name", BASELINES)
def test_every_hosted_optimizer_has_one_group(name):
    _, _, state = begin(BASELINES[name])
    (guest,) = state.guests
    groups = [o.param_groups for o in guest.optimizers]
    assert [len(group) for group in groups] == [1] * len(groups)
    assert sum(len(group[0]["params"]) for group in groups) == len(guest.parameters)


def test_weight_decay_of_the_first_group_reaches_the_second():
    def trained(decay):
        tensors = parameters(PROBLEM.start()[0])
        groups = [
            {"params": tensors[:2], "weight_decay": 0.1},
            {"params": tensors[2:], "weight_decay": decay},
        ]
        optimizer = dadaptation.DAdaptSGD(groups, d0=0.1)
        for number in range(5):
            bare_step(optimizer, tensors, number)
        return flat(tensors)

    assert torch.equal(trained(0.0), trained(0.1))


@pytest.mark.parametrize(
    ("make", "arguments", "error"),
    [
        (dog.DoG, {}, AttributeError),
        (dog.LDoG, {}, TypeError),
        (momo.Momo, {"loss": torch.tensor(1.0)}, AttributeError),
    ],
    ids=str,
)
def test_a_parameter_without_gradient_is_fatal(make, arguments, error):
    optimizer, tensors = bare(make)
    put_gradients(tensors, PROBLEM.gradient(flat(tensors), 0))
    tensors[1].grad = None
    with pytest.raises(error):
        optimizer.step(**arguments)
    # Hosted, what the loss does not depend on has a gradient of zero.
    names = {dog.DoG: "dog", dog.LDoG: "ldog", momo.Momo: "momo"}
    built, w, state = begin(BASELINES[names[make]])
    unused = LAYOUT.slices[1]
    start = w.clone()
    for number in range(3):
        g = PROBLEM.gradient(w, number)
        g[:, unused] = 0
        w, state = built.update(w, g, state, PROBLEM.oracle(w.clone(), number))
    assert torch.equal(w[:, unused], start[:, unused])
    assert (w != start).any()


@pytest.mark.parametrize(
    ("name", "make"), [("momo", momo.Momo), ("momo_adam", momo.MomoAdam)]
)
def test_a_state_dict_leaves_out_part_of_what_momo_learnt(name, make):
    optimizer, tensors = bare(make)
    for number in range(6):
        loss = PROBLEM.loss(flat(tensors), number).reshape(())
        bare_step(optimizer, tensors, number, loss=loss)
        if number == 2:
            twin = [nn.Parameter(t.detach().clone()) for t in tensors]
            resumed = make(twin)
            resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        elif number > 2:
            loss = PROBLEM.loss(flat(twin), number).reshape(())
            bare_step(resumed, twin, number, loss=loss)
    assert (flat(twin) - flat(tensors)).abs().max() > 1e-4
    assert_resumes(name)


def assert_resumes(name):
    """Six steps equal three, a checkpoint, and three more, bitwise."""
    built, w, state = begin(BASELINES[name])
    straight, _ = steps(built, PROBLEM, w, state, range(6))
    half, state = steps(built, PROBLEM, w, state, range(3))
    saved = {key: tensor.clone() for key, tensor in built.save(state).items()}
    anew = build_rule(BASELINES[name], [{}], RUN, torch.float64)
    resumed, _ = steps(anew, PROBLEM, half, anew.resume(half, saved), range(3, 6))
    assert torch.equal(straight, resumed)


@pytest.mark.parametrize("name", ["mechanic_sgd", "mechanic_adam"])
def test_mechanic_does_not_resume_from_a_state_dict(name):
    base = {"mechanic_sgd": torch.optim.SGD, "mechanic_adam": torch.optim.AdamW}[name]
    optimizer, tensors = bare(mechanize(base))
    bare_step(optimizer, tensors)
    twin = [nn.Parameter(t.detach().clone()) for t in tensors]
    resumed = mechanize(base)(twin)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    with pytest.raises(KeyError):
        bare_step(resumed, twin, 1)
    assert not torch.is_grad_enabled()  # the defect of the next test
    torch.set_grad_enabled(True)
    assert_resumes(name)


def test_mechanic_leaves_autograd_disabled_after_an_exception():
    optimizer, tensors = bare(mechanize(torch.optim.SGD))
    bare_step(optimizer, tensors)
    del optimizer.state["_mechanic"]["s"]
    try:
        with pytest.raises(KeyError):
            bare_step(optimizer, tensors, 1)
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    built, w, state = begin(BASELINES["mechanic_sgd"])
    w, state = hosted_step(built, w, state)
    del state.guests[0].optimizers[0].state["_mechanic"]["s"]
    with pytest.raises(KeyError):
        hosted_step(built, w, state, 1)
    assert torch.is_grad_enabled()


def test_cocob_has_no_rate_to_schedule():
    optimizer, _ = bare(parameterfree.COCOB)
    with pytest.raises(KeyError, match="lr"):
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    with pytest.raises(ValueError, match=r"one of alpha, eps, weight_decay; got `sch"):
        check_settings(BASELINES["cocob"], {"schedule": "cosine"})


def test_schedule_free_steps_silently_at_the_weights_of_eval():
    def trained(forgets):
        optimizer, tensors = bare(pytorch_optimizer.ScheduleFreeSGD)
        for number in range(6):
            bare_step(optimizer, tensors, number)
            optimizer.eval()
            if not (forgets and number == 3):
                optimizer.train()
        optimizer.train()
        return flat(tensors)

    assert (trained(True) - trained(False)).abs().max() > 1e-3
    built, w, state = begin(BASELINES["schedule_free_sgd"])
    for number in range(6):
        w, state = hosted_step(built, w, state, number)
        built.weights(w, state)
    torch.testing.assert_close(w[0], trained(False), rtol=1e-10, atol=1e-12)


def test_schedule_free_overwrites_gradients():
    optimizer, tensors = bare(pytorch_optimizer.ScheduleFreeAdamW)
    put_gradients(tensors, PROBLEM.gradient(flat(tensors), 0))
    before = torch.cat([t.grad.reshape(-1).clone() for t in tensors])
    optimizer.step()
    assert not torch.equal(torch.cat([t.grad.reshape(-1) for t in tensors]), before)
    assert BASELINES["schedule_free_adamw"].declares.mutates_grad


@pytest.mark.parametrize("name", BASELINES)
def test_gradients_of_the_pack_stay_as_they_are(name):
    built, w, state = begin(BASELINES[name])
    for number in range(7):
        g = PROBLEM.gradient(w, number)
        before = g.clone()
        w, state = built.update(w, g, state, PROBLEM.oracle(w.clone(), number))
        assert torch.equal(g, before)


@pytest.mark.parametrize("name", ["dadapt_sgd", "prodigy", "dog", "momo", "cocob"])
def test_one_nan_is_for_ever_in_the_bare_library(name):
    cls = {
        "dadapt_sgd": pytorch_optimizer.DAdaptSGD,
        "prodigy": pytorch_optimizer.Prodigy,
        "dog": dog.DoG,
        "momo": momo.Momo,
        "cocob": parameterfree.COCOB,
    }[name]
    optimizer, tensors = bare(cls)
    arguments = {"loss": torch.tensor(1.0)} if name == "momo" else {}
    bare_step(optimizer, tensors, **arguments)
    put_gradients(tensors, torch.full((sum(LAYOUT.sizes),), torch.nan).double())
    if name == "dog":
        with pytest.raises(AssertionError):  # it looks at its own sum
            optimizer.step()
        return
    optimizer.step(**arguments)
    assert not torch.isfinite(flat(tensors)).any()
