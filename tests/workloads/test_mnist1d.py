import random

import numpy as np
import pytest
from mnist1d.data import get_dataset_args, make_dataset

from hpo_vs_adapt.workloads import WORKLOADS
from hpo_vs_adapt.workloads.mnist1d import _signals


@pytest.mark.slow
def test_the_signals_are_the_standard_ones_and_global_generators_stay_as_they_are():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    _signals.cache_clear()
    arrays = WORKLOADS["mnist1d_mlp"]().load(None)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    source = make_dataset(get_dataset_args())
    rest = np.setdiff1d(np.arange(5000), arrays.test)
    np.testing.assert_array_equal(arrays.x[rest], source["x"].astype(np.float32))
    np.testing.assert_array_equal(arrays.x[arrays.test], source["x_test"].astype("f4"))
    np.testing.assert_array_equal(arrays.y[arrays.test], source["y_test"])


def test_both_networks_share_the_signals_and_cannot_change_them():
    one, other = (WORKLOADS[n]().load(None) for n in ("mnist1d_mlp", "mnist1d_cnn"))
    assert one.x is other.x
    with pytest.raises(ValueError, match="read-only"):
        one.x[0] = 0


def test_a_signal_keeps_its_shape():
    workload = WORKLOADS["mnist1d_mlp"]()
    raw, data = workload.load(None).x, workload.dataset()
    ratio = np.diff(data.x, axis=1) / np.diff(raw, axis=1)
    np.testing.assert_allclose(np.median(ratio), 1 / raw[data.train].std(), rtol=1e-4)
    np.testing.assert_allclose(np.quantile(ratio, [0.01, 0.99]), ratio[0, 0], rtol=1e-3)


def test_the_papers_protocol_takes_the_signals_as_made_for_every_seed():
    workload = WORKLOADS["mnist1d_cnn"]()
    data = workload.dataset(split="paper", seed=1)
    np.testing.assert_array_equal(data.x, workload.load(None).x)
    np.testing.assert_array_equal(data.train, np.arange(4000))
    np.testing.assert_array_equal(data.test, np.arange(4000, 5000))
    assert not workload.splits_by_seed("paper")
