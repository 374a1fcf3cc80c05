"""How sure a change is: pairs, intervals, and what luck alone would find."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpo_vs_adapt.metrics import reference_ratios
from hpo_vs_adapt.report.compare.arm_trials import ArmTrials, arm_trials, paired_bounds
from hpo_vs_adapt.report.compare.changes import best_change, bill_change, hits_change

PLACE = ("w", "a")


def single(
    costs: Sequence[float], seeds: Sequence[int] | None = None, name: str = ""
) -> pd.DataFrame:
    """Return trials of an arm without `tune`; a cost of inf is a miss that spent 100.

    Best metrics are the costs' logarithms, 0 where the target was missed.
    """
    seeds = range(len(costs)) if seeds is None else seeds
    rows = [
        {
            **{"workload": "w", "arm": "a", "kind": "fixed", "by": "single"},
            **{"role": "policy", "stream": -1, "number": number, "settings": {}},
            **{"key": f"{name}{seed}-{cost}", "rule": "sgd", "batch_size": 1},
            **{"seed": seed, "end": "budget", "failed": False, "hit": cost < math.inf},
            **{"cost": 100.0, "cost_to_target": cost},
            "best_metric": math.log(cost) if cost < math.inf else 0.0,
        }
        for number, (cost, seed) in enumerate(zip(costs, seeds, strict=True))
    ]
    return pd.DataFrame(rows)


def sides(first: pd.DataFrame, other: pd.DataFrame) -> tuple[ArmTrials, ArmTrials]:
    one, two = (arm_trials(trials, {"w": "max"})[PLACE] for trials in (first, other))
    return one, two


def bill_bounds(first: pd.DataFrame, other: pd.DataFrame) -> Any:
    paired = paired_bounds(first, other)
    return bill_change(*sides(first, other), lambda level: paired(PLACE, level))


def test_bills_over_the_same_seeds_are_paired():
    first, other = single([100, 200, 300]), single([60, 90, 150], name="b")
    change = bill_bounds(first, other)
    assert (change.first, change.other, change.change) == (200, 100, 0.5)
    assert change.paired == 3
    # influences c / mean - 1: (-0.5, 0, 0.5) and (-0.4, -0.1, 0.5); the differences
    # 0.1, -0.1, 0 have a sum of squares of 0.02, so se^2 = 0.02 / (3 * 2)
    away = stats.t.ppf(0.975, 2) * math.sqrt(0.02 / 6)
    assert change.bounds(0.95) == pytest.approx(
        (0.5 * math.exp(-away), 0.5 * math.exp(away))
    )


def test_bills_in_proportion_for_every_seed_have_an_interval_without_width():
    change = bill_bounds(single([100, 200, 300]), single([50, 100, 150], name="b"))
    assert change.bounds(0.95) == pytest.approx((0.5, 0.5))


def test_bills_over_other_seeds_are_independent_and_agree_with_reference_ratios():
    first = single([100, 200, 300, math.inf])
    other = single([60, 90, 150, 80, 70], seeds=range(5, 10), name="b")
    change = bill_bounds(first, other)
    both = pd.concat([first.assign(arm="one"), other.assign(arm="two")])
    ratios = reference_ratios(both, "one", samples=200_000).set_index("arm")
    assert change.paired == 0
    assert change.change == pytest.approx(ratios.loc["two", "ratio"])
    low, high = change.bounds(0.95)
    assert low == pytest.approx(ratios.loc["two", "low"], rel=0.05)
    assert high == pytest.approx(ratios.loc["two", "high"], rel=0.05)


def test_streams_whose_trials_have_seeds_of_their_own_are_not_paired():
    tuned = {"by": "random", "kind": "tuned", "stream": [0, 0, 1, 1]}
    first, other = single([10, 20, 30, 40]), single([11, 22, 33, 44], name="b")
    fresh = bill_bounds(first.assign(**tuned), other.assign(**tuned))
    assert fresh.paired == 0
    shared = {**tuned, "seed": [0, 0, 1, 1]}
    assert bill_bounds(first.assign(**shared), other.assign(**shared)).paired == 2


def test_a_single_pass_tells_nothing_of_the_noise():
    change = bill_bounds(single([100]), single([50], name="b"))
    assert change.change == 0.5
    assert all(math.isnan(bound) for bound in change.bounds(0.95))


def test_best_metrics_have_students_interval_paired_or_welchs():
    rng = np.random.default_rng(0)
    ours, theirs = rng.lognormal(1, 1, 6), rng.lognormal(2, 0.3, 6)
    first, other = single(list(ours)), single(list(theirs), name="b")
    paired = best_change(*sides(first, other))
    expected = stats.ttest_rel(np.log(theirs), np.log(ours)).confidence_interval(0.9)
    assert paired.bounds(0.9) == pytest.approx(tuple(expected))
    apart = single(list(theirs), seeds=range(10, 16), name="b")
    welch = best_change(*sides(first, apart))
    test = stats.ttest_ind(np.log(theirs), np.log(ours), equal_var=False)
    assert welch.bounds(0.9) == pytest.approx(tuple(test.confidence_interval(0.9)))
    assert (paired.paired, welch.paired) == (6, 0)
    assert welch.change == pytest.approx(np.log(theirs).mean() - np.log(ours).mean())


def test_shares_of_hits_have_newcombes_interval():
    # Newcombe 1998, table II, (a): 56/70 - 48/80 = 0.2, method 10: 0.0524 to 0.3339
    first = single([1.0] * 48 + [math.inf] * 32)
    other = single([1.0] * 56 + [math.inf] * 14, name="b")
    change = hits_change(*sides(first, other))
    assert change.change == pytest.approx(0.2)
    assert change.bounds(0.95) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize("cost", [1.0, math.inf])
def test_where_all_hit_or_none_no_difference_of_shares_could_show(cost):
    change = hits_change(*sides(single([cost] * 3), single([cost] * 5, name="b")))
    assert change.change == 0
    assert all(math.isnan(bound) for bound in change.bounds(0.95))


@pytest.mark.slow  # thousands of trials
def test_luck_alone_leaves_one_interval_in_twenty():
    rng = np.random.default_rng(5)

    def draw(name: str) -> pd.DataFrame:
        costs = rng.lognormal(5, 0.5, (400, 5))
        arms = [
            single(list(own), name=name).assign(arm=f"{i}")
            for i, own in enumerate(costs)
        ]
        return pd.concat(arms, ignore_index=True)

    first, other = draw(""), draw("b")
    paired = paired_bounds(first, other)
    modes = {"w": "max"}
    ours, theirs = arm_trials(first, modes), arm_trials(other, modes)
    bills, bests = [], []
    for place, one in ours.items():
        low, high = paired(place, 0.95)
        bills.append(not low <= 1 <= high)
        low, high = best_change(one, theirs[place]).bounds(0.95)
        bests.append(not low <= 0 <= high)
    # binomial, 400 of 5 %: 99.9 % lie between 7 and 36; bills are a little too narrow
    assert 7 <= sum(bests) <= 36
    assert 7 <= sum(bills) <= 45
