import math
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.sensitivity.lr_curves import (
    basin_width,
    lr_sensitivity,
    misspecification_regret,
    stretch_above,
)
from hpo_vs_adapt.metrics.sensitivity.sensitivity_numbers import (
    SENSITIVITY_COLUMNS,
    knob_table,
    sensitivity_numbers,
)
from hpo_vs_adapt.metrics.sensitivity.sweeps import sweep_table
from tests.metrics.builder import BUDGET, shuffled, table, trial

RATES = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
METRICS = [0.2, 0.5, 0.9, 0.89, 0.1]
LOSSES = [2.0, 1.2, 1.0, 1.5, 9.9]


def sweep(arm="sgd", metrics=METRICS, losses=LOSSES, seeds=2, knob="lr", **given):
    """Trials and curves of a sweep; the second seed ends .02 better than the first."""
    values = given.pop("values", RATES)
    fixed = given.pop("settings", {})
    rows, curves = [], []
    for value, metric, loss in zip(values, metrics, losses, strict=True):
        for seed in range(seeds):
            row = trial(
                arm,
                len(rows),
                500.0 if metric > 0.6 else None,
                role="sweep",
                seed=seed,
                settings={**fixed, knob: value},
                best_metric=metric + 0.02 * seed,
                **given,
            )
            rows.append(row)
            curves.append(curve(row["key"], 2.3, 2.0, loss))
    return rows, curves


def curve(key, *losses):
    """Evaluations at equal shares of the budget."""
    steps = np.arange(len(losses))
    cost = steps * BUDGET / max(len(losses) - 1, 1)
    return pd.DataFrame(
        {"key": key, "step": steps, "cost": cost, "validation_loss": losses}
    )


def numbers(*parts, find=sensitivity_numbers, **given):
    rows = [row for part in parts for row in part[0]]
    curves = [one for part in parts for one in part[1]]
    return find(table(*rows), pd.concat(curves), **given)


def test_the_numbers_are_those_of_the_mean_over_seeds():
    found = numbers(sweep())
    names = ("workload", "arm", "batch_size", "scale", *SENSITIVITY_COLUMNS)
    assert tuple(found.columns) == names
    row = found.iloc[0]
    means = np.add(METRICS, 0.01)
    basin = basin_width(RATES, means, 0.01)
    assert (row["basin_low"], row["basin_high"]) == (basin.low, basin.high)
    assert row["basin_decades"] == basin.decades
    assert (row["best"], row["best_metric"]) == (1e-2, pytest.approx(0.91))
    regret = misspecification_regret(RATES, means, [2, 10])["regret"]
    assert [row["regret_2"], row["regret_10"]] == regret.tolist()
    assert row["loss_sensitivity"] == lr_sensitivity(RATES, LOSSES, 2.3)
    assert round(row["loss_sensitivity"], 4) == 0.4625
    assert (row["points"], row["tested_low"], row["tested_high"]) == (5, 1e-4, 1)
    assert row["scale"] == "log"


def test_the_hitting_basin_is_where_enough_seeds_hit():
    part = sweep()
    row = numbers(part).iloc[0]
    points = sweep_table(table(*part[0]))
    theirs = stretch_above(points["lr"], points["hit_share"], 0.5)
    ends = ["low", "high", "decades", "open_low", "open_high"]
    assert row[[f"hit_{end}" for end in ends]].tolist() == list(astuple(theirs))
    # Shares 0, 0, 1, 1, 0 over four decades.
    assert row["hit_fraction"] == pytest.approx(2 / 4)
    stricter = numbers(part, share=1.0).iloc[0]
    assert stricter["hit_decades"] == pytest.approx(1)


def test_a_wider_tolerance_makes_a_wider_basin():
    narrow, wide = (numbers(sweep(), tolerance=t).iloc[0] for t in (0.01, 0.2))
    assert narrow["basin_decades"] < wide["basin_decades"]


def test_low_metrics_are_good_where_the_mode_says_so():
    row = numbers(sweep(), modes={"digits": "min"}).iloc[0]
    assert row["best"] == 1.0
    assert row["basin_open_high"]
    assert math.isnan(row["regret_2"])


def test_a_trial_that_failed_has_learnt_nothing():
    rows, curves = sweep()
    rows[2] |= {"failed": True, "end": "diverged"}
    row = numbers((rows, curves)).iloc[0]
    # Seed 0 of the rate 1e-3: 2.3 instead of 1.2.
    losses = [2.0, (2.3 + 1.2) / 2, 1.0, 1.5, 2.3]
    assert row["loss_sensitivity"] == lr_sensitivity(RATES, losses, 2.3)


def test_a_trial_that_crashed_before_its_first_evaluation_has_learnt_nothing():
    rows, curves = sweep()
    rows[2] |= {"failed": True, "end": "crashed", "best_metric": math.nan}
    row = numbers((rows, [*curves[:2], *curves[3:]])).iloc[0]
    losses = [2.0, (2.3 + 1.2) / 2, 1.0, 1.5, 2.3]
    assert row["loss_sensitivity"] == pytest.approx(lr_sensitivity(RATES, losses, 2.3))
    assert row["best"] == 1e-2


def test_one_seed_that_explodes_counts_no_more_than_its_start():
    rows, curves = sweep()
    curves[0] = curve(rows[0]["key"], 2.3, 1e12)
    row = numbers((rows, curves)).iloc[0]
    losses = [(2.3 + 2.0) / 2, 1.2, 1.0, 1.5, 2.3]
    assert row["loss_sensitivity"] == pytest.approx(lr_sensitivity(RATES, losses, 2.3))


@pytest.mark.parametrize("losses", [(2.3, math.nan), (2.3, 1.0, math.inf)])
def test_a_loss_that_is_not_finite_counts_as_nothing_learnt(losses):
    rows, curves = sweep()
    curves[4] = curve(rows[4]["key"], *losses)
    row = numbers((rows, curves)).iloc[0]
    expected = lr_sensitivity(RATES, [2.0, 1.2, (2.3 + 1.0) / 2, 1.5, 2.3], 2.3)
    assert row["loss_sensitivity"] == pytest.approx(expected)


def test_without_a_curve_or_its_start_the_loss_is_unknown():
    rows, curves = sweep()
    row = numbers((rows, curves[1:])).iloc[0]
    assert math.isnan(row["loss_sensitivity"])
    assert row["best"] == 1e-2
    late = [one[one["step"] > 0] for one in curves]
    assert math.isnan(numbers((rows, late)).iloc[0]["loss_sensitivity"])


def test_a_record_that_ran_on_is_cut_where_the_trial_ended():
    rows, curves = sweep()
    for row, one in zip(rows, curves, strict=True):
        one["cost"] *= 2
        row["cost"] = BUDGET  # the second of three evaluations, at a loss of 2
    row = numbers((rows, curves)).iloc[0]
    assert row["loss_sensitivity"] == 0
    for row in rows:
        row["cost"] = 2 * BUDGET
    assert numbers((rows, curves)).iloc[0]["loss_sensitivity"] > 0.4


def test_a_rate_without_any_metric_is_one_that_gave_nothing():
    rows, curves = sweep()
    for row in rows[6:8]:
        row |= {"failed": True, "end": "crashed", "best_metric": math.nan, "hit": False}
    row = numbers((rows, curves)).iloc[0]
    assert row["basin_high"] == pytest.approx(1e-2)
    assert row["regret_10"] == math.inf


def test_a_sweep_in_which_all_crashed_has_no_best():
    rows, curves = sweep(metrics=[math.nan] * 5)
    row = numbers((rows, curves)).iloc[0]
    assert math.isnan(row["best"])
    assert math.isnan(row["regret_2"])
    assert row["basin_decades"] == row["hit_decades"] == row["hit_fraction"] == 0


def test_batch_sizes_arms_and_workloads_have_rows_of_their_own():
    parts = [
        sweep("tlr", batch_size=128),
        sweep("sgd", batch_size=128, metrics=[0.1, 0.2, 0.3, 0.9, 0.4]),
        sweep("sgd", batch_size=32),
        sweep("sgd", batch_size=32, workload="wine"),
    ]
    found = numbers(*parts)
    assert found[["workload", "arm", "batch_size"]].to_numpy().tolist() == [
        ["digits", "sgd", 32],
        ["digits", "sgd", 128],
        ["digits", "tlr", 128],
        ["wine", "sgd", 32],
    ]
    assert found["best"].tolist() == [1e-2, 1e-1, 1e-2, 1e-2]
    alone = numbers(parts[1])
    pd.testing.assert_frame_equal(alone, found.iloc[[1]].reset_index(drop=True))


def test_the_order_of_rows_changes_nothing():
    parts = [sweep("a", batch_size=32), sweep("a", batch_size=64), sweep("b")]
    rows = table(*(row for part in parts for row in part[0]))
    curves = pd.concat([one for part in parts for one in part[1]])
    found = sensitivity_numbers(rows, curves)
    for seed in range(3):
        again = sensitivity_numbers(shuffled(rows, seed), shuffled(curves, seed))
        pd.testing.assert_frame_equal(again, found, check_exact=True)


def test_knobs_have_the_numbers_that_rates_have():
    part = sweep("gala", knob="gamma", settings={"lr": 0.1})
    found = numbers(part, find=knob_table)
    same = numbers(sweep("gala"))
    assert found["setting"].tolist() == ["gamma"]
    assert found["lr"].tolist() == [0.1]
    for name in ("scale", *SENSITIVITY_COLUMNS):
        assert repr(found[name].iloc[0]) == repr(same[name].iloc[0])
    assert numbers(part).empty  # a single rate is no sweep over rates


def test_a_knob_that_may_be_zero_has_a_linear_scale():
    values = [0.0, 0.25, 0.5, 0.75, 1.0]
    row = numbers(sweep("gala", knob="gamma", values=values), find=knob_table).iloc[0]
    assert row["scale"] == "linear"
    assert math.isnan(row["basin_decades"])
    assert row["best"] == 0.5
    assert row["regret_2"] == pytest.approx(0.8)  # at 1; at 0.25 it is 0.4
    assert row["hit_fraction"] == pytest.approx(0.5)


def test_words_and_flags_are_no_knobs_but_set_rows_apart():
    parts = [
        sweep("clara", settings={"norm": norm, "damped": damped})
        for norm, damped in (("layer", True), ("batch", True), ("batch", False))
    ]
    for number, row in enumerate(row for part in parts for row in part[0]):
        row["number"] = number
    found = numbers(*parts)
    assert found["norm"].tolist() == ["layer", "batch", "batch"]
    assert found["damped"].tolist() == [True, True, False]
    assert (found["points"] == 5).all()
    assert numbers(*parts, find=knob_table).empty


@pytest.mark.parametrize("find", [sensitivity_numbers, knob_table])
def test_no_sweep_is_an_empty_table(find):
    no_curves = curve("x", 1.0).iloc[:0]
    for rows in (table(), table(trial())):
        found = find(rows, no_curves)
        assert found.empty
        assert set(SENSITIVITY_COLUMNS) < set(found.columns)


def test_what_makes_no_sense_is_refused():
    rows, curves = sweep()
    for share in (0, 1.5, math.nan):
        with pytest.raises(ValueError, match="`share`"):
            numbers((rows, curves), share=share)
    with pytest.raises(ValueError, match="missing \\['validation_loss'\\]"):
        numbers((rows, [one.drop(columns="validation_loss") for one in curves]))
    with pytest.raises(ValueError, match="`tolerance`"):
        numbers((rows, curves), tolerance=-1)
    with pytest.raises(ValueError, match="`mode`"):
        numbers((rows, curves), modes={"digits": "best"})
