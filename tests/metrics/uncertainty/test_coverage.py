"""How often intervals hold the known bill of simulated policies.

`python -m tests.metrics.uncertainty.test_coverage` prints the tables.
"""

import math
import sys

import numpy as np
import pytest
from scipy import stats

from hpo_vs_adapt.metrics.uncertainty.coverage import INTERVAL_COVERAGE, interval_note
from hpo_vs_adapt.metrics.uncertainty.intervals import ert_interval

BUDGET = 1.0  # what a miss costs; a hit costs 0.2 to 0.8, 0.5 in the mean
REPETITIONS = 2000


def bill(p):
    """What a policy costs that tries until a hit, each with probability `p`."""
    return 0.5 + (1 - p) / p * BUDGET


def measured(p, n, repetitions=REPETITIONS, seed=7):
    """Shares of intervals of n passes that hold the bill, and of passes without one."""
    rng = np.random.default_rng(seed)
    bounds = np.empty((repetitions, 2))
    for row in bounds:
        hits = rng.random(n) < p
        row[:] = ert_interval(np.where(hits, rng.uniform(0.2, 0.8, n), BUDGET), hits)
    known = bounds[~np.isnan(bounds[:, 0])]
    held = (known[:, 0] <= bill(p)) & (bill(p) <= known[:, 1])
    return held.mean(), 1 - len(known) / repetitions


def measured_given(hits, misses, repetitions, seed=3):
    """Share of intervals that hold the bill, of policies that gave hits and misses.

    If every probability of a hit is as likely before, then afterwards it has a beta
    distribution (Bayes's billiard table).
    """
    rng = np.random.default_rng(seed)
    held = 0
    for p in rng.beta(hits + 1, misses + 1, repetitions):
        costs = [*rng.uniform(0.2, 0.8, hits), *[BUDGET] * misses]
        low, high = ert_interval(costs, [True] * hits + [False] * misses)
        held += low <= bill(p) <= high
    return held / repetitions


@pytest.mark.slow
@pytest.mark.parametrize(("p", "n"), [(0.1, 100), (0.25, 40), (0.5, 20), (1.0, 10)])
def test_intervals_cover_the_true_bill_at_ten_expected_hits(p, n):
    covered, without = measured(p, n)
    assert 0.93 <= covered <= 0.97
    assert without < 0.001


@pytest.mark.slow
@pytest.mark.parametrize("hits", INTERVAL_COVERAGE)
def test_the_table_of_coverage_is_what_is_measured(hits):
    for misses, percent in INTERVAL_COVERAGE[hits].items():
        share = percent / 100
        # Three standard errors of 1000 repetitions, and the rounding of the table.
        spread = min(share, 0.995)
        error = 3 * math.sqrt(spread * (1 - spread) / 1000)
        found = measured_given(hits, misses, 1000, seed=hits)
        assert found == pytest.approx(share, abs=error + 0.006)


@pytest.mark.slow
def test_few_hits_that_miss_too_are_held_as_often_as_promised_and_luck_is_not():
    for p, n in ((0.1, 20), (0.25, 8), (0.25, 12), (0.5, 6)):  # 2 or 3 expected hits
        assert measured(p, n)[0] >= 0.93
    assert measured(0.75, 4)[0] < 0.9  # a third of them know of no miss


def test_the_beta_distribution_is_that_of_policies_with_such_passes():
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    alike = p[rng.binomial(5, p) == 3]
    assert stats.kstest(alike, stats.beta(4, 3).cdf).pvalue > 0.01


def test_a_note_says_how_often_the_interval_of_few_hits_holds_the_bill():
    holds = "the interval holds the bill in"
    note = interval_note(passes=13, hits=2)
    assert note == f"2 hits and 11 misses: {holds} about 99 % of such cases."
    note = interval_note(passes=2, hits=1)
    assert note == f"1 hit and 1 miss: {holds} more than 99 % of such cases."
    assert "about 92 %" in interval_note(13, 12)


def test_a_note_says_that_passes_which_all_hit_know_of_no_miss():
    note = interval_note(3, 3)
    assert note.startswith("All 3 passes hit")
    assert "up to 63 % may" in note  # 0.37^3 = 0.05
    assert "about 76 %" in note
    unseen = stats.binomtest(0, 3).proportion_ci(0.9, "exact").high
    assert unseen == pytest.approx(0.63, abs=0.005)
    assert "up to 5 % may" in interval_note(58, 58)
    assert interval_note(59, 59) is None


def test_enough_hits_and_misses_need_no_note():
    for passes, hits in ((6, 4), (20, 10), (100, 98)):
        assert interval_note(passes, hits) is None


def test_a_note_says_why_there_is_no_interval():
    for passes in (0, 1, 30):
        assert interval_note(passes, 0).startswith("No pass met the target")
    assert interval_note(1, 1).startswith("A single pass")


@pytest.mark.parametrize(("passes", "hits"), [(2, 3), (2, -1), (-1, -1)])
def test_a_note_refuses_numbers_that_cannot_be(passes, hits):
    with pytest.raises(ValueError, match="`hits` must be between 0 and `passes`"):
        interval_note(passes, hits)


def main():
    """Print what the docstrings of `ert_interval` and `INTERVAL_COVERAGE` say."""
    write = sys.stdout.write
    write("expected hits, probability: percent held, percent without a hit\n")
    for expected in (10, 3, 2):
        for p in (0.1, 0.25, 0.5, 0.75, 1.0):
            held, without = measured(p, round(expected / p))
            write(f"{expected:>3} {p:>5}: {100 * held:5.1f} {100 * without:5.1f}\n")
    write("hits, misses: percent held\n")
    for hits, row in INTERVAL_COVERAGE.items():
        for misses in row:
            share = 100 * measured_given(hits, misses, 10_000)
            write(f"{hits:>3} {misses:>3}: {share:5.1f}\n")


if __name__ == "__main__":
    main()
