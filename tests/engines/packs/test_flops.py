import pytest
import torch
from torch import nn

from hpo_vs_adapt.engines.packs.flops import FlopProblem, count_flops
from hpo_vs_adapt.workloads import WORKLOADS
from hpo_vs_adapt.workloads.base import Workload
from tests.packs import dataset


class _Sequences(Workload):
    """Sequences of 5 vectors of 8 numbers, two classes."""

    target, epochs = 0.9, 1

    def load(self, data):
        raise AssertionError("no data are needed to count")


class _Recurrent(_Sequences):
    def model(self):
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(8, 4, batch_first=True)
                self.head = nn.Linear(4, 2)

            def forward(self, x):
                return self.head(self.lstm(x)[0][:, -1])

        return Model()


class _Attentive(_Sequences):
    def model(self):
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
                self.head = nn.Linear(8, 2)

            def forward(self, x):
                return self.head(self.attention(x, x, x)[0].mean(1))

        return Model()


class _Nothing(_Sequences):
    def model(self):
        return nn.Sequential(nn.Flatten(), nn.LayerNorm(40))


def _batch(name, size):
    data = dataset(name)
    rows = data.train[:size]
    return torch.tensor(data.x[rows]), torch.tensor(data.y[rows])


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_linear_model_costs_two_flops_a_weight_and_sample(size):
    count = count_flops(WORKLOADS["digits_logreg"](), *_batch("digits_logreg", size))
    assert count.forward == 2 * 64 * 10
    # Backward: the gradient of the weights alone, for the inputs need none.
    assert count.total == 2 * count.forward


def test_a_hidden_layer_adds_the_gradient_of_its_outputs():
    count = count_flops(WORKLOADS["digits_mlp"](), *_batch("digits_mlp", 16))
    first, second = 2 * 64 * 64, 2 * 64 * 10
    assert count.forward == first + second
    assert count.total == 2 * first + 3 * second
    assert count.forward_share == count.forward / count.total


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_can_be_counted_and_backward_costs_more_than_nothing(name):
    count = count_flops(WORKLOADS[name](), *_batch(name, 4))
    assert 0 < count.forward < count.total <= 3 * count.forward + 1


def test_a_recurrent_module_that_the_counter_passes_over_is_an_error():
    with pytest.raises(FlopProblem, match=r"module `lstm` \(LSTM\) must be countable"):
        count_flops(_Recurrent(), torch.randn(3, 5, 8), torch.tensor([0, 1, 0]))


def test_attention_is_counted_as_one_module():
    batch = torch.randn(3, 5, 8), torch.tensor([0, 1, 0])
    projections = 2 * 5 * 8 * 8 * 4  # of queries, keys, values and outputs
    assert count_flops(_Attentive(), *batch).forward >= projections


def test_a_model_without_any_product_is_an_error():
    with pytest.raises(FlopProblem, match="must do some matrix products"):
        count_flops(_Nothing(), torch.randn(3, 5, 8), torch.tensor([0, 1, 0]))


def test_counting_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    count_flops(WORKLOADS["digits_mlp"](), *_batch("digits_mlp", 4))
    assert torch.equal(torch.get_rng_state(), before)
