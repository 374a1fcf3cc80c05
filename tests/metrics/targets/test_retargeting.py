import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics import arm_passes, target_crossing
from hpo_vs_adapt.metrics.targets.retargeting import retarget
from tests.metrics.builder import runs, shuffled, table, trial

MODES = {"digits": "max", "wine": "min"}


def curve(key, values, costs=None):
    """A curve with an evaluation every 100 sample gradients, from 0 on."""
    costs = [100.0 * i for i in range(len(values))] if costs is None else costs
    return pd.DataFrame(
        {
            "key": key,
            "step": range(len(values)),
            "cost": costs,
            "validation_metric": values,
        }
    )


def retargeted(rows, curves, target=0.8, **given):
    targets = {"digits": target, "wine": target}
    return retarget(table(*rows), pd.concat(curves), targets, MODES, **given)


def one(values, target=0.8, sustained=2, **given):
    """What becomes of a single trial with this curve."""
    row = trial("a", 0, **({"cost": 100.0 * (len(values) - 1)} | given), key="k")
    found = retargeted([row], [curve("k", values)], target, sustained=sustained)
    return found.iloc[0]


def random_study(seed, workload="digits"):
    """Trials with curves of unequal lengths, some of which break off."""
    rng = np.random.default_rng(seed)
    rows, curves = [], []
    for number in range(int(rng.integers(1, 8))):
        size = int(rng.integers(1, 12))
        values = rng.integers(0, 6, size) / 5
        values[rng.random(size) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        costs = np.cumsum(rng.integers(0, 3, size)).astype(float)
        given = {"cost": float(costs[-1]), "workload": workload, "key": str(number)}
        rows.append(trial("a", number, **given))
        curves.append(curve(str(number), values, costs))
    return rows, curves


@given(
    seed=st.integers(0, 10_000),
    target=st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0, 1.1]),
    sustained=st.integers(1, 4),
    workload=st.sampled_from(["digits", "wine"]),
)
def test_every_record_crosses_where_its_curve_does(seed, target, sustained, workload):
    rows, curves = random_study(seed, workload)
    found = retargeted(rows, curves, target, sustained=sustained)
    for (_, row), points in zip(found.iterrows(), curves, strict=True):
        expected = target_crossing(
            points["cost"],
            points["validation_metric"],
            target,
            MODES[workload],
            sustained,
        )
        assert row["cost_to_target"] == expected.first
        assert row["sustained_cost"] == expected.sustained
        assert row["cost_before_target"] == expected.after
        assert row["hit"] == math.isfinite(expected.first)
        assert not row["censored"]


def test_another_target_changes_hit_and_crossing_and_nothing_else():
    row = trial("a", 0, 300, cost=400.0, key="k", seed=7)
    before = table(row).iloc[0]
    after = one([0.1, 0.6, 0.7, 0.8, 0.9], target=0.6, seed=7, cost=400.0)
    assert after["hit"]
    assert after["cost_to_target"] == after["sustained_cost"] == 100
    assert after["cost_before_target"] == 0
    same = ["arm", "seed", "end", "cost", "best_metric", "number"]
    assert after[same].drop("best_metric").equals(before[same].drop("best_metric"))


def test_a_crossing_before_a_divergence_stands_and_none_follows_it():
    values = [0.1, 0.6, math.nan, 0.9, 0.9]
    assert one(values, 0.5)["cost_to_target"] == 100
    harder = one(values, 0.8)
    assert not harder["hit"]
    assert harder["cost_to_target"] == math.inf
    assert harder["cost_before_target"] == 400
    assert harder["cost"] == 400  # a miss that burned all of it


def test_a_lucky_crossing_is_not_a_sustained_one():
    found = one([0.1, 0.9, 0.2, 0.9, 0.9, 0.9], sustained=3)
    assert found["cost_to_target"] == 100
    assert found["sustained_cost"] == 300
    assert one([0.1, 0.9, 0.2, 0.9, 0.9], sustained=3)["sustained_cost"] == math.inf


def test_work_lost_with_a_worker_comes_before_every_crossing():
    row = {**trial("a", 0, key="k", cost=350.0), "lost": 50.0}
    points = curve("k", [0.1, 0.2, 0.9, 0.9])
    targets = {"digits": 0.8}
    found = retarget(pd.DataFrame([row]), points, targets, MODES).iloc[0]
    assert found["cost_to_target"] == found["sustained_cost"] == 250
    assert found["cost_before_target"] == 150
    never = retarget(pd.DataFrame([row]), points, {"digits": 1.0}, MODES).iloc[0]
    assert never["cost_before_target"] == 350
    assert never["cost"] == 350


def test_a_trial_knows_only_its_own_part_of_a_shared_curve():
    points = curve("k", [0.1, 0.5, 0.6, 0.9, 0.9])
    pruned = trial("a", 0, key="k", cost=200.0, end="pruned")
    whole = trial("b", 0, key="k", cost=400.0)
    found = retargeted([pruned, whole], [points])
    assert found["hit"].tolist() == [False, True]
    assert found["cost"].tolist() == [200, 400]
    assert not found["censored"].any()


def test_a_crossing_cut_off_before_it_lasted_is_not_sustained():
    points = curve("k", [0.1, 0.5, 0.9, 0.9, 0.9])
    found = retargeted([trial("a", key="k", cost=200.0, end="pruned")], [points])
    assert found["cost_to_target"].tolist() == [200]
    assert found["sustained_cost"].tolist() == [math.inf]


def test_a_trial_that_stopped_at_its_target_is_unknown_at_a_harder_one():
    stopped = {"end": "target", "cost": 200.0}
    easier = one([0.1, 0.5, 0.8], 0.5, **stopped)
    assert easier["hit"]
    assert easier["cost"] == easier["cost_to_target"] == 100  # it would stop there
    same = one([0.1, 0.5, 0.8], 0.8, **stopped)
    assert same["hit"]
    assert same["cost"] == 200
    harder = one([0.1, 0.5, 0.8], 0.9, **stopped)
    assert harder["censored"]
    assert not harder["hit"]
    assert harder["cost"] == 200
    assert not one([0.1, 0.5, 0.8], 0.9, cost=200.0)["censored"]


def test_a_trial_that_stopped_borrows_the_rest_of_a_curve_that_ran_on():
    points = curve("k", [0.1, 0.5, 0.8, 0.9, 0.7])
    stopped = trial("a", 0, 200, key="k", cost=200.0, end="target")
    whole = trial("b", 0, 200, key="k", cost=400.0)
    met = retargeted([stopped, whole], [points], 0.9)
    assert met["hit"].all()
    assert met["cost_to_target"].tolist() == [300, 300]
    assert met["cost"].tolist() == [300, 400]
    missed = retargeted([stopped, whole], [points], 0.95)
    assert missed["cost"].tolist() == [400, 400]
    assert not missed["censored"].any()


def test_a_trial_that_crashed_before_its_first_evaluation_is_a_miss():
    crashed = trial("a", 1, cost=5.0, end="crashed", failed=True, key="none")
    found = retargeted([trial("a", key="k"), crashed], [curve("k", [0.9])]).iloc[1]
    assert not found["hit"]
    assert found["cost"] == 5
    assert found["cost_to_target"] == math.inf
    assert found["cost_before_target"] == 0


def test_passes_follow_the_new_target():
    rows = runs("a", 300, None, by="optuna", cost=300.0)
    curves = [
        curve(rows[0]["key"], [0.1, 0.2, 0.5, 0.8]),
        curve(rows[1]["key"], [0.1, 0.7, 0.7, 0.7]),
    ]
    costs = [arm_passes(retargeted(rows, curves, t))["cost"][0] for t in (0.5, 0.8, 1)]
    assert costs == [200, 300, 600]


def test_every_workload_has_its_own_target_and_mode():
    rows = [trial("a", key="up"), trial("a", key="down", workload="wine")]
    curves = pd.concat([curve("up", [0.1, 0.9]), curve("down", [2.0, 1.0])])
    targets = {"digits": 0.8, "wine": 1.5}
    found = retarget(table(*rows), curves, targets, MODES)
    assert found["cost_to_target"].tolist() == [100, 100]
    found = retarget(table(*rows), curves, {"digits": 0.95, "wine": 0.5}, MODES)
    assert not found["hit"].any()


def test_the_order_of_rows_changes_nothing():
    rows, curves = random_study(3)
    expected = retargeted(rows, curves, 0.6)
    mixed = shuffled(pd.concat(curves))
    targets = {"digits": 0.6}
    again = retarget(table(*rows), mixed, targets, MODES)
    pd.testing.assert_frame_equal(again, expected, check_exact=True)
    backwards = retarget(table(*rows).iloc[::-1], mixed, targets, MODES)
    pd.testing.assert_frame_equal(backwards.iloc[::-1], expected, check_exact=True)


def test_no_records_are_no_records_at_any_target():
    empty = pd.DataFrame(columns=["key", "step", "cost", "validation_metric"])
    found = retarget(table(), empty, {}, {})
    assert found.empty
    assert "censored" in found.columns
    only = retarget(table(trial("a")), empty, {"digits": 0.5}, MODES)
    assert not only["hit"].any()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"targets": {}}, "`targets` must have a number"),
        ({"targets": {"digits": math.nan}}, "`targets` must have a number"),
        ({"modes": {"digits": "maximum"}}, "`modes` must be 'max' or 'min'"),
        ({"sustained": 0}, "`sustained` must be at least 1"),
        ({"records": table(trial(key="k")).drop(columns="key")}, "missing \\['key'\\]"),
        ({"curves": curve("k", [1.0]).drop(columns="step")}, "missing \\['step'\\]"),
        ({"curves": curve("other", [1.0])}, "the curve of every record that hit"),
        ({"curves": curve("k", [0.1, 0.9], [5, 3])}, "`cost` must never fall"),
        ({"curves": curve("k", [0.1, 0.9], [5, math.nan])}, "`cost` must never fall"),
        ({"curves": curve("k", [0.1], [math.inf])}, "`cost` must be finite"),
        ({"curves": pd.concat([curve("k", [1.0])] * 2)}, "`step` must grow"),
        (
            {"records": table(trial(key="k", cost=math.nan))},
            "`cost` and `lost` must be finite",
        ),
        (
            {
                "records": table(trial(key="k"), trial(key="k", workload="wine")),
                "targets": {"digits": 0.5, "wine": 0.5},
            },
            "`modes` must agree",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(given, word):
    fine = {
        "records": table(trial(at=0, key="k")),
        "curves": curve("k", [0.9]),
        "targets": {"digits": 0.8},
        "modes": MODES,
    }
    with pytest.raises(ValueError, match=word):
        retarget(**(fine | given))
