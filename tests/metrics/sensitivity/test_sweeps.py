import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics import (
    SWEEP_COLUMNS,
    expected_running_time,
    sweep_table,
)
from hpo_vs_adapt.metrics.sensitivity.lr_curves import stretch_above
from tests.metrics.builder import BUDGET, shuffled, table, trial

RATES = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]


def sweep(arm, crossings, seeds=2, **given):
    """One trial per rate and seed; `crossings` says for each rate how many hit."""
    rows = []
    for rate, hits in zip(RATES, crossings, strict=True):
        for seed in range(seeds):
            settings = {"lr": rate, "momentum": 0.9, **given.get("settings", {})}
            fixed = {k: v for k, v in given.items() if k != "settings"}
            rows.append(
                trial(
                    arm,
                    len(rows),
                    300.0 if seed < hits else None,
                    role="sweep",
                    seed=seed,
                    settings=settings,
                    best_metric=rate + seed,
                    **fixed,
                )
            )
    return rows


def test_a_sweep_is_a_row_a_point_over_seeds():
    found = sweep_table(table(*sweep("sgd", [0, 1, 2, 2, 0])))
    assert tuple(found.columns) == (
        *("workload", "arm", "batch_size", "lr"),
        *SWEEP_COLUMNS,
    )
    assert found["lr"].tolist() == RATES
    assert found["n"].tolist() == [2] * 5
    assert found["hits"].tolist() == [0, 1, 2, 2, 0]
    assert found["hit_share"].tolist() == [0, 0.5, 1, 1, 0]
    assert found["metric_mean"].tolist() == pytest.approx([r + 0.5 for r in RATES])
    assert found["metric_low"].tolist() == pytest.approx(RATES)
    assert found["metric_high"].tolist() == pytest.approx([r + 1 for r in RATES])


def test_failures_stay_in_the_sweep():
    rows = sweep("sgd", [0, 1, 2, 2, 0])
    rows[-1] |= {"failed": True, "end": "crashed", "best_metric": math.nan}
    rows[-2] |= {"failed": True, "end": "diverged", "best_metric": 0.1}
    last = sweep_table(table(*rows)).iloc[-1]
    assert last["n"] == 2
    assert last["failures"] == 2
    assert last["hit_share"] == 0
    assert last["metric_mean"] == 0.1


def test_ert_is_what_the_seeds_of_a_point_spent_over_their_hits():
    rows = sweep("sgd", [0, 1, 2, 2, 0])
    rows[4]["cost_to_target"] = 100.0
    rows[-1] |= {"failed": True, "end": "diverged", "cost": 50.0}
    found = sweep_table(table(*rows))["ert"]
    assert found.iloc[1:4].tolist() == [300 + BUDGET, 200, 300]
    assert found.iloc[[0, 4]].isna().all()  # never met: no finite bill is known
    by_hand = expected_running_time([300, BUDGET], [True, False])
    assert found.iloc[1] == by_hand


def test_a_record_that_two_sweeps_share_is_one_trial():
    rows = sweep("sgd", [0, 1, 2, 2, 0])
    again = [{**row, "number": 50 + number} for number, row in enumerate(rows)]
    once = sweep_table(table(*rows))
    pd.testing.assert_frame_equal(sweep_table(table(*rows, *again)), once)


def test_only_what_varies_is_a_column_and_the_rate_comes_first():
    plain = sweep("sgd", [0, 1, 2, 2, 0])
    damped = sweep("clara", [2] * 5, settings={"damping": 1e-3, "base": "sgd"})
    damped += sweep("clara", [1] * 5, settings={"damping": "auto", "base": "sgd"})
    for number, row in enumerate(damped):
        row["number"] = number
    found = sweep_table(table(*plain, *damped))
    points = [name for name in found.columns if name not in SWEEP_COLUMNS]
    assert points == ["workload", "arm", "batch_size", "lr", "damping"]
    assert len(found) == 15
    clara = found[found["arm"] == "clara"]
    assert clara["lr"].tolist() == sorted(RATES * 2)
    assert clara["damping"].tolist() == [1e-3, "auto"] * 5
    assert found[found["arm"] == "sgd"]["damping"].isna().all()


def test_batch_sizes_are_points_apart():
    rows = sweep("sgd", [2] * 5, batch_size=32) + sweep("sgd", [0] * 5, batch_size=128)
    found = sweep_table(table(*rows))
    assert found["batch_size"].tolist() == [32] * 5 + [128] * 5
    assert found["hit_share"].tolist() == [1] * 5 + [0] * 5


def test_a_sweep_takes_sweeps_alone_in_any_order_of_rows():
    rows = sweep("sgd", [0, 1, 2, 2, 0])
    found = sweep_table(table(*rows))
    bills = [trial("sgd", 0, 300), trial("sgd", 1, role="retrain", by="grid")]
    mixed = shuffled(table(*rows, *bills))
    pd.testing.assert_frame_equal(sweep_table(mixed), found)


def test_no_sweep_is_an_empty_table():
    for trials in (table(), table(trial())):
        found = sweep_table(trials)
        assert found.empty
        assert tuple(found.columns) == (
            *("workload", "arm", "batch_size"),
            *SWEEP_COLUMNS,
        )


def basin(*crossings, share=0.5, seeds=2):
    found = sweep_table(table(*sweep("sgd", crossings, seeds=seeds)))
    return stretch_above(found["lr"], found["hit_share"], share)


def test_a_basin_ends_where_the_share_of_hits_falls_below():
    found = basin(0, 0, 2, 2, 0)
    # From 1 to 0 over a decade, the line meets one half in the middle.
    assert found.low == pytest.approx(10**-2.5)
    assert found.high == pytest.approx(10**-0.5)
    assert found.decades == pytest.approx(2)
    assert not found.open_low
    assert not found.open_high


def test_a_basin_that_reaches_the_end_of_the_sweep_is_open():
    found = basin(2, 2, 0, 0, 0)
    assert found.open_low
    assert not found.open_high
    assert found.low == pytest.approx(1e-4)
    assert found.decades == pytest.approx(1.5)
    everywhere = basin(2, 2, 2, 2, 2)
    assert everywhere.open_low
    assert everywhere.open_high
    assert everywhere.decades == pytest.approx(4)


def test_a_basin_is_the_widest_contiguous_stretch():
    found = basin(2, 0, 2, 2, 0)
    assert found.low == pytest.approx(10**-2.5)
    assert found.decades == pytest.approx(2)


def test_a_basin_at_one_rate_has_the_width_of_its_flanks():
    assert basin(0, 0, 1, 0, 0).decades == pytest.approx(0)
    assert basin(0, 0, 2, 0, 0).decades == pytest.approx(1)
    assert basin(0, 0, 3, 0, 0, seeds=4).decades == pytest.approx(2 / 3)


def test_no_rate_that_hits_is_no_basin():
    found = basin(0, 0, 0, 0, 0)
    assert found.decades == 0
    assert np.isnan([found.low, found.high]).all()
