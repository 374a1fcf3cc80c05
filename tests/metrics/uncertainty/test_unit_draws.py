import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.uncertainty.unit_draws import UnitDraws


def table():
    """Two workloads; seeds with one row, or two, of each of two arms."""
    rows = [
        (workload, arm, seed, 100 * seed + step, {"lr": 0.1})
        for workload, seeds in (("digits", 4), ("wine", 3))
        for arm in "ab"
        for seed in range(seeds)
        for step in range(1 + seed % 2)
    ]
    columns = ["workload", "arm", "seed", "value", "settings"]
    return pd.DataFrame(rows, columns=columns)


def contents(rows):
    return sorted(zip(rows["arm"], rows["value"], strict=True))


def test_a_resample_has_whole_units_and_as_many_as_there_are():
    rows = table()
    for resample in UnitDraws(rows, ["seed"], ["workload"]).draw(50, 0):
        for workload, group in resample.groupby("workload"):
            own = rows[rows["workload"] == workload]
            units = [contents(unit) for _, unit in own.groupby("seed")]
            drawn = group.groupby("seed")
            assert list(drawn.groups) == list(range(len(units)))
            assert all(contents(unit) in units for _, unit in drawn)


def test_every_unit_is_drawn_once_on_average():
    counts = np.zeros(4)
    for resample in UnitDraws(table(), ["seed"], ["workload"]).draw(200, 1):
        own = resample[(resample["workload"] == "digits") & (resample["arm"] == "a")]
        counts += np.bincount(own["value"][own["value"] % 100 == 0] // 100, minlength=4)
    # 200 times four draws, each with chance 1/4: a standard deviation of 12.
    assert counts == pytest.approx([200] * 4, abs=4 * 12)


def test_a_unit_of_several_columns_is_one_of_their_pairs():
    draws = UnitDraws(table(), ["arm", "seed"], ["workload"])
    for resample in draws.draw(5, 0):
        digits = resample[resample["workload"] == "digits"]
        assert sorted(digits["seed"].unique()) == list(range(8))
        assert (digits["seed"] == digits["arm"]).all()


def test_without_strata_all_units_are_one():
    for resample in UnitDraws(table(), ["workload"], []).draw(20, 0):
        assert resample["workload"].unique().tolist() == [0, 1]


def test_another_workload_or_order_of_rows_changes_no_draw():
    rows = table()
    own = rows[rows["workload"] == "wine"]
    both = UnitDraws(rows.sample(frac=1, random_state=1), ["seed"], ["workload"])
    alone = UnitDraws(own, ["seed"], ["workload"])
    for some, fewer in zip(both.draw(20, 3), alone.draw(20, 3), strict=True):
        wine = some[some["workload"] == "wine"].reset_index(drop=True)
        pd.testing.assert_frame_equal(wine, fewer)


def test_spread_takes_two_units_in_some_stratum():
    rows = table()
    assert UnitDraws(rows, ["seed"], ["workload"]).spread
    assert not UnitDraws(rows, ["workload"], ["workload"]).spread
    for within in ([], ["workload"]):
        assert not UnitDraws(rows[:0], ["seed"], within).spread


@pytest.mark.parametrize(
    ("unit", "within", "word"),
    [
        ([], ["workload"], "`unit` must name a column"),
        (["stream"], ["workload"], "missing \\['stream'\\]"),
        (["seed"], ["task"], "missing \\['task'\\]"),
        (["nobody"], [], "NaN in \\['nobody'\\]"),
    ],
)
def test_columns_that_name_no_unit_are_refused(unit, within, word):
    with pytest.raises(ValueError, match=word):
        UnitDraws(table().assign(nobody=math.nan), unit, within)
