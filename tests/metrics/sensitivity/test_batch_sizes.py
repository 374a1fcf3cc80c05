import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.sensitivity.batch_sizes import batch_size_spread, lr_drift
from hpo_vs_adapt.metrics.sensitivity.sensitivity_numbers import sensitivity_numbers
from hpo_vs_adapt.metrics.sensitivity.sweeps import sweep_table
from tests.metrics.builder import table, trial

RATES = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]


def sweep(arm, best, workload="digits", **settings):
    """A sweep whose metric falls by .1 a decade away from the best rate of a batch."""
    return [
        trial(
            arm,
            role="sweep",
            workload=workload,
            number=place,
            seed=0,
            batch_size=size,
            settings={**settings, "lr": rate},
            best_metric=0.9 - 0.1 * abs(math.log10(rate / best[size])),
        )
        for size in best
        for place, rate in enumerate(RATES)
    ]


def numbers(*rows, tolerance=0.01):
    curves = pd.DataFrame(columns=["key", "step", "cost", "validation_loss"])
    return sensitivity_numbers(table(*rows), curves, tolerance=tolerance)


def test_drift_is_the_slope_of_the_best_rate_over_the_batch_size():
    rows = sweep("linear", {10: 1e-3, 100: 1e-2, 1000: 1e-1})
    rows += sweep("steady", {10: 1e-3, 100: 1e-3, 1000: 1e-3})
    rows += sweep("bent", {10: 1e-3, 100: 1e-3, 1000: 1e-2})
    found = lr_drift(numbers(*rows)).set_index("arm")
    assert found["batch_sizes"].tolist() == [3, 3, 3]
    assert found["slope"].to_dict() == pytest.approx(
        {"linear": 1, "steady": 0, "bent": 0.5}
    )


def test_the_common_range_is_in_the_basin_of_every_batch_size():
    # Within .1 of the best is a decade either way.
    rows = sweep("near", {10: 1e-3, 100: 1e-2}) + sweep("far", {10: 1e-4, 100: 1.0})
    found = lr_drift(numbers(*rows, tolerance=0.1)).set_index("arm")
    near = found.loc["near"]
    assert (near["common_low"], near["common_high"]) == pytest.approx((1e-3, 1e-2))
    assert near["common_decades"] == pytest.approx(1)
    assert found.loc["far", ["common_low", "common_high"]].isna().all()
    assert found.loc["far", "common_decades"] == 0


def test_one_batch_size_has_no_drift_but_a_basin():
    found = lr_drift(numbers(*sweep("sgd", {32: 1e-2}), tolerance=0.1)).iloc[0]
    assert math.isnan(found["slope"])
    assert found["common_decades"] == pytest.approx(2)


def test_a_batch_size_at_which_nothing_worked_leaves_nothing_common():
    rows = sweep("sgd", {32: 1e-2, 64: 1e-2})
    for row in rows[5:]:
        row["best_metric"] = math.nan
    found = lr_drift(numbers(*rows)).iloc[0]
    assert math.isnan(found["slope"])
    assert found["common_decades"] == 0


def test_workloads_and_settings_drift_apart():
    rows = sweep("clara", {10: 1e-3, 100: 1e-2}, norm="layer")
    rows += sweep("clara", {10: 1e-3, 100: 1e-3}, norm="batch")
    for number, row in enumerate(rows):
        row["number"] = number
    rows += sweep("clara", {10: 1e-2, 100: 1e-3}, workload="wine", norm="layer")
    found = lr_drift(numbers(*rows))
    slopes = found.set_index(["workload", "norm"])["slope"]
    assert slopes["digits", "layer"] == pytest.approx(1)
    assert slopes["digits", "batch"] == pytest.approx(0)
    assert slopes["wine", "layer"] == pytest.approx(-1)


def test_the_spread_of_a_rate_is_over_batch_sizes():
    rows = sweep("sgd", {10: 1e-3, 100: 1e-2, 1000: 1e-1})
    found = batch_size_spread(sweep_table(table(*rows)))
    assert found["lr"].tolist() == RATES
    assert found["batch_sizes"].tolist() == [3] * 5
    metrics = np.array([0.9, 0.8, 0.7])  # of 1e-3, whose best is 0, 1, 2 decades off
    row = found.iloc[1]
    assert row["metric_mean"] == pytest.approx(metrics.mean())
    assert row["metric_sd"] == pytest.approx(metrics.std(ddof=1))


def test_a_spread_needs_two_batch_sizes_that_have_a_metric():
    rows = sweep("sgd", {10: 1e-3, 100: 1e-2})
    rows[0]["best_metric"] = math.nan
    first = batch_size_spread(sweep_table(table(*rows))).iloc[0]
    assert first["batch_sizes"] == 1
    assert first["metric_mean"] == pytest.approx(0.7)
    assert math.isnan(first["metric_sd"])


def test_no_sweep_has_neither_drift_nor_spread():
    assert lr_drift(numbers()).empty
    assert batch_size_spread(sweep_table(table())).empty
