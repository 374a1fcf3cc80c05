import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpo_vs_adapt.metrics import (
    ert_interval,
    expected_running_time,
    first_probability,
    log_ert_quantiles,
)

BUDGET = 1.0


def simulated(rng, p, n):
    """Passes that hit with probability `p`, at a random share of the budget."""
    hits = rng.random(n) < p
    return np.where(hits, rng.uniform(0.2, 0.8, n), BUDGET), hits


def table(**arms):
    rows = [
        {"workload": "digits", "arm": arm, "cost": cost, "hit": hit}
        for arm, (costs, hits) in arms.items()
        for cost, hit in zip(costs, hits, strict=True)
    ]
    return pd.DataFrame(rows, columns=["workload", "arm", "cost", "hit"])


def chances(**arms):
    found = first_probability(table(**arms))
    return dict(zip(found["arm"], found["first_probability"], strict=True))


def test_equal_hits_leave_students_interval_of_the_logarithm():
    costs = np.array([4.0, 5.0, 7.0])
    low, high = ert_interval(costs, [True] * 3)
    # With hits alone, theta = log(mean) and se = sd / (mean * sqrt(n)).
    spread = costs.std(ddof=1) / costs.mean() / math.sqrt(3) * stats.t.ppf(0.975, 2)
    assert low == pytest.approx(costs.mean() * math.exp(-spread))
    assert high == pytest.approx(costs.mean() * math.exp(spread))


def test_the_standard_error_is_that_of_the_delta_method():
    costs, hits = [3.0, 8.0, 2.0, 5.0], [1, 0, 1, 1]
    n, c, h = 4, np.mean(costs), np.mean(hits)
    cov = np.cov(costs, hits)
    variance = (cov[0, 0] / c**2 - 2 * cov[0, 1] / (c * h) + cov[1, 1] / h**2) / n
    middle, high = log_ert_quantiles(costs, hits, [0.5, 0.9])
    assert middle == pytest.approx(math.log(6))
    assert high - middle == pytest.approx(math.sqrt(variance) * stats.t.ppf(0.9, n - 1))


def test_from_twenty_passes_on_the_bootstrap_takes_over():
    costs = np.geomspace(1, 50, 20)  # skewed, which Student's t does not see

    def of_student(passes):
        n, mean = len(passes), passes.mean()
        error = passes.std(ddof=1) / mean / math.sqrt(n)
        return mean * np.exp(error * stats.t.ppf([0.025, 0.975], n - 1))

    assert ert_interval(costs[:19], [True] * 19) == pytest.approx(
        of_student(costs[:19])
    )
    low, high = np.log(ert_interval(costs, [True] * 20) / of_student(costs))
    assert low > 0.02
    assert abs(high) > 0.02


@pytest.mark.parametrize("n", [2, 5, 19, 20, 40])
def test_intervals_hold_the_estimate_and_scale_with_costs(n):
    costs, hits = simulated(np.random.default_rng(n), 0.7, n)
    hits[0] = True
    low, high = ert_interval(costs, hits)
    assert 0 < low < expected_running_time(costs, hits) < high
    assert ert_interval(1e6 * costs, hits) == pytest.approx((1e6 * low, 1e6 * high))
    wider = ert_interval(costs, hits, confidence=0.99)
    assert wider[0] < low
    assert wider[1] > high


@pytest.mark.parametrize("n", [6, 30])
def test_intervals_do_not_depend_on_the_order_of_passes(n):
    rng = np.random.default_rng(n)
    costs, hits = simulated(rng, 0.5, n)
    expected = ert_interval(costs, hits)
    for _ in range(10):
        order = rng.permutation(n)
        assert ert_interval(costs[order], hits[order]) == expected


@pytest.mark.parametrize("passes", [([], []), ([5.0], [True]), ([5.0] * 30, [0] * 30)])
def test_without_a_hit_or_a_second_pass_there_is_no_interval(passes):
    assert np.isnan(ert_interval(*passes)).all()


def test_equal_passes_have_an_interval_of_no_width():
    assert ert_interval([5.0] * 3, [True] * 3) == pytest.approx((5, 5))
    assert ert_interval([5.0] * 25, [True] * 25) == pytest.approx((5, 5))


def test_few_hits_make_wide_intervals_and_one_of_many_has_no_upper_bound():
    def ratio(hits, n):
        low, high = ert_interval([BUDGET] * n, [True] * hits + [False] * (n - hits))
        return high / low

    assert ratio(2, 10) > 10 > ratio(8, 10)
    assert ratio(1, 30) == math.inf
    assert ratio(2, 30) > 10
    assert math.isfinite(ratio(10, 30))


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
        ert_interval([1, 2], [True, True], confidence)


def test_bounds_beyond_all_numbers_are_infinite():
    low, high = ert_interval([1.0, 1e9], [True, False], confidence=0.9999)
    assert (low, high) == (0, math.inf)


def test_passes_that_cost_nothing_have_an_interval_if_any_costs_something():
    costs, hits = [0.0, 0.0, 0.0, 5.0], [False, False, True, True]
    for times in (1, 10):  # Student's t, the bootstrap
        low, high = ert_interval(costs * times, hits * times)
        assert 0 <= low < 2.5 < high
        assert np.isnan(ert_interval([0.0] * 4 * times, hits * times)).all()
    # A resample of nothing but misses that cost nothing has no bill.
    low, high = ert_interval([0.0] * 24 + [5.0], [False] * 24 + [True])
    assert low == pytest.approx(5)
    assert high == math.inf


@pytest.mark.parametrize("probability", [0, 1, -1, math.nan])
def test_a_probability_outside_its_range_is_refused(probability):
    with pytest.raises(ValueError, match="`probabilities` must be strictly"):
        log_ert_quantiles([1, 2], [True, True], [0.5, probability])


def test_first_needs_draws():
    with pytest.raises(ValueError, match="`samples` must be at least 1; got 0"):
        first_probability(table(a=([5.0], [1])), samples=0)


def test_the_first_is_the_arm_with_the_least_bill():
    rng = np.random.default_rng(2)
    cheap, dear = rng.uniform(90, 110, 5), rng.uniform(900, 1100, 5)
    found = chances(cheap=(cheap, [True] * 5), dear=(dear, [True] * 5))
    assert found["cheap"] > 0.99
    assert sum(found.values()) == pytest.approx(1)


def test_the_probability_to_be_first_is_that_of_two_students():
    a, b = [4.0, 5.0, 7.0, 6.0], [5.0, 6.0, 9.0, 8.0]
    rng = np.random.default_rng(8)

    def draws(costs):
        mean = np.mean(costs)
        error = np.std(costs, ddof=1) / mean / 2
        return math.log(mean) + error * rng.standard_t(3, 400_000)

    expected = np.mean(draws(a) < draws(b))
    found = chances(a=(a, [True] * 4), b=(b, [True] * 4))
    assert found["a"] == pytest.approx(expected, abs=0.01)


def test_the_first_of_arms_with_many_passes_is_that_of_most_resamples():
    rng = np.random.default_rng(1)
    a, b = simulated(rng, 0.8, 30), simulated(rng, 0.7, 30)

    def resampled(costs, hits):
        drawn = rng.integers(30, size=(20_000, 30))
        return costs[drawn].sum(axis=1) / hits[drawn].sum(axis=1)

    expected = np.mean(resampled(*a) < resampled(*b))
    assert 0.6 < expected < 0.95
    assert chances(a=a, b=b)["a"] == pytest.approx(expected, abs=0.02)


def test_equal_arms_share_the_first_place():
    found = chances(a=([5.0] * 3, [1] * 3), b=([5.0] * 3, [1] * 3), c=([9.0], [0]))
    assert found == {"a": 0.5, "b": 0.5, "c": 0.0}
    spread = [4.0, 5.0, 7.0]
    found = chances(a=(spread, [1] * 3), b=(spread, [1] * 3))
    assert found["a"] == pytest.approx(0.5, abs=0.02)


def test_an_arm_without_a_hit_is_never_first():
    assert chances(a=([9.0] * 3, [1] * 3), b=([1.0] * 3, [0] * 3)) == {"a": 1, "b": 0}
    assert chances(a=([9.0], [0]), b=([1.0], [0])) == {"a": 0, "b": 0}
    assert first_probability(table()).empty


def test_a_single_pass_leaves_open_who_is_first():
    found = chances(a=([5.0], [1]), b=([6.0, 7.0], [1, 1]), c=([1.0], [0]))
    assert math.isnan(found["a"])
    assert math.isnan(found["b"])
    assert found["c"] == 0


def test_the_order_of_arms_and_rows_changes_no_probability():
    rng = np.random.default_rng(4)
    arms = {
        name: simulated(rng, 0.8, n) for name, n in zip("abc", (4, 9, 25), strict=True)
    }
    found = first_probability(table(**arms))
    for order in itertools.permutations("abc"):
        again = first_probability(table(**{name: arms[name] for name in order}))
        assert again.equals(found)
    rows = table(**arms).sample(frac=1, random_state=1)
    assert first_probability(rows).equals(found)


def test_workloads_are_ranked_apart():
    one = table(a=([1.0, 1.1], [1, 1]), b=([9.0, 9.1], [1, 1]))
    two = table(a=([1.0, 1.1], [0, 0]), b=([9.0, 9.1], [1, 1]))
    both = pd.concat([one, two.assign(workload="wine")])
    found = first_probability(both).set_index(["workload", "arm"])["first_probability"]
    assert found["digits", "a"] > 0.9
    assert found["wine", "a"] == 0
