"""Closures: what a second evaluation sees, and that it leaves no trace."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from hpo_vs_adapt.optim.torch_optim import CLARA, GALA, SLS, SPS
from tests.optim.hosted import Model, closure_of, train


class Network(nn.Module):
    """Dropout and BatchNorm, and what an evaluation saw of both."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 1)
        )
        self.masks = []

    def forward(self, x):
        x = self.layers[:2](x)
        dropped = self.layers[2](x)
        self.masks.append(dropped.detach() == 0)
        return self.layers[3](dropped)


def closure_on(network):
    """A closure that evaluates one minibatch; it draws from all random numbers."""
    x = torch.linspace(-1, 2, 96).reshape(16, 6).sin()

    def closure():
        network.zero_grad()
        scale = random.random() + np.random.random()  # noqa: NPY002  # what people use
        loss = (network(scale * x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        return loss

    return closure


def problem(cls=GALA, **arguments):
    """A network, its optimizer and a closure."""
    network = Network()
    return network, cls(network.parameters(), **arguments), closure_on(network)


def weights_of(network):
    return [p.tolist() for p in network.parameters()]


def seed():
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002


def draw():
    """The next random numbers."""
    return torch.rand(()).item(), random.random(), np.random.random()  # noqa: NPY002


def test_both_evaluations_have_the_same_dropout_masks():
    network, optimizer, closure = problem()
    for _ in range(3):
        optimizer.step(closure)
    alone, *twice = network.masks  # the first step has nothing to compare with
    first, again = twice[::2], twice[1::2]
    assert len(first) == 2
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(alone, first[0])
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("cls", [GALA, SLS, SPS, CLARA])
def test_statistics_and_random_numbers_are_those_of_one_evaluation(cls):
    network, optimizer, closure = problem(cls)
    optimizer.step(closure)
    alone = copy.deepcopy(network)
    seed()
    optimizer.step(closure)
    drawn = draw()
    seed()
    closure_on(alone)()
    assert drawn == draw()
    for name, buffer in alone.named_buffers():
        assert torch.equal(network.get_buffer(name), buffer), name


def test_frozen_statistics_are_not_looked_at():
    network, optimizer, closure = problem()
    network.layers[1].eval()
    before = copy.deepcopy(network.layers[1].running_mean)
    optimizer.step(closure)
    optimizer.step(closure)
    assert torch.equal(network.layers[1].running_mean, before)


def test_statistics_that_are_replaced_are_put_back():
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(2, 1)
            self.register_buffer("mean", torch.zeros(()))

        def forward(self, x):
            self.mean = 0.9 * self.mean + 0.1 * x.mean()
            return super().forward(x)

    layer = Counting()
    optimizer = GALA(layer.parameters())

    def closure():
        optimizer.zero_grad()
        loss = layer(torch.ones(3, 2)).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    optimizer.step(closure)
    assert layer.mean == pytest.approx(0.19)  # not 0.271, after three


def test_gradients_of_other_parameters_are_left_alone():
    body, head = nn.Linear(3, 3), nn.Linear(3, 1)
    optimizer = GALA(body.parameters())

    def closure():
        optimizer.zero_grad()
        loss = head(body(torch.ones(4, 3))).square().mean()
        loss.backward()
        return loss

    closure()
    once = head.weight.grad.clone()
    head.weight.grad = None
    optimizer.step(closure)
    assert torch.equal(head.weight.grad, once)


class Broken(Exception):
    pass


@pytest.mark.parametrize("call", [1, 2])
def test_after_an_exception_all_is_as_before_the_step(call):
    network, optimizer, closure = problem()
    for _ in range(3):
        optimizer.step(closure)
    calls = []

    def failing():
        calls.append(None)
        loss = closure()
        if len(calls) == call:
            raise Broken
        return loss

    twin, twins_optimizer = copy.deepcopy((network, optimizer))
    seed()
    with pytest.raises(Broken):
        optimizer.step(failing)
    assert torch.is_grad_enabled()
    drawn = draw()
    seed()
    assert drawn == draw()
    assert weights_of(network) == weights_of(twin)
    seed()
    optimizer.step(closure)
    seed()
    twins_optimizer.step(closure_on(twin))
    assert weights_of(network) == weights_of(twin)


def test_grad_mode_is_left_as_it_was():
    model = Model()
    optimizer = GALA(model.parameters())
    with torch.no_grad():
        train(model, optimizer, range(2))
        assert not torch.is_grad_enabled()
    train(model, optimizer, range(2, 4))
    assert torch.is_grad_enabled()


def test_the_closures_loss_is_returned():
    model = Model()
    for cls in (GALA, CLARA, SLS):
        optimizer = cls(model.parameters())
        expected = model(0).item()
        loss = optimizer.step(closure_of(model, optimizer, 0))
        assert loss.requires_grad
        assert loss.item() == expected


def test_a_closure_may_return_a_number():
    model = Model()
    optimizer = SPS(model.parameters())
    closure = closure_of(model, optimizer, 0)
    assert isinstance(optimizer.step(lambda: closure().item()), float)
    twin = Model()
    (rate,) = train(twin, SPS(twin.parameters()), [0])
    assert float(optimizer.param_groups[0]["lr"]) == rate


def test_all_groups_are_probed_at_once():
    model = Model()
    first, *others = model.parameters()
    optimizer = GALA([{"params": [first]}, {"params": others, "lr": 0.01}])
    seen = []

    def closure(step):
        plain = closure_of(model, optimizer, step)

        def noting():
            seen.append(model.w)
            return plain()

        return noting

    for step in range(4):
        optimizer.step(closure(step))
    # Two evaluations a step, not one more for each group, and one in the first step.
    assert len(seen) == 7
    present, probed = [seen[0], *seen[1::2]], seen[2::2]
    for n in (1, 2, 3):
        assert torch.equal(probed[n - 1], present[n - 1])


def test_a_line_search_over_two_groups_is_that_over_one():
    traces = []
    for split in (False, True):
        model = Model()
        first, *others = model.parameters()
        groups = [{"params": [first]}, {"params": others}]
        optimizer = SLS(groups if split else model.parameters())
        traces.append((train(model, optimizer, range(6)), model.w))
        for group in optimizer.param_groups:
            assert float(group["lr"]) == traces[-1][0][-1]
    assert traces[0][0] == traces[1][0]
    assert torch.equal(traces[0][1], traces[1][1])


def test_groups_with_one_rate_must_agree():
    model = Model()
    first, *others = model.parameters()
    with pytest.raises(ValueError, match="`c` must be the same in all parameter group"):
        SLS([{"params": [first]}, {"params": others, "c": 0.3}])
    optimizer = SPS([first])
    with pytest.raises(ValueError, match="`lr` must be the same in all"):
        optimizer.add_param_group({"params": others, "lr": 0.3})
    assert len(optimizer.param_groups) == 1
    train(model, optimizer, range(2))
