"""Parameter groups, missing gradients, precision and memory, and resuming."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from hpo_vs_adapt.optim.torch_optim import CLARA, GALA, GAP, SPS, TLR, DoWG
from tests.optim.hosted import Model, closure_of, train
from tests.optim.test_torch_optim import CASES


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)  # with weights only


def resumed_by_state_dict(model, optimizer, arguments):
    twin = copy.deepcopy(model)
    fresh = type(optimizer)(twin.parameters(), **arguments)
    fresh.load_state_dict(through_a_file(optimizer.state_dict()))
    return twin, fresh


def resumed_by_deepcopy(model, optimizer, arguments):
    return copy.deepcopy((model, optimizer))


def resumed_by_pickle(model, optimizer, arguments):
    return pickle.loads(pickle.dumps((model, optimizer)))


WAYS = [resumed_by_state_dict, resumed_by_deepcopy, resumed_by_pickle]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("cls", "arguments"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_resumed_run_goes_on_bit_for_bit(cls, arguments, way, dtype):
    model = Model(dtype)
    optimizer = cls(model.parameters(), **arguments)
    train(model, optimizer, range(5))
    twin, resumed = way(model, optimizer, arguments)
    rates = [float(o.param_groups[0]["lr"]) for o in (optimizer, resumed)]
    assert rates[0] == rates[1]
    assert train(model, optimizer, range(5, 10)) == train(twin, resumed, range(5, 10))
    assert torch.equal(model.w, twin.w)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_run_resumed_before_its_first_step_is_a_fresh_one(way):
    model = Model()
    optimizer = GALA(model.parameters(), lr=0.02)
    twin, resumed = way(model, optimizer, {"lr": 0.5})
    assert train(model, optimizer, range(4)) == train(twin, resumed, range(4))


def test_a_state_dict_is_a_snapshot_with_tensors_in_the_parameters_shapes():
    model = Model()
    optimizer = CLARA(model.parameters(), base="adam")
    train(model, optimizer, range(2))
    saved = optimizer.state_dict()
    kept = copy.deepcopy(saved["state"])
    train(model, optimizer, range(2, 4))
    assert sorted(saved["state"]) == [0, 1, 2, 3]
    for i, p in enumerate(model.parameters()):
        assert set(saved["state"][i]) == {"mean", "square", "path"}
        for name, tensor in saved["state"][i].items():
            assert tensor.shape == p.shape
            assert torch.equal(tensor, kept[i][name])


def test_the_saved_rate_is_the_present_one():
    model = Model()
    optimizer = CLARA(model.parameters())
    (rate,) = train(model, optimizer, [0])
    (group,) = optimizer.state_dict()["param_groups"]
    assert type(group["lr"]) is torch.Tensor
    assert float(group["lr"]) == rate


@pytest.mark.parametrize("cls", [CLARA, TLR, GAP, GALA])
def test_groups_are_adapted_each_by_itself(cls):
    first, second = Model(), Model()
    second.problem = type(second.problem)((3, 4, 5))
    arguments = {"lr": 0.01}
    single = cls(first.parameters(), **arguments)
    pair = nn.ModuleList([copy.deepcopy(first), second])
    both = cls(
        [{"params": pair[0].parameters()}, {"params": pair[1].parameters()}],
        **arguments,
    )
    for step in range(6):

        def closure(step=step):
            both.zero_grad()
            loss = pair[0](step) + pair[1](step)
            loss.backward()
            return loss

        both.step(closure)
        (rate,) = train(first, single, [step])
        rates = [float(group["lr"]) for group in both.param_groups]
        assert rates[0] == rate
    assert torch.equal(first.w, pair[0].w)
    assert rates[1] != rates[0] or cls in (GAP, TLR)


def test_a_group_has_settings_of_its_own():
    first, second = (nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = CLARA([{"params": [first]}, {"params": [second], "lr": 0.5}], lr=0.1)
    optimizer.add_param_group(
        {"params": [nn.Parameter(torch.ones(2))], "base": "adam", "lr": 0.01}
    )
    assert [float(g["lr"]) for g in optimizer.param_groups] == [0.1, 0.5, 0.01]
    assert optimizer.param_groups[2]["betas"] == (0.9, 0.999)
    assert "betas" not in optimizer.param_groups[0]
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    optimizer.step()
    assert first.tolist() == pytest.approx([0.9] * 3)
    assert second.tolist() == pytest.approx([0.5] * 3)
    assert optimizer.param_groups[2]["params"][0].tolist() == pytest.approx([0.99] * 2)
    assert len(optimizer.observe()) == 3


def test_a_wrong_group_is_refused_and_not_added():
    optimizer = CLARA([nn.Parameter(torch.ones(2))])
    with pytest.raises(ValueError, match="`lr` must be"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))], "lr": -1})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    ("cls", "arguments"), [case for case in CASES if case[0] is not SPS], ids=str
)
def test_a_parameter_without_gradient_is_in_no_sum(cls, arguments):
    model, alone = Model(), Model()
    frozen = nn.Parameter(torch.ones(7, dtype=torch.float64))
    middle = list(model.parameters())
    optimizer = cls([*middle[:2], frozen, *middle[2:]], **arguments)
    reference = cls(alone.parameters(), **arguments)
    assert train(model, optimizer, range(6)) == train(alone, reference, range(6))
    assert torch.equal(model.w, alone.w)
    assert torch.equal(frozen, torch.ones_like(frozen))


def test_state_waits_for_a_parameter_whose_gradient_comes_back():
    a, b = (nn.Parameter(torch.zeros(3)) for _ in range(2))
    optimizer = CLARA([a, b], lr=1.0, damping=0.0, base="adam", betas=(0.5, 0.5))
    paths = []
    for with_b in (True, False, True):
        a.grad = torch.tensor([1.0, 0.0, 0.0])
        b.grad = torch.tensor([0.0, 1.0, 0.0]) if with_b else None
        before = b.detach().clone()
        optimizer.step()
        paths.append(optimizer.state_dict()["state"][1]["path"])
        assert torch.equal(b, before) != with_b
    # 0.2 of a unit step in each of b's two steps, the first decayed once.
    assert paths[0].tolist() == pytest.approx([0, 0.2, 0])
    assert torch.equal(paths[1], paths[0])
    assert paths[2].tolist() == pytest.approx([0, 0.36, 0])


def test_the_rate_is_kept_when_a_parameter_joins():
    a, b = (nn.Parameter(torch.zeros(3)) for _ in range(2))
    optimizer = CLARA([a, b], damping=0.5)
    for _ in range(4):
        a.grad = torch.ones(3)
        optimizer.step()
    (before,) = optimizer.observe()
    b.grad = torch.ones(3)
    optimizer.step()
    (after,) = optimizer.observe()
    # Two paths: the old one of length 1 - 0.8^5, and 0.2; mu is 1 / 9.
    r = ((1 - 0.8**5) ** 2 + 0.04) / 2 * 9
    assert after["r"].item() == pytest.approx(r, rel=1e-6)
    grown = before["lr"].item() * torch.tensor(0.5 * (r - 1)).exp().item()
    assert after["lr"].item() == pytest.approx(grown, rel=1e-6)


def test_low_precision_parameters_have_a_master():
    p = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    optimizer = CLARA([p], lr=1e-3, damping=0.0)
    home = p.data_ptr()
    for _ in range(100):
        p.grad = torch.ones_like(p)
        optimizer.step()
    # One step of 1e-3 is less than half of what tells bfloat16 numbers apart at 1.
    assert p.tolist() == pytest.approx([0.9] * 3, abs=2e-3)
    assert p.dtype == torch.bfloat16
    assert p.data_ptr() == home


def test_a_master_takes_over_what_is_written_to_its_parameter():
    p = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    optimizer = CLARA([p], lr=1e-3, damping=0.0)
    p.grad = torch.ones_like(p)
    optimizer.step()
    with torch.no_grad():
        p[0] = 5.0
    optimizer.step()
    master = optimizer.state_dict()["state"][0]["master"]
    assert master.tolist() == pytest.approx([4.999, 0.998], abs=1e-6)


def test_mixed_precision_in_a_group():
    parameters = [
        nn.Parameter(torch.ones(2, dtype=dtype))
        for dtype in (torch.float16, torch.float32, torch.bfloat16)
    ]
    optimizer = DoWG(parameters)
    for p in parameters:
        p.grad = torch.ones_like(p)
    optimizer.step()
    values = [p.float().tolist() for p in parameters]
    assert values[0] == pytest.approx(values[1], abs=1e-3)
    assert values[2] == pytest.approx(values[1], abs=1e-2)


def test_parameters_keep_shape_strides_and_identity():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(2, 5))
    layers = layers.to(memory_format=torch.channels_last)
    layers[1].weight = nn.Parameter(torch.randn(2, 5).t())
    params = list(layers.parameters())
    shapes = [(p.shape, p.stride()) for p in params]
    twins = copy.deepcopy(params)
    optimizer = CLARA(params, lr=0.1)
    reference = torch.optim.SGD(twins, lr=0.1)
    for p, twin in zip(params, twins, strict=True):
        p.grad = torch.randn(p.shape)
        twin.grad = p.grad.clone()
    optimizer.step()
    reference.step()
    for p, twin in zip(params, twins, strict=True):
        torch.testing.assert_close(p, twin)
    assert [(p.shape, p.stride()) for p in params] == shapes
    assert all(p is q for p, q in zip(layers.parameters(), params, strict=True))


def test_weights_may_be_written_or_replaced_between_steps():
    model, twin = Model(), Model()
    optimizer, others = (CLARA(m.parameters(), lr=0.1) for m in (model, twin))
    for step in range(6):
        train(model, optimizer, [step])
        train(twin, others, [step])
        if step == 2:
            model.load_state_dict(Model().state_dict())
            for p, q in zip(twin.parameters(), Model().parameters(), strict=True):
                p.data = q.data.clone()
    assert torch.equal(model.w, twin.w)


def test_a_graph_from_before_the_step_is_refused_after_it():
    p = nn.Parameter(torch.ones(3))
    optimizer = CLARA([p])
    for _ in range(2):
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward(retain_graph=True)
        optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_settings_may_be_changed_between_steps():
    ours, theirs = Model(), Model()
    optimizer = TLR(ours.parameters(), lr=0.01, momentum=0.5, gamma=0.0)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.5)
    for step in range(8):
        momentum, decay = 0.5 + step / 20, 0.01 * step
        for o in (optimizer, reference):
            o.param_groups[0].update(momentum=momentum, weight_decay=decay)
            train(ours if o is optimizer else theirs, o, [step])
        torch.testing.assert_close(ours.w, theirs.w, rtol=1e-12, atol=1e-12)


def test_a_changed_damping_counts_from_the_next_step():
    p = nn.Parameter(torch.ones(3))
    optimizer = CLARA([p], damping=0.0)
    for damping in (0.0, 0.1):
        optimizer.param_groups[0]["damping"] = damping
        p.grad = torch.ones(3)
        optimizer.step()
        moved = float(optimizer.param_groups[0]["lr"]) != pytest.approx(1e-3, rel=1e-6)
        assert moved == (damping > 0)


def test_state_dicts_of_other_shapes_are_refused():
    optimizer = CLARA([nn.Parameter(torch.ones(2))])
    other = CLARA([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))])
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict(other.state_dict())


def test_named_parameters_and_hooks_work_as_with_other_optimizers():
    model = Model()
    optimizer = CLARA(model.named_parameters())
    steps = []
    optimizer.register_step_post_hook(lambda *_: steps.append(None))
    optimizer.step(closure_of(model, optimizer, 0))
    assert len(steps) == 1
    assert optimizer.state_dict()["param_groups"][0]["param_names"][0] == "tensors.0"
