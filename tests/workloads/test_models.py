import pytest
import torch
from torch import nn

from hpo_vs_adapt.workloads import WORKLOADS


def layers(name, kinds):
    return [m for m in WORKLOADS[name]().model().modules() if isinstance(m, kinds)]


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("digits_mlp", [(64, 64), (64, 10)]),
        ("digits_logreg", [(64, 10)]),
        ("breast_cancer_logreg", [(30, 2)]),
        ("iris_logreg", [(4, 3)]),
        ("wine_logreg", [(13, 3)]),
        ("mnist1d_mlp", [(40, 100), (100, 100), (100, 10)]),
        ("fashion_mnist_mlp", [(784, 256), (256, 128), (128, 10)]),
    ],
)
def test_a_dense_network_has_its_layers_with_relu_between(name, shapes):
    found = [(m.in_features, m.out_features) for m in layers(name, nn.Linear)]
    assert found == shapes
    assert len(layers(name, nn.ReLU)) == len(shapes) - 1


def test_the_signal_network_has_no_one_dimensional_convolution():
    kernels = [m.kernel_size for m in layers("mnist1d_cnn", nn.Conv2d)]
    assert kernels == [(1, 5)] * 3
    assert not layers("mnist1d_cnn", nn.Conv1d)
    assert WORKLOADS["mnist1d_cnn"]().model()(torch.zeros(2, 40)).shape == (2, 10)


def test_the_image_network_has_two_convolutions_batchnorm_and_dropout():
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.Linear)
    block = ["Conv2d", "BatchNorm2d", "ReLU"]
    found = [type(m).__name__ for m in layers("fashion_mnist_cnn", kinds)]
    assert found == [*block, *block, "Dropout", "Linear"]
    assert [m.out_channels for m in layers("fashion_mnist_cnn", nn.Conv2d)] == [16, 32]
    assert [m.p for m in layers("fashion_mnist_cnn", nn.Dropout)] == [0.25]
    assert WORKLOADS["fashion_mnist_cnn"].random_training


def test_batchnorm_learns_its_statistics_in_training_and_only_there():
    torch.manual_seed(0)
    model = WORKLOADS["fashion_mnist_cnn"]().model()
    images = torch.randn(32, 28, 28)
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    model.eval()(images)
    assert norm.num_batches_tracked == 0
    assert torch.equal(norm.running_mean, torch.zeros(16))
    model.train()(images)
    assert norm.num_batches_tracked == 1
    before = nn.Sequential(*list(model)[:2])(images)
    # BatchNorm moves its running mean by a tenth of the way to the batch's mean.
    expected = 0.1 * before.mean((0, 2, 3))
    torch.testing.assert_close(norm.running_mean, expected.detach())


def test_dropout_acts_in_training_and_not_in_evaluation():
    torch.manual_seed(0)
    model = WORKLOADS["fashion_mnist_cnn"]().model()
    images = torch.randn(4, 28, 28)
    assert not torch.equal(model.train()(images), model(images))
    assert torch.equal(model.eval()(images), model(images))
