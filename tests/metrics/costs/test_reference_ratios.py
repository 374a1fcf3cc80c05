import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics import arm_bills, reference_ratios
from tests.metrics.builder import runs, study, table


def test_ratios_are_bills_in_multiples_of_the_reference():
    bills = arm_bills(study()).set_index("arm")["bill"]
    ratios = reference_ratios(study(), "grid").set_index("arm")
    assert ratios["ratio"].to_dict() == pytest.approx((bills / bills["grid"]).to_dict())
    assert ratios.loc["grid"].drop("workload").tolist() == [1, 1, 1]
    others = ratios.drop(index="grid")
    assert (others["low"] < others["ratio"]).all()
    assert (others["ratio"] < others["high"]).all()


def test_exchanging_arm_and_reference_inverts_the_ratio():
    there = reference_ratios(study(), "grid").set_index("arm").loc["clara"]
    back = reference_ratios(study(), "clara").set_index("arm").loc["grid"]
    assert there["ratio"] * back["ratio"] == pytest.approx(1)
    assert there["low"] * back["high"] == pytest.approx(1, rel=1e-3)


def test_a_third_arm_changes_no_ratio():
    trials = study()
    pair = trials[trials["arm"].isin(["grid", "clara"])]
    everyone = reference_ratios(trials, "grid").set_index("arm")
    alone = reference_ratios(pair, "grid").set_index("arm")
    pd.testing.assert_frame_equal(alone, everyone.loc[alone.index])


def test_a_ratio_needs_a_hit_on_both_sides_and_its_interval_two_passes():
    trials = table(
        *runs("never", None, None),
        *runs("once", 500),
        *runs("twice", 500, 600),
        *runs("thrice", 100, 200, 120),
    )
    ratios = reference_ratios(trials, "twice").set_index("arm")
    assert ratios.loc["never", ["ratio", "low", "high"]].isna().all()
    assert ratios.loc["once", "ratio"] == pytest.approx(500 / 550)
    assert ratios.loc["once", ["low", "high"]].isna().all()
    assert ratios.loc["thrice", ["ratio", "low", "high"]].notna().all()
    for reference in ("never", "absent"):
        assert reference_ratios(trials, reference)["ratio"].isna().all()


def test_ratio_intervals_are_those_of_two_logarithms():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(100, 900, 15), rng.uniform(300, 500, 15)
    found = reference_ratios(table(*runs("a", *a), *runs("b", *b)), "b").iloc[0]

    def error(costs):
        return costs.std(ddof=1) / costs.mean() / math.sqrt(15)

    # With 14 degrees of freedom on either side, close to one Student's t.
    width = 2.1 * math.hypot(error(a), error(b))
    assert math.log(found["high"] / found["ratio"]) == pytest.approx(width, rel=0.05)
    assert math.log(found["ratio"] / found["low"]) == pytest.approx(width, rel=0.05)


def test_ratios_of_rare_hits_have_an_end_or_say_that_there_is_none():
    rare = runs("rare", 500, *[None] * 29, by="random")
    also = runs("also", 400, *[None] * 29, by="random")
    found = reference_ratios(table(*rare, *also), "also").set_index("arm").loc["rare"]
    assert found["ratio"] == pytest.approx(29500 / 29400)
    assert found["low"] == 0
    assert found["high"] == math.inf


def test_a_bill_of_0_has_no_multiples_and_is_0_times_any_other():
    trials = table(*runs("free", 0, 0), *runs("dear", 500, 600))
    free = reference_ratios(trials, "free").set_index("arm")["ratio"]
    assert free["free"] == 1
    assert math.isnan(free["dear"])
    dear = reference_ratios(trials, "dear").set_index("arm")["ratio"]
    assert dear.to_dict() == {"dear": 1, "free": 0}
