import collections

import numpy as np
import pytest

from hpo_vs_adapt.metrics.tuners.executions import resampled_orders

STREAMS = np.array([7, 7, 3, 3, 3, 9])


def executions(by, stream=STREAMS, samples=6000):
    orders, drawn = resampled_orders(by, stream, samples, np.random.default_rng(0))
    assert drawn.shape == (samples,)
    rows = (tuple(place for place in row if place >= 0) for row in orders[drawn])
    return collections.Counter(rows)


@pytest.mark.parametrize("by", ["optuna", "portfolio"])
def test_streams_are_drawn_whole_and_in_their_order(by):
    found = executions(by)
    assert set(found) == {(0, 1), (2, 3, 4), (5,)}
    assert min(found.values()) > 1850


def test_a_grid_takes_a_stream_in_any_order_and_no_trial_twice():
    found = executions("grid")
    threes = {order: count for order, count in found.items() if len(order) == 3}
    assert len(threes) == 6
    assert all(sorted(order) == [2, 3, 4] for order in threes)
    assert min(threes.values()) > 270
    assert set(found) - set(threes) == {(0, 1), (1, 0), (5,)}


def test_random_search_draws_as_many_as_a_stream_has_from_all_of_them():
    found = executions("random")
    assert {len(order) for order in found} == {2}
    assert len(found) == 36
    assert min(found.values()) > 110
    uneven = executions("random", STREAMS[:5])
    assert {len(order) for order in uneven} == {3}


def test_arms_without_tuning_draw_as_many_seeds_as_they_have():
    found = executions("single", np.full(3, -1))
    assert len(found) == 27
    assert {len(order) for order in found} == {3}
    assert min(found.values()) > 160


def test_any_other_way_to_tune_is_refused():
    with pytest.raises(ValueError, match=r"`by` must be .* got 'asha'"):
        executions("asha")
