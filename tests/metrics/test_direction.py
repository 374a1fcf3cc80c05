"""Which way is better, said once: as a workload's metric says it, NaN never good."""

import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.basics.direction import MODES, Direction, metric_signs
from hpo_vs_adapt.workloads.base import Metric

SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 0.5, np.nextafter(0.5, 1), 5e-324]


@pytest.mark.parametrize("mode", MODES)
def test_a_value_meets_a_target_just_where_the_metric_of_a_workload_says_so(mode):
    metric, direction = Metric("m", mode), Direction(mode)
    for target in SPECIAL:
        said = [metric.meets(value, target) for value in SPECIAL]
        assert [direction.meets(value, target) for value in SPECIAL] == said
        assert direction.meets(np.array(SPECIAL), target).tolist() == said


def test_the_best_and_the_worst_are_of_the_numbers_and_nan_of_none():
    values = [0.3, math.nan, 0.1, 0.2]
    for mode, best, worst in (("max", 0.3, 0.1), ("min", 0.1, 0.3)):
        direction = Direction(mode)
        assert (direction.best(values), direction.worst(values)) == (best, worst)
        assert direction.best_at(values) == values.index(best)
        for none in ([], [math.nan]):
            assert math.isnan(direction.best(none))
            assert math.isnan(direction.worst(none))
            assert direction.best_at(none) is None


def test_the_first_of_equally_good_values_is_the_best():
    assert Direction("max").best_at([0.1, 0.9, 0.9]) == 1
    assert Direction("min").best_at([0.9, 0.1, 0.1]) == 1


def test_the_running_best_keeps_what_it_has_through_nan():
    values = [math.nan, 0.2, math.nan, 0.1, 0.3]
    up = Direction("max").running_best(values)
    assert up.tolist()[1:] == [0.2, 0.2, 0.2, 0.3]
    down = Direction("min").running_best(values)
    assert down.tolist()[1:] == [0.2, 0.2, 0.1, 0.1]
    assert math.isnan(up[0])
    assert math.isnan(down[0])


def test_signs_turn_low_metrics_and_leave_those_that_nobody_named():
    workloads = pd.Series(["a", "b", "c", "b"], index=[3, 1, 2, 0])
    signs = metric_signs(workloads, {"a": "max", "b": "min"})
    assert signs.to_dict() == {3: 1.0, 1: -1.0, 2: 1.0, 0: -1.0}


def test_a_mode_is_one_of_two_words():
    with pytest.raises(ValueError, match="`mode` must be 'max' or 'min'; got 'best'"):
        Direction("best")
