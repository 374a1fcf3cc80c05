"""Snapshots: everything an optimizer holds, in bytes that follow from the values."""

import collections

import numpy as np
import pytest
import torch
from torch import nn

from hpo_vs_adapt.optim.snapshots import (
    open_snapshot,
    stack_bytes,
    take_snapshot,
    unstack_bytes,
)


class Holder(torch.optim.Optimizer):
    """Holds whatever a test puts on it."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})


class Inner(Holder):
    """Its own part of what it learns is an attribute."""


def holder():
    tensors = [nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.zeros(4))]
    return Holder(tensors), tensors


def reopened(optimizer, tensors):
    anew, others = holder()
    open_snapshot(take_snapshot([optimizer], tensors), [anew], others)
    return anew, others


VALUES = [
    None,
    True,
    -3,
    2**80,
    0.1,
    float("inf"),
    -0.0,
    "text with ü\nand a line",
    b"\x00\xff",
    (1, (2.5, "a")),
    [1, [2]],
    {"a": {"b": 1}},
    {1, 2},
    collections.deque([1.5, 2.5], maxlen=3),
    collections.OrderedDict(b=1, a=2),
    np.float64(0.3),
    torch.float16,
    torch.device("cpu"),
    torch.Size([2, 3]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(value):
    optimizer, tensors = holder()
    optimizer.kept = value
    anew, _ = reopened(optimizer, tensors)
    assert anew.kept == value
    assert type(anew.kept) is type(value)
    assert repr(anew.kept) == repr(value)


TENSORS = [
    torch.tensor(3.5),
    torch.arange(6).reshape(2, 3),
    torch.randn(3, 2).t(),
    torch.empty(0, 3),
    torch.tensor([True, False]),
    torch.tensor([1.5, float("nan"), -float("inf")], dtype=torch.float64),
    torch.randn(5).to(torch.bfloat16),
    torch.tensor([1 + 2j]),
]


@pytest.mark.parametrize("tensor", TENSORS, ids=lambda t: f"{t.dtype}{tuple(t.shape)}")
def test_tensors_come_back_bitwise(tensor):
    optimizer, tensors = holder()
    optimizer.kept = tensor
    anew, _ = reopened(optimizer, tensors)
    assert anew.kept.dtype == tensor.dtype
    torch.testing.assert_close(anew.kept, tensor, rtol=0, atol=0, equal_nan=True)


def test_parameters_become_those_of_the_new_optimizer():
    optimizer, tensors = holder()
    optimizer.state[tensors[1]]["mean"] = torch.ones(4)
    optimizer.state["named"] = {tensors[0]: "first"}
    anew, others = reopened(optimizer, tensors)
    assert anew.param_groups[0]["params"][0] is others[0]
    assert torch.equal(anew.state[others[1]]["mean"], torch.ones(4))
    assert anew.state["named"] == {others[0]: "first"}
    assert anew.state[others[0]] == {}  # still makes entries where there is none


def test_what_was_one_object_stays_one():
    optimizer, tensors = holder()
    shared, values = torch.ones(2), [1]
    optimizer.one, optimizer.other = shared, {"again": shared}
    optimizer.list, optimizer.groups = values, [values]
    anew, _ = reopened(optimizer, tensors)
    anew.one.add_(1)
    anew.list.append(2)
    assert anew.other["again"].tolist() == [2, 2]
    assert anew.groups == [[1, 2]]


def test_an_optimizer_inside_another_keeps_its_attributes():
    optimizer, tensors = holder()
    optimizer.inner = Inner(tensors)
    optimizer.inner.learnt = torch.tensor(0.25)
    optimizer.param_groups = optimizer.inner.param_groups
    anew, others = reopened(optimizer, tensors)
    assert type(anew.inner) is Inner
    assert anew.inner.learnt.item() == 0.25
    assert anew.inner.param_groups is anew.param_groups
    assert anew.inner.param_groups[0]["params"][1] is others[1]
    anew.inner.zero_grad()  # its hooks are there


def test_bytes_follow_from_the_values_alone():
    optimizer, tensors = holder()
    word = "rate"
    optimizer.one, optimizer.other = word, "".join(["ra", "te"])  # equal, not the same
    optimizer.state[tensors[0]]["mean"] = torch.ones(2, 3)
    first = take_snapshot([optimizer], tensors)
    optimizer.other = word
    assert take_snapshot([optimizer], tensors) == first
    anew, others = reopened(optimizer, tensors)
    assert take_snapshot([anew], others) == first


def test_hooks_are_left_out():
    optimizer, tensors = holder()
    optimizer.register_step_pre_hook(lambda *_: None)  # a function without a name
    anew, _ = reopened(optimizer, tensors)
    assert not anew._optimizer_step_pre_hooks


def test_byte_strings_of_any_length_are_stacked():
    rows = [b"abc", b"\n", b"\x00\x01\x02\x03\x00"]
    assert unstack_bytes(*stack_bytes(rows)) == rows
