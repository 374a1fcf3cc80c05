import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpo_vs_adapt.metrics import reference_ratios
from hpo_vs_adapt.metrics.costs.paired import PAIRED_COLUMNS, paired_ratios
from tests.metrics.builder import BUDGET, runs, shuffled, table, trial


def of(arm, trials, reference="b", **given):
    return paired_ratios(trials, reference, **given).set_index("arm").loc[arm]


def lucky(rng, seeds, ratio=1.1, luck=0.3, own=0.02):
    """Costs of two arms whose seeds are slow or quick together."""
    shared = np.exp(rng.normal(0, luck, seeds))
    ours = 300 * ratio * shared * np.exp(rng.normal(0, own, seeds))
    return ours, 300 * shared * np.exp(rng.normal(0, own, seeds))


def test_the_ratio_is_that_of_bills_over_shared_seeds():
    ours, theirs = runs("a", 300, 500, None, 700), runs("b", 200, None, 250)
    found = of("a", table(*ours, *theirs))
    assert found["ratio"] == pytest.approx((800 + BUDGET) / 2 / ((450 + BUDGET) / 2))
    assert found["shared"] == 3
    assert found["low"] < found["ratio"] < found["high"]


def test_the_interval_is_that_of_the_mean_difference_where_all_hit():
    rng = np.random.default_rng(3)
    ours, theirs = lucky(rng, 12, luck=0.01, own=0.01)
    found = of("a", table(*runs("a", *ours), *runs("b", *theirs)))
    # With so little spread log ratios of sums are means of log ratios.
    expected = stats.ttest_rel(np.log(ours), np.log(theirs)).confidence_interval()
    bounds = np.log([found["low"], found["high"]])
    assert bounds == pytest.approx([expected.low, expected.high], rel=0.02)


@pytest.mark.parametrize("times", [1, 8])
def test_the_interval_is_students_on_differences_of_influences_by_hand(times):
    ours, theirs = [300, 500, None] * times, [200, None, 300] * times
    found = of("a", table(*runs("a", *ours), *runs("b", *theirs)))
    # Means 600 and 500, two hits of three: c / mean - h / (2 / 3) is -1, -2/3, 5/3 and
    # -1.1, 2, -0.9; the differences are 0.1, -8/3, 77/30.
    squares = times * (0.1**2 + (8 / 3) ** 2 + (77 / 30) ** 2)
    n = 3 * times
    away = stats.t.ppf(0.975, n - 1) * math.sqrt(squares / (n * (n - 1)))
    assert found["ratio"] == pytest.approx(1.2)
    assert found["low"] == pytest.approx(1.2 * math.exp(-away))
    assert found["high"] == pytest.approx(1.2 * math.exp(away))


@pytest.mark.parametrize("seeds", [5, 30])
def test_shared_luck_makes_the_interval_narrower(seeds):
    rng = np.random.default_rng(1)
    ours, theirs = lucky(rng, seeds)
    trials = table(*runs("a", *ours), *runs("b", *theirs))
    paired = of("a", trials)
    apart = reference_ratios(trials, "b").set_index("arm").loc["a"]
    assert paired["ratio"] == pytest.approx(apart["ratio"])
    width = math.log(paired["high"] / paired["low"])
    assert width < math.log(apart["high"] / apart["low"]) / 3
    assert paired["low"] < 1.1 < paired["high"]


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.3, 1.0])
@pytest.mark.parametrize("seeds", [12, 30])
def test_paired_intervals_cover_the_true_ratio(seeds, p):
    rng = np.random.default_rng(7)
    rows = []
    for repetition in range(400):
        luck = rng.random(seeds)
        for arm, costs in zip("ab", lucky(rng, seeds, own=0.1), strict=True):
            # Seven seeds in ten are hit or missed by both.
            chance = np.where(rng.random(seeds) < 0.7, luck, rng.random(seeds))
            at = [c if u < p else None for c, u in zip(costs, chance, strict=True)]
            rows += runs(arm, *at, workload=str(repetition))
    found = paired_ratios(table(*rows), "b").set_index("arm").loc["a"].dropna()
    mean = 300 * math.exp((0.3**2 + 0.1**2) / 2)  # of a log-normal cost
    misses = (1 - p) / p * BUDGET
    truth = (1.1 * mean + misses) / (mean + misses)
    covered = ((found["low"] <= truth) & (truth <= found["high"])).mean()
    # 95 %, and three standard errors of this simulation (1.1 %); above: cautious.
    assert covered > 0.917


def test_streams_of_a_tuned_arm_pair_with_the_seeds_of_another():
    tuned = [
        row
        for stream, at in enumerate([(None, 300), (400, 100), (None, None)])
        for row in runs("a", *at, by="optuna", stream=stream)
    ]
    single = runs("b", 500, 600, 700, None)
    found = of("a", table(*tuned, *single))
    spent = (BUDGET + 300) + 400 + 2 * BUDGET
    assert found["ratio"] == pytest.approx(spent / 2 / (1800 / 3))
    assert found["shared"] == 3


def test_the_passes_of_a_random_stream_are_one_unit():
    tuned = [
        row
        for stream, at in enumerate([(None, 300), (400, 100, 150)])
        for row in runs("a", *at, by="random", stream=stream)
    ]
    found = of("a", table(*tuned, *runs("b", 500, 600)))
    assert found["ratio"] == pytest.approx((BUDGET + 950) / 4 / 550)
    assert found["shared"] == 2


@pytest.mark.parametrize("last", [400, None])
def test_the_reference_is_exactly_one(last):
    found = of("b", table(*runs("b", 300, last)))
    assert found[["ratio", "low", "high"]].tolist() == [1, 1, 1]
    assert found["shared"] == 2


def test_a_cheaper_failure_lowers_the_ratio_of_who_fails():
    trials = table(*runs("a", 300, None), *runs("b", 200, 250))
    assert of("a", trials)["ratio"] == pytest.approx(1300 / 225)
    assert of("a", trials, failure_price=0.5)["ratio"] == pytest.approx(800 / 225)


@pytest.mark.parametrize(
    ("ours", "theirs", "shared"),
    [
        (runs("a", None, None), runs("b", 300, 400), 2),
        (runs("a", 300, 400), runs("b", None, None), 2),
        (runs("a", 300, 400), [], 0),
        (runs("a", 300), [trial("b", 1, 400)], 0),
        (runs("a", 300, None), [trial("b", 1, 400)], 1),
        (runs("a", 0, 0), runs("b", 0, 0), 2),
    ],
)
def test_without_a_hit_on_both_sides_there_is_no_ratio(ours, theirs, shared):
    found = of("a", table(*ours, *theirs))
    assert found[["ratio", "low", "high"]].isna().all()
    assert found["shared"] == shared


def test_one_shared_seed_has_a_ratio_and_no_interval():
    found = of("a", table(*runs("a", 300), *runs("b", 200, 100)))
    assert found["ratio"] == 1.5
    assert found[["low", "high"]].isna().all()


def test_third_arms_and_the_order_of_rows_change_nothing():
    rng = np.random.default_rng(2)
    rows = [row for name in "abc" for row in runs(name, *rng.uniform(100, 900, 25))]
    found = paired_ratios(table(*rows), "b")
    again = paired_ratios(shuffled(table(*rows)), "b")
    pd.testing.assert_frame_equal(again, found, check_exact=True)
    pair = table(*(row for row in rows if row["arm"] != "c"))
    alone = paired_ratios(pair, "b")
    pd.testing.assert_frame_equal(alone, found.iloc[:2], check_exact=True)


def test_no_trials_are_no_ratios():
    found = paired_ratios(table(), "b")
    assert tuple(found.columns) == PAIRED_COLUMNS
    assert found.empty


def test_what_cannot_be_read_is_refused():
    trials = table(*runs("a", 300))
    for confidence in (0, 1, 95):
        with pytest.raises(ValueError, match="`confidence` must be between"):
            paired_ratios(trials, "a", confidence=confidence)
    with pytest.raises(ValueError, match="missing \\['by'\\]"):
        paired_ratios(trials.drop(columns="by"), "a")
