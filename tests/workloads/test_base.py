import numpy as np
import pytest
import torch
from torch import nn
from typing_extensions import override

from hpo_vs_adapt.workloads import (
    WORKLOADS,
    Arrays,
    DataError,
    Metric,
    Workload,
    check_workload,
    standardise,
)
from hpo_vs_adapt.workloads.checks import ModelProblem, check_model


class Points(Workload):
    """Points and their side of an axis."""

    target = 0.9
    epochs = 5

    def arrays(self):
        points = np.random.default_rng(1).normal(3, 2, size=(100, 3))
        return Arrays(points, (points[:, 0] > 3).astype(np.int16))

    @override
    def load(self, data):
        return self.arrays()

    @override
    def model(self):
        return nn.Linear(3, 2)


SIZES = {
    "breast_cancer_logreg": (341, 114, 114, 455),
    "digits_logreg": (1150, 288, 359, 1438),
    "digits_mlp": (1150, 288, 359, 1438),
    "iris_logreg": (90, 30, 30, 120),
    "mnist1d_cnn": (3200, 800, 1000, 4000),
    "mnist1d_mlp": (3200, 800, 1000, 4000),
    "wine_logreg": (106, 36, 36, 142),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_splits_have_the_sizes_that_the_docstrings_state(name):
    workload = WORKLOADS[name]()
    data = workload.dataset()
    paper = workload.dataset(split="paper")
    sizes = (len(data.train), len(data.validation), len(data.test), len(paper.train))
    assert sizes == SIZES[name]
    for size in sizes[:3]:
        assert str(size) in type(workload).__doc__
    steps = sizes[0] // workload.batch_size
    budget = f"{workload.epochs} epochs of {steps} steps"
    assert budget in " ".join(type(workload).__doc__.split())


@pytest.mark.parametrize("name", ["digits_mlp", "iris_logreg", "wine_logreg"])
def test_every_feature_is_standardised_by_the_training_samples_alone(name):
    data = WORKLOADS[name]().dataset()
    train = data.x[data.train].astype(np.float64)
    constant = train.std(0) == 0
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0)[~constant], 1, atol=1e-5)
    assert not np.allclose(data.x[data.test].mean(0), 0, atol=1e-3)


def test_the_papers_protocol_has_raw_features_and_splits_by_seed():
    workload = WORKLOADS["wine_logreg"]()
    source = workload.load(None).x
    one, same, other = (workload.dataset(split="paper", seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(one.x, source.astype(np.float32))
    assert one.version == same.version != other.version
    assert len(one.train) + len(one.test) == len(one.x)
    np.testing.assert_array_equal(one.validation, one.test)
    assert workload.splits_by_seed("paper")
    assert not workload.splits_by_seed("default")


def test_the_sources_own_test_samples_are_kept_for_the_test():
    class WithTest(Points):
        @override
        def load(self, data):
            arrays = self.arrays()
            return Arrays(arrays.x, arrays.y, np.arange(10, 30))

    for split in ("default", "paper"):
        data = WithTest().dataset(split=split)
        np.testing.assert_array_equal(data.test, np.arange(10, 30))
        assert not np.isin(data.train, data.test).any()
    assert len(WithTest().dataset(split="paper").train) == 80


def test_features_standardised_together_keep_their_differences():
    x = np.array([[0, 10], [0, 30], [99, 99]])
    # Over the training rows 0 and 1: mean 10, variance (100 + 0 + 100 + 400) / 4 = 150.
    found = standardise(x, np.array([0, 1]), per_feature=False)
    np.testing.assert_allclose(found, (x - 10) / np.sqrt(150), rtol=1e-6)


def test_a_constant_feature_is_only_shifted():
    x = np.array([[7.3, 1], [7.3, 3], [8.3, 5]])
    found = standardise(x, np.array([0, 1]))
    # The second feature has mean 2 and standard deviation 1.
    np.testing.assert_allclose(found, [[0, -1], [0, 1], [1, 3]], atol=1e-6)
    assert found.dtype == np.float32


def test_an_accuracy_of_exactly_the_target_meets_it():
    outputs = torch.zeros(100, 2)
    outputs[:, 0] = 1
    for wrong in range(100):
        y = (torch.arange(100) < wrong).to(torch.int64)
        assert Points().score(outputs, y).item() == (100 - wrong) / 100


def test_class_numbers_become_int64_and_other_targets_float32():
    class Values(Points):
        @override
        def load(self, data):
            arrays = self.arrays()
            return Arrays(arrays.x, arrays.x[:, :1])

    assert Points().dataset().y.dtype == np.int64
    assert Values().dataset().y.dtype == np.float32


def test_the_version_follows_the_samples():
    class Moved(Points):
        @override
        def load(self, data):
            arrays = self.arrays()
            arrays.x[3, 1] += 1
            return arrays

    assert Points().dataset().version == Points().dataset().version
    assert Points().dataset().version != Moved().dataset().version


def test_an_unknown_split_is_refused():
    with pytest.raises(
        ValueError, match="`split` must be 'default' or 'paper'; got 'x"
    ):
        Points().dataset(split="x")


def test_targets_that_do_not_match_the_inputs_are_refused():
    class Short(Points):
        @override
        def load(self, data):
            arrays = self.arrays()
            return Arrays(arrays.x, arrays.y[:-1])

    with pytest.raises(DataError, match="99 targets and 100 inputs"):
        Short().dataset()


def test_a_set_too_small_to_be_split_is_refused():
    class Tiny(Points):
        @override
        def load(self, data):
            arrays = self.arrays()
            return Arrays(arrays.x[:2], arrays.y[:2])

    with pytest.raises(DataError, match="Tiny has no validation samples: 2 in all"):
        Tiny().dataset()


class NoTarget(Workload):
    epochs = 3

    @override
    def load(self, data):
        raise NotImplementedError

    @override
    def model(self):
        raise NotImplementedError


class Nothing(Workload):
    pass


def variant(**attributes):
    return type("Variant", (Points,), attributes)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Points(), "must be a subclass of hpo_vs_adapt.workloads.Workload; got <"),
        (nn.Linear, "must be a subclass of hpo_vs_adapt.workloads.Workload"),
        (Nothing, "Nothing must define `load` and `model`"),
        (NoTarget, "NoTarget must set `target`: a workload has"),
        (variant(target=1.5), "`target` of Variant .* accuracy, 0 to 1; got 1.5"),
        (variant(target=float("nan")), "`target` of Variant .*; got nan"),
        (variant(target="high"), "`target` of Variant .*; got 'high'"),
        (variant(epochs=0), "`epochs` of Variant must be a positive number; got 0"),
        (variant(epochs=None), "`epochs` of Variant must be a positive .* got None"),
        (variant(batch_size=0), "`batch_size` of Variant .* integer; got 0"),
        (variant(batch_size=6.4), "`batch_size` of Variant .* integer; got 6.4"),
        (variant(validation_size=0), "`validation_size` of Variant .*; got 0"),
        (variant(test_size=1.5), "`test_size` of Variant must be a share.*; got 1.5"),
        (variant(metric="accuracy"), "`metric` of Variant must be a Metric"),
        (variant(metric=Metric("f1", "up")), "`metric.mode` .*; got 'up'"),
        (variant(vectorise=0), "`vectorise` of Variant must be True or False; got 0"),
    ],
)
def test_a_class_that_is_no_workload_is_refused_with_a_sentence(cls, message):
    with pytest.raises(ValueError, match=message):
        check_workload(cls)


def test_a_loss_as_metric_has_no_upper_bound():
    loss = Metric("loss", "min", 0.0)
    assert check_workload(variant(metric=loss, target=40.0)).target == 40
    with pytest.raises(ValueError, match="range of loss, 0 to inf; got -1"):
        check_workload(variant(metric=loss, target=-1))


class Normed(Points):
    """Layers on their own, in a block, and buffers; `frozen` says what is frozen."""

    frozen = ()

    @override
    def model(self):
        block = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        model = nn.Sequential(nn.Linear(3, 4), block, nn.Linear(4, 2))
        for name in self.frozen:
            model.get_submodule(name).requires_grad_(False)
        return model


@pytest.mark.parametrize(
    ("frozen", "named"),
    [
        (("1.1",), "for `1.1.weight`, `1.1.bias`. Keep"),
        (("0", "2"), "for `0.weight`, `0.bias`, `2.weight` and 1 more. Keep"),
        (("1",), "for `1.0.weight`, `1.0.bias`, `1.1.weight` and 1 more. Keep"),
    ],
)
def test_a_model_with_frozen_parameters_is_refused_by_their_names(frozen, named):
    with pytest.raises(ModelProblem, match=r"^The model of Normed must not") as caught:
        check_model(type("Normed", (Normed,), {"frozen": frozen})())
    assert named in str(caught.value)


def test_a_model_with_buffers_is_taken_and_no_random_number_is_used_up():
    before = torch.get_rng_state()
    model = check_model(Normed())
    assert dict(model.named_buffers())
    assert torch.equal(torch.get_rng_state(), before)
