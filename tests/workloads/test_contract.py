import functools

import numpy as np
import pytest
import torch
from torch import nn
from typing_extensions import override

from hpo_vs_adapt.workloads import WORKLOADS, Arrays, Dataset, Workload
from hpo_vs_adapt.workloads.checks import ModelProblem
from hpo_vs_adapt.workloads.testing import (
    WORKLOAD_CHECKS,
    check_a_step_fits_into_an_epoch,
    check_equal_seeds_give_equal_weights,
    check_every_parameter_is_trained,
    check_lanes_agree_with_single_models,
    check_randomness_is_declared,
    check_the_data_stay_the_same,
    check_the_loss_can_be_trained,
    check_the_paper_split_depends_on_the_seed_as_said,
    check_the_samples_are_clean,
    check_the_score_is_in_range,
    check_the_splits_are_disjoint,
)

LARGE = ("fashion_mnist_cnn", "fashion_mnist_mlp")
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in LARGE else ())
    for name in WORKLOADS
]


@functools.lru_cache(maxsize=1)
def dataset_of(name: str) -> Dataset:
    return WORKLOADS[name]().dataset()


@pytest.mark.parametrize("check", WORKLOAD_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)  # below: all checks of one name in a row
def test_every_workload_keeps_the_contract(name, check):
    check(WORKLOADS[name](), dataset_of(name))


class Circle(Workload):
    """Whether a point is within a circle: a workload of a user's own."""

    target = 0.9
    epochs = 10
    batch_size = 32

    @override
    def load(self, data):
        points = np.random.default_rng(0).normal(size=(300, 2))
        return Arrays(points, (np.linalg.norm(points, axis=1) < 1).astype(np.int32))

    @override
    def model(self):
        return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))


@pytest.mark.parametrize("check", WORKLOAD_CHECKS, ids=lambda check: check.__name__)
def test_a_workload_of_ones_own_keeps_the_contract(check):
    check(Circle(), Circle().dataset())


class Restless(Circle):
    """Other data at every call."""

    @override
    def load(self, data):
        points = np.random.default_rng().normal(size=(300, 2))
        return Arrays(points, (points[:, 0] > 0).astype(np.int64))


class Seeded(Circle):
    """Says that all seeds share the paper's split, which they do not."""

    @override
    def splits_by_seed(self, split):
        return False


class Dirty(Circle):
    """An input is NaN."""

    @override
    def prepare(self, x, train):
        prepared = super().prepare(x, train)
        prepared[0, 0] = np.nan
        return prepared


class Greedy(Circle):
    """Batches larger than the training set."""

    batch_size = 1000


class Fixed(Circle):
    """Initial weights that no seed changes."""

    @override
    def model(self):
        model = super().model()
        for weights in model.parameters():
            nn.init.constant_(weights, 0.1)
        return model


class PerSample(Circle):
    """A loss for every sample."""

    @override
    def loss(self, outputs, y):
        return nn.functional.cross_entropy(outputs, y, reduction="none")


class Percent(Circle):
    """A score beyond its metric's range."""

    @override
    def score(self, outputs, y):
        return 1 + super().score(outputs, y)


class Secretive(Circle):
    """Dropout that is not declared."""

    @override
    def model(self):
        return nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.5), nn.Linear(16, 2))


class Branching(nn.Module):
    """Looks at the value of a weight, which a vectorised run cannot."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 2))

    def forward(self, x):
        return x @ self.weight if self.weight.sum().item() > 0 else -x @ self.weight


class Unvectorised(Circle):
    """Cannot be vectorised, and does not say so."""

    @override
    def model(self):
        return Branching()


@pytest.mark.parametrize(
    ("workload", "check"),
    [
        (Restless, check_the_data_stay_the_same),
        (Seeded, check_the_paper_split_depends_on_the_seed_as_said),
        (Dirty, check_the_samples_are_clean),
        (Greedy, check_a_step_fits_into_an_epoch),
        (Fixed, check_equal_seeds_give_equal_weights),
        (PerSample, check_the_loss_can_be_trained),
        (Percent, check_the_score_is_in_range),
        (Secretive, check_randomness_is_declared),
    ],
)
def test_the_contract_finds_what_is_wrong(workload, check):
    with pytest.raises(AssertionError):
        check(workload(), workload().dataset())


def test_the_contract_finds_a_model_that_cannot_be_vectorised():
    with pytest.raises(RuntimeError, match="item"):
        check_lanes_agree_with_single_models(Unvectorised(), Circle().dataset())


class Frozen(Circle):
    """A first layer that is not to be trained."""

    @override
    def model(self):
        model = super().model()
        model[0].requires_grad_(False)
        return model


def test_the_contract_finds_frozen_parameters():
    with pytest.raises(ModelProblem, match=r"`0\.weight`, `0\.bias`"):
        check_every_parameter_is_trained(Frozen(), Circle().dataset())


def test_the_contract_finds_a_sample_in_two_splits():
    data = Circle().dataset()
    shared = Dataset(data.x, data.y, data.train, data.validation, data.train[:9], "")
    with pytest.raises(AssertionError, match="two splits"):
        check_the_splits_are_disjoint(Circle(), shared)
