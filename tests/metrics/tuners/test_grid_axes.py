import math

import numpy as np
import pytest

from hpo_vs_adapt.metrics.replay.grid_axes import grid_axes, grid_cells


def given(**settings):
    """Every combination, as a list of settings."""
    rows = [{}]
    for name, values in settings.items():
        rows = [{**row, name: value} for row in rows for value in values]
    return rows


def test_what_varies_is_an_axis_on_the_scale_its_values_suggest():
    rows = given(
        lr=[0.1, 1e-3, 1e-2], momentum=[0.9, 0.0], nesterov=[True, False], eps=[1e-8]
    )
    axes = grid_axes(rows, {})
    found = {axis.name: (axis.scale, axis.values) for axis in axes}
    assert found == {
        "lr": ("log", (1e-3, 1e-2, 0.1)),
        "momentum": ("linear", (0.0, 0.9)),
        "nesterov": ("choice", (False, True)),
    }
    named = {axis.name: axis for axis in grid_axes(rows, {"lr": "linear"})}
    assert named["lr"].scale == "linear"


def test_a_setting_that_some_trials_do_not_name_is_a_choice():
    axes = grid_axes([{"lr": 0.1}, {"lr": 0.1, "damping": 0.3}], {})
    assert [(axis.name, axis.values) for axis in axes] == [("damping", (0.3, None))]


def test_nothing_varies_in_a_grid_of_one():
    assert grid_axes([{"lr": 0.1}] * 3, {}) == ()
    assert grid_cells([{"lr": 0.1}] * 3, ()).tolist() == [0, 0, 0]


def test_combinations_are_counted_with_the_last_axis_the_fastest():
    rows = given(b=["x", "y", "z"], a=[1, 2])
    axes = grid_axes(rows, {})
    assert [axis.name for axis in axes] == ["a", "b"]
    assert grid_cells(rows, axes).tolist() == [0, 3, 1, 4, 2, 5]


def test_places_are_counted_along_the_scale_and_end_with_the_axis():
    rate, damping = grid_axes(given(lr=[1e-3, 1e-2, 1], m=[0.0, 0.4, 0.5]), {})
    places = [rate.place(10.0**power) for power in (-9, -3, -2.5, -2, -1, 0, 2)]
    assert places == pytest.approx([0, 0, 0.5, 1, 1.5, 2, 2])
    found = [damping.place(value) for value in (-1, 0.1, 0.45)]
    assert found == pytest.approx([0, 0.25, 1.5])
    with pytest.raises(ValueError, match="`lr` must be above 0; got 0"):
        rate.place(0)
    assert damping.place(np.float64(0.5)) == 2


def test_between_words_there_is_nothing():
    (axis,) = grid_axes(given(base=["sgd", "adam"]), {})
    assert axis.place("sgd") == 1
    with pytest.raises(ValueError, match="`base` must be one of"):
        axis.place("lion")


def test_a_combination_that_is_missing_is_named():
    rows = given(lr=[0.1, 0.2], m=[0.0, 0.9])[:3]
    with pytest.raises(ValueError, match=r"'lr': 0.2, 'm': 0.9\}; 1 in all"):
        grid_cells(rows, grid_axes(rows, {}))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.0, 0.9], "log"),
        (["a", "b"], "linear"),
        ([True, False], "linear"),
        ([math.inf, 1.0], "linear"),
        ([0.1, 0.2], "square"),
    ],
)
def test_a_scale_that_does_not_fit_is_refused(values, scale):
    with pytest.raises(ValueError, match="`scales` must be"):
        grid_axes(given(x=values), {"x": scale})


def test_a_scale_for_what_does_not_vary_is_refused():
    with pytest.raises(ValueError, match="`scales` must name what varies; got \\['y'"):
        grid_axes(given(x=[0.1, 0.2]), {"y": "log"})
