import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.suites.pairwise import IMPROVEMENT_COLUMNS, improvement
from tests.metrics.builder import runs, shuffled, table

Crossings = st.lists(st.one_of(st.none(), st.integers(1, 9)), min_size=1, max_size=5)


def of(arm, against, trials, **given):
    found = improvement(trials, **given).set_index(["arm", "against"])
    return found.loc[(arm, against)]


@pytest.mark.slow
@given(ours=Crossings, theirs=Crossings)
def test_the_probability_is_the_share_of_pairs_won(ours, theirs):
    trials = table(*runs("a", *ours), *runs("b", *theirs))
    costs = [[math.inf if c is None else c for c in arm] for arm in (ours, theirs)]
    wins = [(a < b) + (a == b) / 2 for a, b in itertools.product(*costs)]
    found = of("a", "b", trials)
    assert found["probability"] == pytest.approx(np.mean(wins))
    assert 0 <= found["low"] <= found["probability"] <= found["high"] <= 1


def test_workloads_are_averaged_equally_however_many_passes_they_have():
    rows = [
        *runs("a", 100, 200, 300, 400),
        *runs("b", 250, 250),
        *runs("a", 100, workload="wine"),
        *runs("b", 900, workload="wine"),
    ]
    found = of("a", "b", table(*rows))
    assert found["probability"] == pytest.approx((0.5 + 1) / 2)
    assert found["workloads"] == 2


def test_only_shared_workloads_count():
    rows = [*runs("a", 100), *runs("b", 200), *runs("a", 900, workload="wine")]
    found = of("a", "b", table(*rows))
    assert found["probability"] == 1
    assert found["workloads"] == 1
    apart = table(*runs("a", 100), *runs("b", 900, workload="wine"))
    assert improvement(apart).empty


def test_two_passes_that_never_hit_are_a_tie():
    found = of("a", "b", table(*runs("a", None, None), *runs("b", None)))
    assert found["probability"] == 0.5


def test_exchanging_the_arms_mirrors_everything():
    rng = np.random.default_rng(3)
    rows = [*runs("a", *rng.random(7)), *runs("b", *rng.random(4), None)]
    there, back = of("a", "b", table(*rows)), of("b", "a", table(*rows))
    assert there["probability"] + back["probability"] == pytest.approx(1)
    assert there["low"] + back["high"] == pytest.approx(1)
    assert there["high"] + back["low"] == pytest.approx(1)


def test_few_passes_that_always_win_are_not_sure_to():
    few = of("a", "b", table(*runs("a", 1, 2, 3), *runs("b", 7, 8, 9)))
    many = of("a", "b", table(*runs("a", *range(1, 30)), *runs("b", *range(50, 80))))
    assert few["probability"] == many["probability"] == 1
    assert few["high"] == many["high"] == 1
    assert few["low"] < 0.6
    assert 0.8 < many["low"] < 1


@pytest.mark.parametrize("workloads", [1, 2])
def test_the_interval_holds_what_its_equation_allows(workloads):
    rows = [*runs("a", 1, 2, 6), *runs("b", 3, 5, 7, 9)]
    if workloads == 2:
        rows += runs("a", 1, 9, workload="wine")
        rows += runs("b", 4, 5, 6, 7, 8, workload="wine")
    found = of("a", "b", table(*rows), confidence=0.9)
    p = np.linspace(0, 1, 100_001)
    variance = 0.0
    for m, n in [(3, 4), (2, 5)][:workloads]:
        alike = (m + n) / 2 - 1
        more = alike * ((1 - p) / (2 - p) + p / (1 + p))
        variance = variance + p * (1 - p) * (1 + more) / (m * n) / workloads**2
    allowed = p[np.abs(found["probability"] - p) <= 1.6448536 * np.sqrt(variance)]
    assert found["low"] == pytest.approx(allowed.min(), abs=2e-5)
    assert found["high"] == pytest.approx(allowed.max(), abs=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "n"), [(1, 10), (3, 5), (9, 5)])
def test_intervals_cover_the_true_probability(ratio, n):
    rng = np.random.default_rng(5)
    repetitions, covered = 300, 0
    rows = []
    for name in range(repetitions):
        rows += runs(f"a{name}", *rng.exponential(1, n))
        rows += runs(f"b{name}", *rng.exponential(ratio, n))
    found = improvement(table(*rows)).set_index(["arm", "against"])
    for name in range(repetitions):
        one = found.loc[(f"a{name}", f"b{name}")]
        covered += one["low"] <= ratio / (1 + ratio) <= one["high"]
    # 95 %, and three standard errors of this simulation (1.3 %).
    assert 0.91 < covered / repetitions < 0.99


def test_a_reference_leaves_the_comparisons_with_it():
    rows = [row for name in "abc" for row in runs(name, 100, 200)]
    assert len(improvement(table(*rows))) == 6
    found = improvement(table(*rows), "b")
    assert found["arm"].tolist() == ["a", "c"]
    assert (found["against"] == "b").all()
    assert improvement(table(*rows), "absent").empty


def test_a_tuned_arm_is_compared_by_its_passes():
    tuned = runs("a", None, 300, by="optuna", stream=0)
    tuned += runs("a", 100, None, by="optuna", stream=1)
    trials = table(*tuned, *runs("b", 600))
    assert of("a", "b", trials)["probability"] == 0.5
    assert of("a", "b", trials, failure_price=0.1)["probability"] == 1


def test_third_arms_and_the_order_of_rows_change_nothing():
    rng = np.random.default_rng(2)
    rows = [row for name in "abc" for row in runs(name, *rng.random(6), None)]
    found = improvement(table(*rows))
    again = improvement(shuffled(table(*rows)))
    pd.testing.assert_frame_equal(again, found, check_exact=True)
    pair = improvement(table(*(row for row in rows if row["arm"] != "c")))
    kept = found[(found["arm"] != "c") & (found["against"] != "c")]
    pd.testing.assert_frame_equal(pair, kept.reset_index(drop=True), check_exact=True)


def test_fewer_than_two_arms_are_no_comparison():
    for trials in (table(), table(*runs("a", 100))):
        found = improvement(trials)
        assert tuple(found.columns) == IMPROVEMENT_COLUMNS
        assert found.empty


@pytest.mark.parametrize("confidence", [0, 1, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match="`confidence` must be between"):
        improvement(table(), confidence=confidence)
