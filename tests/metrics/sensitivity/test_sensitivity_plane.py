import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.sensitivity.hyperparameters import hyperparameter_sensitivity
from hpo_vs_adapt.metrics.sensitivity.sensitivity_plane import (
    PLANE_COLUMNS,
    adkins_plane,
)
from tests.metrics.builder import shuffled, table, trial

WORKLOADS = ("digits", "wine", "rings")


def sweep(arm, scores, seeds=2, **given):
    """A sweep of one score a rate (rows) and workload (columns), seeds .01 apart."""
    return [
        trial(
            arm,
            place,
            role="sweep",
            workload=workload,
            seed=seed,
            settings={"lr": 10.0**-place},
            best_metric=score[column] + 0.02 * seed - 0.01,
            **given,
        )
        for place, score in enumerate(scores)
        for column, workload in enumerate(WORKLOADS)
        for seed in range(seeds)
    ]


def two_arms(seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((5, 3)), rng.random((4, 3)) * 0.5


def test_the_plane_is_that_of_scores_normalised_over_all_arms():
    one, other = two_arms()
    found = adkins_plane(table(*sweep("one", one), *sweep("other", other)))
    assert tuple(found.columns) == PLANE_COLUMNS
    every = np.concatenate([one - 0.01, one + 0.01, other - 0.01, other + 0.01])
    low, high = np.percentile(every, [5, 95], axis=0)
    for row, scores in zip(found.itertuples(), (one, other), strict=True):
        expected = hyperparameter_sensitivity((scores - low) / (high - low))
        assert (row.phi, row.tuned, row.default) == pytest.approx(expected)
        assert (row.configurations, row.workloads) == (len(scores), 3)


def test_low_metrics_are_good_where_the_mode_says_so():
    one, other = two_arms()
    high = adkins_plane(table(*sweep("one", one), *sweep("other", other)))
    one[:, 1] *= -1
    other[:, 1] *= -1
    trials = table(*sweep("one", one), *sweep("other", other))
    low = adkins_plane(trials, {"wine": "min"})
    pd.testing.assert_frame_equal(low, high)


def test_settings_that_were_not_tried_on_every_workload_are_left_out():
    one, other = two_arms()
    rows = sweep("one", one) + sweep("other", other)
    whole = adkins_plane(table(*rows)).set_index("arm")
    lacking = [
        row
        for row in rows
        if row["arm"] == "one" or row["number"] or row["workload"] != "wine"
    ]
    found = adkins_plane(table(*lacking)).set_index("arm")
    assert found["configurations"].to_dict() == {"one": 5, "other": 3}
    without = [row for row in lacking if row["arm"] == "one" or row["number"]]
    left = adkins_plane(table(*without)).set_index("arm")
    # The percentiles are those of all that was tried, so scores differ a little.
    assert found.loc["other", "phi"] == pytest.approx(left.loc["other", "phi"], rel=0.2)
    assert found.loc["other", "phi"] != whole.loc["other", "phi"]


def test_arms_that_were_not_swept_everywhere_are_not_placed():
    one, other = two_arms()
    rows = sweep("one", one) + sweep("other", other)
    elsewhere = [
        row for row in rows if row["arm"] == "one" or row["workload"] != "wine"
    ]
    found = adkins_plane(table(*elsewhere)).set_index("arm")
    assert math.isfinite(found.loc["one", "phi"])
    assert found.loc["other", ["phi", "tuned", "default"]].isna().all()
    alone = [row for row in rows if row["arm"] == "one" or not row["number"]]
    found = adkins_plane(table(*alone)).set_index("arm")
    assert (found.loc["other", "configurations"], found.loc["other", "workloads"]) == (
        (1, 3)
    )
    assert math.isnan(found.loc["other", "phi"])


def test_other_batch_sizes_than_a_workloads_own_are_no_configurations():
    one, _ = two_arms()
    own = {"digits": 32, "wine": 64, "rings": 128}
    rows = [{**r, "batch_size": own[r["workload"]]} for r in sweep("one", one)]
    larger = [{**r, "batch_size": 256} for r in rows if r["workload"] == "digits"]
    expected = adkins_plane(table(*rows)).iloc[0]
    assert math.isnan(adkins_plane(table(*rows, *larger))["phi"].iloc[0])
    found = adkins_plane(table(*rows, *larger), batch_sizes=own).iloc[0]
    assert (found["configurations"], found["workloads"]) == (5, 3)
    assert found["phi"] == pytest.approx(expected["phi"], rel=0.05)


def test_one_workload_alone_has_no_plane():
    rows = [row for row in sweep("one", two_arms()[0]) if row["workload"] == "wine"]
    found = adkins_plane(table(*rows)).iloc[0]
    assert found["workloads"] == 1
    assert math.isnan(found["phi"])


def test_the_workloads_own_batch_sizes_are_no_settings_but_swept_ones_are():
    one, _ = two_arms()
    rows = sweep("one", one)
    expected = adkins_plane(table(*rows))
    own = {"digits": 32, "wine": 64, "rings": 128}
    rows = [{**row, "batch_size": own[row["workload"]]} for row in rows]
    pd.testing.assert_frame_equal(adkins_plane(table(*rows)), expected)
    swept = sweep("one", one, batch_size=32) + sweep("one", one, batch_size=64)
    found = adkins_plane(table(*swept)).iloc[0]
    assert found["configurations"] == 10
    # Percentiles of every score twice lie elsewhere between the scores.
    assert found["phi"] == pytest.approx(expected["phi"].iloc[0], rel=0.05)


def test_a_trial_that_crashed_at_once_has_the_worst_score_of_its_workload():
    one, other = two_arms()
    rows = sweep("one", one) + sweep("other", other)
    worst = min(row["best_metric"] for row in rows if row["workload"] == "digits")
    crashed = {"failed": True, "end": "crashed"}
    for best in (math.nan, worst):
        rows[0] |= {**crashed, "best_metric": best}
        found = adkins_plane(table(*rows))
        if math.isnan(best):
            expected = found
    pd.testing.assert_frame_equal(found, expected)


def test_the_order_of_rows_changes_nothing_and_no_sweep_is_an_empty_table():
    one, other = two_arms()
    trials = table(*sweep("one", one), *sweep("other", other))
    found = adkins_plane(trials)
    again = adkins_plane(shuffled(trials))
    pd.testing.assert_frame_equal(again, found, check_exact=True)
    assert adkins_plane(table()).empty
    assert tuple(adkins_plane(table(trial())).columns) == PLANE_COLUMNS
