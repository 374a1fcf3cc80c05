"""Checks that every workload passes, one of your own too.

In a test file of your own::

    @pytest.mark.parametrize("check", WORKLOAD_CHECKS, ids=lambda check: check.__name__)
    def test_my_workload_keeps_the_contract(check):
        check(MyWorkload(), MyWorkload().dataset())
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from hpo_vs_adapt.workloads.base import Dataset, Workload
from hpo_vs_adapt.workloads.checks import check_model, check_workload

__all__ = ["WORKLOAD_CHECKS", "WorkloadCheck"]

WorkloadCheck: TypeAlias = Callable[[Workload, Dataset], None]

BATCH = 8
LANES = 3


def check_the_class_is_complete(workload: Workload, dataset: Dataset) -> None:
    """The class attributes are what a study needs."""
    check_workload(type(workload))


def check_every_parameter_is_trained(workload: Workload, dataset: Dataset) -> None:
    """The model has no frozen parameters."""
    check_model(workload)


def check_the_splits_are_disjoint(workload: Workload, dataset: Dataset) -> None:
    """No sample is used twice, and every index is a sample."""
    parts = (dataset.train, dataset.validation, dataset.test)
    used = np.concatenate(parts)
    assert all(len(part) > 0 for part in parts), "A split is empty."
    assert len(np.unique(used)) == len(used), "A sample is in two splits."
    assert used.min() >= 0, "An index is negative."
    assert used.max() < len(dataset.y), "An index is beyond the samples."


def check_a_step_fits_into_an_epoch(workload: Workload, dataset: Dataset) -> None:
    """The training samples fill at least one batch."""
    assert len(dataset.train) >= workload.batch_size, "Less than one batch to train on."


def check_the_samples_are_clean(workload: Workload, dataset: Dataset) -> None:
    """Inputs are finite float32, one for each target."""
    assert len(dataset.x) == len(dataset.y), "Inputs and targets differ in number."
    assert dataset.x.dtype == np.float32, f"Inputs are {dataset.x.dtype}."
    assert np.isfinite(dataset.x).all(), "An input is NaN or infinite."
    assert dataset.y.dtype in (np.int64, np.float32), f"Targets are {dataset.y.dtype}."


def check_the_data_stay_the_same(workload: Workload, dataset: Dataset) -> None:
    """A second call, and a new object, give the same data for every seed."""
    again = type(workload)().dataset(seed=1)
    assert again.version == dataset.version, "Two calls gave different data."
    assert np.array_equal(again.x, dataset.x), "The version hides a difference."


def check_the_paper_split_depends_on_the_seed_as_said(
    workload: Workload, dataset: Dataset
) -> None:
    """`splits_by_seed` tells whether the source's protocol splits anew for a seed."""
    first, second = (workload.dataset(split="paper", seed=seed) for seed in (0, 1))
    differ = first.version != second.version
    assert differ == workload.splits_by_seed("paper"), "`splits_by_seed` is wrong."
    assert not np.isin(first.train, first.test).any(), "A sample is in two splits."


def check_equal_seeds_give_equal_weights(workload: Workload, dataset: Dataset) -> None:
    """The initial weights follow torch's generator alone, or nothing if so declared."""
    one, same, other = (_vector(_model(workload, seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same), "Equal seeds gave different weights."
    if workload.random_start:
        assert not torch.equal(one, other), "The weights do not depend on the seed."
    else:
        assert torch.equal(one, other), "`random_start` is wrong."


def check_the_loss_can_be_trained(workload: Workload, dataset: Dataset) -> None:
    """At the start the loss is a finite scalar, and so is its gradient."""
    model = _model(workload, 0)
    x, y = _batch(dataset)
    loss = workload.loss(model(x), y)
    assert loss.shape == (), f"The loss has shape {tuple(loss.shape)}."
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert torch.isfinite(loss), "The loss is not finite."
    assert all(g.isfinite().all() for g in gradients), "A gradient is not finite."
    assert any(g.any() for g in gradients), "All gradients are zero."


def check_the_score_is_in_range(workload: Workload, dataset: Dataset) -> None:
    """The metric of the validation samples is a scalar that its range allows."""
    model = _model(workload, 0).eval()
    x = torch.from_numpy(dataset.x[dataset.validation])
    with torch.no_grad():
        score = workload.score(
            model(x), torch.from_numpy(dataset.y[dataset.validation])
        )
    assert score.shape == (), f"The score has shape {tuple(score.shape)}."
    low, high = workload.metric.low, workload.metric.high
    assert torch.isfinite(score), "The score is not finite."
    assert low is None or score.item() >= low, f"The score {score.item()} is too low."
    assert high is None or score.item() <= high, (
        f"The score {score.item()} is too high."
    )


def check_randomness_is_declared(workload: Workload, dataset: Dataset) -> None:
    """`random_training` tells whether the forward pass draws random numbers."""
    x, _ = _batch(dataset)
    model = _model(workload, 0).train()
    outputs = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            outputs.append(copy.deepcopy(model)(x))
    assert torch.equal(outputs[0], outputs[1]), "Equal seeds gave different outputs."
    differ = not torch.equal(outputs[0], outputs[2])
    assert differ == workload.random_training, "`random_training` is wrong."


def check_lanes_agree_with_single_models(workload: Workload, dataset: Dataset) -> None:
    """Vectorised gradients are those of each lane alone, in float64, dropout off."""
    if not workload.vectorise:
        return
    x, y = _batch(dataset)
    x = x.double()
    models = [
        _without_dropout(_model(workload, lane)).double() for lane in range(LANES)
    ]
    weights, buffers = stack_module_state(models)
    shell = copy.deepcopy(models[0])

    def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return workload.loss(functional_call(shell, (weights, buffers), (x,)), y)

    found, losses = vmap(grad_and_value(loss))(weights, buffers)
    for lane, model in enumerate(models):
        alone = workload.loss(model(x), y)
        torch.testing.assert_close(losses[lane], alone, rtol=1e-9, atol=1e-9)
        gradients = torch.autograd.grad(alone, list(model.parameters()))
        for (name, _), g in zip(model.named_parameters(), gradients, strict=True):
            torch.testing.assert_close(found[name][lane], g, rtol=1e-9, atol=1e-9)


WORKLOAD_CHECKS: tuple[WorkloadCheck, ...] = (
    check_the_class_is_complete,
    check_every_parameter_is_trained,
    check_the_splits_are_disjoint,
    check_a_step_fits_into_an_epoch,
    check_the_samples_are_clean,
    check_the_data_stay_the_same,
    check_the_paper_split_depends_on_the_seed_as_said,
    check_equal_seeds_give_equal_weights,
    check_the_loss_can_be_trained,
    check_the_score_is_in_range,
    check_randomness_is_declared,
    check_lanes_agree_with_single_models,
)
"""Every one is called with a workload and its data set (``dataset()``)."""


def _model(workload: Workload, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return workload.model()


def _vector(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def _batch(dataset: Dataset) -> tuple[Tensor, Tensor]:
    rows = dataset.train[:BATCH]
    return torch.from_numpy(dataset.x[rows]), torch.from_numpy(dataset.y[rows])


def _without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
    return model
