import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics import arm_bills
from hpo_vs_adapt.metrics.suites.across import (
    ACROSS_COLUMNS,
    ALPHAS,
    across_workloads,
    budget_profiles,
)
from tests.metrics.builder import runs, shuffled, table

NEVER = math.nan
GOLDEN = {"A": [1, 2, 8], "B": [2, 1, NEVER], "C": [4, 9, 2]}


def bills(times, trials=3):
    """Bills of arms on workloads w0, w1, ..."""
    rows = [
        (f"w{place}", arm, trials, bill)
        for arm, all_bills in times.items()
        for place, bill in enumerate(all_bills)
    ]
    return pd.DataFrame(rows, columns=["workload", "arm", "trials", "bill"])


def across(times, budget=1.0, **given):
    budgets = {f"w{place}": budget for place in range(10)}
    return across_workloads(bills(times), budgets, **given).set_index("arm")


def test_scores_have_the_golden_values():
    found = across(GOLDEN)
    assert tuple(found.reset_index().columns) == ACROSS_COLUMNS
    assert found["score"].round(4).to_dict() == {"A": 0.5556, "B": 0.5556, "C": 0.3333}
    assert found["solved"].to_dict() == {"A": 3, "B": 2, "C": 3}
    assert (found["workloads"] == 3).all()


def test_best_scores_come_first_and_equal_ones_by_name():
    assert across(GOLDEN).index.tolist() == ["A", "B", "C"]
    assert across({"z": [1], "y": [2], "x": [2]}).index.tolist() == ["z", "x", "y"]


def test_leaving_a_competitor_out_bounds_the_score():
    found = across(GOLDEN)

    def score(times, arm):
        best = np.nanmin(list(times.values()), axis=0)
        ratios = np.nan_to_num(np.array(times[arm]) / best, nan=math.inf)
        return np.mean(np.maximum(0, 4 - ratios)) / 3

    for arm in GOLDEN:
        without = [
            score({name: t for name, t in GOLDEN.items() if name != other}, arm)
            for other in GOLDEN
            if other != arm
        ]
        assert found.loc[arm, "score_low"] == pytest.approx(min(without))
        assert found.loc[arm, "score_high"] == pytest.approx(max(without))


def test_without_the_best_the_order_of_the_rest_may_change():
    times = {"best": [1, 1, 1], "a": [1.5, 12, 12], "b": [5, 4, 4]}
    found = across(times)
    rest = across({name: times[name] for name in ("a", "b")})
    assert found.loc["a", "score"] > found.loc["b", "score"]
    assert rest.loc["a", "score"] < rest.loc["b", "score"]
    assert found.loc["b", "score_high"] == rest.loc["b", "score"]


def test_an_arm_alone_is_bounded_by_its_score():
    found = across({"A": [3, NEVER]}).loc["A"]
    assert found[["score", "score_low", "score_high"]].tolist() == [0.5] * 3


def test_data_profiles_count_bills_in_ordinary_trainings():
    found = across({"A": [50, 200, NEVER], "B": [10_000, 1600, 25]}, budget=100)
    shares = found[[f"within_{alpha:g}" for alpha in ALPHAS]]
    expected = {
        "A": [0, 1, 1, 2, 2, 2, 2, 2, 2],
        "B": [1, 1, 1, 1, 1, 1, 2, 2, 2],
    }
    for arm, solved in expected.items():
        assert shares.loc[arm].tolist() == pytest.approx([n / 3 for n in solved])


def test_workloads_have_budgets_of_their_own():
    table = bills({"A": [100, 100]})
    found = across_workloads(table, {"w0": 100, "w1": 50}).set_index("arm").loc["A"]
    assert found["within_1"] == 0.5
    assert found["within_2"] == 1


@pytest.mark.slow
@given(
    times=st.lists(
        st.lists(st.floats(0.1, 100), min_size=3, max_size=3), min_size=2, max_size=5
    )
)
def test_a_competitor_changes_no_data_profile_and_a_scale_no_score(times):
    arms = {f"arm{place}": row for place, row in enumerate(times)}
    found = across(arms)
    shares = [f"within_{alpha:g}" for alpha in ALPHAS]
    fewer = across({arm: row for arm, row in arms.items() if arm != "arm0"})
    assert fewer[shares].equals(found.loc[fewer.index, shares])
    scaled = across({arm: [8 * t for t in row] for arm, row in arms.items()})
    scores = ["score", "score_low", "score_high"]
    pd.testing.assert_frame_equal(scaled.loc[found.index, scores], found[scores])


def test_mean_ratios_are_geometric_over_what_both_have_solved():
    times = {"A": [2, 8, 5], "B": [1, 1, NEVER], "C": [NEVER, 3, 5], "D": [NEVER] * 3}
    found = across(times, reference="B")
    assert found["in_how_many"].to_dict() == {"A": 2, "B": 2, "C": 1, "D": 0}
    assert found.loc["A", "mean_ratio"] == pytest.approx(4)
    assert found.loc["B", "mean_ratio"] == 1
    assert found.loc["C", "mean_ratio"] == pytest.approx(3)
    assert math.isnan(found.loc["D", "mean_ratio"])
    for reference in (None, "absent"):
        without = across(times, reference=reference)
        assert without["mean_ratio"].isna().all()
        assert (without["in_how_many"] == 0).all()


def test_a_bill_of_nothing_has_no_ratio():
    found = across({"A": [0, 6], "B": [1, 2]}, reference="B").loc["A"]
    assert (found["mean_ratio"], found["in_how_many"]) == (pytest.approx(3), 1)


def test_a_workload_that_was_not_tried_is_not_solved_and_said_so():
    table = pd.concat([bills({"A": [1, 2]}), bills({"B": [1]}, trials=1)])
    later = bills({"C": [NEVER, NEVER]}, trials=0)
    found = across_workloads(pd.concat([table, later]), {"w0": 1, "w1": 1})
    found = found.set_index("arm")
    assert found["tried"].to_dict() == {"A": 2, "B": 1, "C": 0}
    assert found["solved"].to_dict() == {"A": 2, "B": 1, "C": 0}
    assert found.loc["B", "score"] == 0.5
    assert (found["workloads"] == 2).all()


def test_it_reads_the_bills_of_a_study():
    trials = table(
        *runs("a", 400, 500), *runs("b", None, 300), *runs("b", 200, workload="wine")
    )
    budgets = {"digits": 1000.0, "wine": 1000.0}
    found = across_workloads(arm_bills(trials), budgets, "b").set_index("arm")
    assert found.loc["a", "mean_ratio"] == pytest.approx(450 / 1300)
    assert found.loc["b", "within_0.25"] == 0.5
    again = across_workloads(arm_bills(shuffled(trials)), budgets, "b").set_index("arm")
    pd.testing.assert_frame_equal(again, found, check_exact=True)


def test_profiles_for_drawing_rise_to_what_is_solved():
    budgets = dict.fromkeys(("w0", "w1", "w2"), 1.0)
    found = budget_profiles(bills(GOLDEN), budgets, [8, 0.5, 2, 2])
    assert found.columns.tolist() == ["arm", "alpha", "share"]
    shares = {arm: one["share"].tolist() for arm, one in found.groupby("arm")}
    thirds = {"A": [0, 2, 3], "B": [0, 2, 2], "C": [0, 1, 2]}
    for arm, solved in thirds.items():
        assert shares[arm] == pytest.approx([n / 3 for n in solved])


def test_no_bills_are_no_arms():
    assert tuple(across_workloads(bills({}), {}).columns) == ACROSS_COLUMNS
    assert across_workloads(bills({}), {}).empty
    assert budget_profiles(bills({}), {}).empty


@pytest.mark.parametrize("budget", [0, math.nan, math.inf, -1])
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(ValueError, match="`budgets` must be finite and above 0"):
        across({"A": [1]}, budget=budget)


def test_what_cannot_be_read_is_refused():
    good = bills({"A": [1]})
    with pytest.raises(ValueError, match="`budgets` must be finite"):
        across_workloads(good, {})
    with pytest.raises(ValueError, match="missing \\['bill'\\]"):
        across_workloads(good.drop(columns="bill"), {"w0": 1})
    with pytest.raises(ValueError, match="got two of 'A' on 'w0'"):
        across_workloads(pd.concat([good, good]), {"w0": 1})
    with pytest.raises(ValueError, match="`r_max`"):
        across_workloads(good, {"w0": 1}, r_max=1)
    with pytest.raises(ValueError, match="negative"):
        across_workloads(bills({"A": [-1]}), {"w0": 1})
