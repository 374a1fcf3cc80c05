import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from tests.metrics.builder import shuffled
from tests.metrics.curves import curved, tables

RATES = [1e-3, 1e-2, 1e-1]


def grid_of(*trials, mode="max", **given):
    return CurveGrid.from_records(*tables(*trials), "digits", "g", mode, **given)


def point(number, settings, values, costs=None, seed=0, **given):
    costs = np.arange(len(values)) * 10.0 if costs is None else costs
    row = {"by": "grid", "seed": seed, "stream": seed, "settings": settings}
    return curved("g", number, values, costs, **(row | given))


def line(*curves, **given):
    """Trials at the rates, one seed."""
    return [
        point(n, {"lr": lr}, values, **given)
        for n, (lr, values) in enumerate(zip(RATES, curves, strict=True))
    ]


def test_at_a_combination_a_trial_is_the_recorded_one():
    grid = grid_of(*line([0.1, 0.5, 0.4], [0.1, 0.2, 0.3], [0.1, 0.0, 0.9]))
    trial = grid.trial({"lr": 1e-3}, 0.0)
    assert trial.best.tolist() == [0.1, 0.5, 0.5]
    assert trial.cost.tolist() == [0, 10, 20]
    assert trial.spent == 20
    assert not trial.failed
    assert grid.budget == 20


def test_between_two_rates_values_are_weighted_on_the_log_scale():
    grid = grid_of(*line([0.0, 0.4, 0.8], [0.0, 0.2, 0.2], [0.0, 0.0, 0.0]))
    trial = grid.trial({"lr": 10**-2.75}, 0.0)
    assert trial.best.tolist() == pytest.approx([0, 0.35, 0.65])
    beyond = grid.trial({"lr": 1e-9}, 0.0)
    assert beyond.best.tolist() == [0.0, 0.4, 0.8]


def test_between_four_combinations_the_mean_is_bilinear():
    corners = [
        point(0, {"lr": 0.1, "m": 0.0}, [1.0]),
        point(1, {"lr": 0.1, "m": 0.5}, [2.0]),
        point(2, {"lr": 1.0, "m": 0.0}, [3.0]),
        point(3, {"lr": 1.0, "m": 0.5}, [7.0]),
    ]
    trial = grid_of(*corners).trial({"lr": 10**-0.75, "m": 0.25}, 0.0)
    assert trial.best.tolist() == pytest.approx([0.75 * 1.5 + 0.25 * 5.0])


def test_a_trial_ends_and_costs_as_its_nearest_neighbour():
    short = point(0, {"lr": 1e-3}, [0.0, 0.6], costs=[0, 7], failed=True)
    long = point(1, {"lr": 1e-2}, [0.0, 0.2, 1.0], costs=[0, 10, 20])
    grid = grid_of(short, long)
    near_short = grid.trial({"lr": 10**-2.5}, 0.0)  # half-way: the lower one
    assert near_short.failed
    assert near_short.spent == 7
    assert near_short.best.tolist() == pytest.approx([0.0, 0.4])
    near_long = grid.trial({"lr": 10**-2.25}, 0.0)
    assert not near_long.failed
    assert near_long.cost.tolist() == [0, 10, 20]
    # The curve that has ended keeps its best: 0.25 * 0.6 + 0.75 * (0.2, 1.0).
    assert near_long.best.tolist() == pytest.approx([0, 0.3, 0.9])


def test_a_neighbour_without_an_evaluation_has_nothing_to_give():
    gone = point(0, {"lr": 1e-3}, [], cost=3.0, end="crashed", failed=True)
    grid = grid_of(gone, point(1, {"lr": 1e-2}, [0.0, 0.8]))
    assert grid.trial({"lr": 10**-2.1}, 0.0).best.tolist() == [-math.inf] * 2
    assert grid.trial({"lr": 1e-2}, 0.0).best.tolist() == [0.0, 0.8]
    crash = grid.trial({"lr": 1e-3}, 0.0)
    assert crash.best.size == 0
    assert crash.spent == 3


def test_all_corners_are_seen_with_one_seed():
    trials = [
        point(10 * seed + n, {"lr": lr}, [float(seed)], seed=seed)
        for seed in range(3)
        for n, lr in enumerate(RATES)
    ]
    grid = grid_of(*trials)
    found = {grid.trial({"lr": 10**-2.5}, luck).best[0] for luck in (0.1, 0.5, 0.9)}
    assert found == {0.0, 1.0, 2.0}


def test_every_seed_is_drawn_alike_however_many_a_combination_has():
    trials = [point(n, {"lr": 0.1}, [0.1], seed=n) for n in range(4)]
    trials += [point(9, {"lr": 1.0}, [0.2])]
    grid = grid_of(*trials)
    luck = (np.arange(8) + 0.5) / 8
    found = grid.records_at(np.zeros(8, dtype=int), luck)
    assert np.bincount(found).tolist() == [2, 2, 2, 2]
    assert grid.records_at(np.ones(8, dtype=int), luck).tolist() == [4] * 8


def test_crossings_are_those_of_the_recorded_curves():
    trials = line([0.1, 0.5, 0.9], [0.1, math.nan, 0.9], [0.6, 0.2, 0.2])
    grid = grid_of(*trials)
    assert grid.crossings(0.5).tolist() == [10, math.inf, 0]
    assert grid.crossings(0.95).tolist() == [math.inf] * 3
    with pytest.raises(ValueError, match="`target` must be a number"):
        grid.crossings(math.nan)
    losses = grid_of(*trials, mode="min")
    assert losses.crossings(0.2).tolist() == [0, 0, 10]


def test_what_was_lost_with_a_worker_is_in_crossing_and_cost():
    trials = line([0.1, 0.5], [0.1, 0.2], [0.1, 0.2], lost=5.0, cost=15.0)
    grid = grid_of(*trials)
    assert grid.crossings(0.5).tolist() == [15, math.inf, math.inf]
    assert grid.trial({"lr": 1e-3}, 0.0).cost.tolist() == [5, 15]


def test_a_trial_that_was_cut_at_its_target_does_not_run_on():
    cut = point(0, {"lr": 1e-3}, [0.1, 0.5, 0.9], cost=10.0, end="target")
    grid = grid_of(cut, point(1, {"lr": 1e-2}, [0.1, 0.2, 0.3]))
    assert grid.crossings(0.9).tolist() == [math.inf] * 2
    assert grid.trial({"lr": 1e-3}, 0.0).best.tolist() == [0.1, 0.5]


def test_rows_that_share_a_record_are_one_curve_and_other_roles_none():
    trials = line([0.1], [0.2], [0.3])
    again = [({**row, "stream": 1}, curve) for row, curve in trials]
    sweep = [
        point(n, {"lr": lr}, [0.5], role="sweep", batch_size=size, key=f"s{n}{size}")
        for n, lr in enumerate(RATES[:2])
        for size in (32, 64)
    ]
    records, curves = tables(*trials, *sweep)
    more = tables(*again)[0]
    records = shuffled(pd.concat([records, more]))
    grid = CurveGrid.from_records(records, curves, "digits", "g", "max")
    assert grid.count.tolist() == [1, 1, 1]
    swept = CurveGrid.from_records(records, curves, "digits", "g", "max", "sweep")
    assert [axis.name for axis in swept.axes] == ["batch_size", "lr"]
    assert swept.count.tolist() == [1, 1, 1, 1]


def test_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(0)
    trials = [
        point(10 * seed + n, {"lr": lr}, rng.random(4), seed=seed)
        for seed in range(3)
        for n, lr in enumerate(RATES)
    ]
    records, curves = tables(*trials)
    mixed = shuffled(records), shuffled(curves)
    one = CurveGrid.from_records(records, curves, "digits", "g", "max")
    other = CurveGrid.from_records(*mixed, "digits", "g", "max")
    assert one.axes == other.axes
    np.testing.assert_array_equal(one.curves.best, other.curves.best)
    np.testing.assert_array_equal(one.curves.start, other.curves.start)


def test_a_grid_without_trials_or_with_holes_is_refused():
    records, curves = tables(*line([0.1], [0.2], [0.3]))
    with pytest.raises(ValueError, match="got none of 'h' on 'digits'"):
        CurveGrid.from_records(records, curves, "digits", "h", "max")
    with pytest.raises(ValueError, match="role 'sweep'"):
        CurveGrid.from_records(records, curves, "digits", "g", "max", "sweep")
    with pytest.raises(ValueError, match="`modes` must be 'max' or 'min'"):
        CurveGrid.from_records(records, curves, "digits", "g", "best")
    hole = point(7, {"lr": 1e-3, "m": 0.9}, [0.1])
    with pytest.raises(ValueError, match="must hold every combination"):
        grid_of(*line([0.1], [0.2], [0.3]), hole)
