import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpo_vs_adapt.metrics.uncertainty.power import POWER_COLUMNS, seeds_needed
from tests.metrics.builder import BUDGET, runs, shuffled, table, trial


def trials(arm, costs, hits=None, per_seed=1, **given):
    """Passes of an arm: trials that hit at their cost, or miss and cost the budget."""
    hits = np.ones(len(costs), dtype=bool) if hits is None else hits
    return [
        trial(arm, number, cost if hit else None, seed=number // per_seed, **given)
        for number, (cost, hit) in enumerate(zip(costs, hits, strict=True))
    ]


def needed(rows, arm, **given):
    found = seeds_needed(table(*rows), **given).set_index("arm").loc[arm]
    return found["seeds"], found["paired_seeds"]


def costs_of(spread, n=400, mean=300.0):
    """Costs with the quantiles of a lognormal distribution."""
    levels = (np.arange(n) + 0.5) / n
    return mean * np.exp(spread * stats.norm.ppf(levels) - spread**2 / 2)


def log_ert(costs, hits):
    """Log ERT of studies (rows) of passes, and its squared standard error."""
    n = costs.shape[1]
    influence = costs / costs.mean(axis=1, keepdims=True)
    influence -= hits / hits.mean(axis=1, keepdims=True)
    error = (influence**2).sum(axis=1) / (n * (n - 1))
    return np.log(costs.sum(axis=1) / hits.sum(axis=1)), error


def found_by_welch(ours, theirs, n):
    """Share of studies in which Welch's test at 5 % finds a difference."""
    (a, va), (b, vb) = ours, theirs
    degrees = (va + vb) ** 2 / ((va**2 + vb**2) / (n - 1))
    p = 2 * stats.t.sf(np.abs(a - b) / np.sqrt(va + vb), degrees)
    return np.mean(p < 0.05)


@pytest.mark.parametrize("spread", [0.03, 0.12, 0.3])
def test_so_many_seeds_find_the_ratio_with_the_power_that_was_asked_for(spread):
    rows = trials("a", costs_of(spread)) + trials("b", costs_of(spread / 2))
    n = int(needed(rows, "a", reference="b")[0])
    rng = np.random.default_rng(3)
    studies = 4000

    def policy(of, mean):
        costs = mean * np.exp(of * rng.standard_normal((studies, n)) - of**2 / 2)
        return log_ert(costs, np.ones_like(costs))

    power = found_by_welch(policy(spread, 1.1), policy(spread / 2, 1.0), n)
    # A few seeds more or less are a step in power; four standard errors are 0.025.
    assert 0.77 < power < (0.95 if n < 5 else 0.84)


def test_misses_are_part_of_the_spread():
    rng = np.random.default_rng(1)
    share, budget = 0.8, BUDGET
    hits = np.arange(500) < share * 500
    rows = trials("a", rng.permutation(costs_of(0.2, 500)), hits)
    n = int(needed(rows, "a", ratio=1.5)[0])
    true = 300 + (1 - share) / share * budget

    def policy(times):
        met = rng.random((3000, n)) < share
        costs = 300 * np.exp(0.2 * rng.standard_normal((3000, n)) - 0.02)
        return log_ert(times * np.where(met, costs, budget), met)

    theta, error = policy(1.0)
    assert theta.mean() == pytest.approx(math.log(true), abs=0.02)
    assert math.sqrt(error.mean()) == pytest.approx(theta.std(), rel=0.05)
    assert found_by_welch(policy(1.5), policy(1.0), n) == pytest.approx(0.8, abs=0.04)
    alone = needed([row for row in rows if row["hit"]], "a", ratio=1.5)[0]
    assert n > 5 * alone


def test_shared_luck_is_not_in_the_paired_test():
    rng = np.random.default_rng(4)
    luck, own = 0.3, 0.05

    def pair(shape):
        shared = luck * rng.standard_normal(shape)
        return [
            np.exp(shared + own * rng.standard_normal(shape)) * 300 for _ in range(2)
        ]

    a, b = pair(2000)
    rows = trials("a", a) + trials("b", b)
    apart, paired = needed(rows, "a", reference="b")
    assert apart > 10 * paired
    n = int(paired)
    a, b = pair((4000, n))
    # log of the mean of each study's costs; the difference by the delta method
    theta = np.log(1.1 * a.mean(axis=1) / b.mean(axis=1))
    each = a / a.mean(axis=1, keepdims=True) - b / b.mean(axis=1, keepdims=True)
    p = 2 * stats.t.sf(np.abs(theta) / (each.std(axis=1, ddof=1) / n**0.5), n - 1)
    assert np.mean(p < 0.05) == pytest.approx(0.82, abs=0.05)


def test_seeds_are_paired_by_name_and_those_of_one_arm_alone_are_left_out():
    a, b = [100.0, 200.0, 400.0, 800.0], [120.0, 190.0, 420.0, 790.0]
    both = trials("a", a) + trials("b", b)
    expected = needed(both, "a", reference="b")[1]
    more = [trial("b", 9, 50.0, seed=9), trial("a", 8, 70.0, seed=8)]
    found = seeds_needed(shuffled(table(*both, *more)), reference="b")
    first = found.set_index("arm").loc["a"]
    assert first["paired_seeds"] == expected
    assert first["shared"] == 4
    assert first["passes"] == 5


def test_a_seed_of_random_search_gives_all_the_passes_of_its_stream():
    costs = np.random.default_rng(0).permutation(costs_of(0.5))
    apart = needed(trials("a", costs), "a")[0]
    rows = [
        trial("a", number, cost, by="random", stream=number // 4)
        for number, cost in enumerate(costs)
    ]
    assert needed(rows, "a")[0] == pytest.approx(apart / 4, abs=1)
    # Streams in which all trials share their luck hold no more than a trial.
    alike = [
        trial("a", number, cost, by="random", stream=number // 4)
        for number, cost in enumerate(np.repeat(costs[:100], 4))
    ]
    steady = trials("b", [300.0] * 100)
    single = trials("a", costs[:100])
    assert (
        needed(alike + steady, "a", reference="b")[1]
        == needed(single + steady, "a", reference="b")[1]
    )


def test_grid_streams_pair_with_seeds():
    rows = []
    for stream, (first, second) in enumerate([(100, 300), (200, 500), (350, 600)]):
        rows += runs("grid", first, second, by="grid", stream=stream)
    rows += runs("clara", 210, 340, 480)
    found = seeds_needed(table(*rows), reference="clara").set_index("arm")
    assert found.loc["grid", "shared"] == 3
    assert found.loc["grid", "paired_seeds"] < found.loc["grid", "seeds"]


def test_more_is_asked_for_smaller_ratios_and_surer_answers():
    rows = trials("a", costs_of(0.3))
    usual = needed(rows, "a")[0]
    assert needed(rows, "a", ratio=1.05)[0] == pytest.approx(4 * usual, rel=0.1)
    assert needed(rows, "a", ratio=1 / 1.1)[0] == usual
    assert needed(rows, "a", power=0.95)[0] > usual
    assert needed(rows, "a", confidence=0.99)[0] > usual
    # For a twin, the normal approximation: n = 2 (z + z')^2 s^2 / log(ratio)^2.
    costs = costs_of(0.3)
    spread = costs.std(ddof=1) / costs.mean()
    normal = 2 * (1.96 + 0.8416) ** 2 * (spread / math.log(1.1)) ** 2
    assert usual == pytest.approx(normal + 1, abs=1)


def test_the_unit_of_cost_and_the_order_of_rows_change_nothing():
    rng = np.random.default_rng(6)
    rows = trials("a", rng.uniform(100, 900, 12), rng.random(12) < 0.7)
    rows += trials("b", rng.uniform(100, 900, 12))
    given = table(*rows)
    expected = seeds_needed(given, reference="b")
    columns = ["cost", "cost_to_target"]
    scaled = given.assign(**{name: 1024 * given[name] for name in columns})
    for other in (shuffled(given), scaled):
        pd.testing.assert_frame_equal(seeds_needed(other, reference="b"), expected)


def test_the_price_of_a_failure_is_in_the_spread():
    rows = trials("a", costs_of(0.2, 50), np.arange(50) % 5 > 0)
    full, free = needed(rows, "a")[0], needed(rows, "a", failure_price=0.0)[0]
    assert free != full


def test_what_a_pilot_does_not_tell_is_not_a_number():
    rows = [
        *trials("steady", [300.0] * 3),
        *trials("never", [0.0] * 3, [False] * 3),
        *trials("once", [300.0]),
        *trials("usual", [200.0, 300.0, 500.0]),
    ]
    found = seeds_needed(table(*rows), reference="usual").set_index("arm")
    assert found["spread"].isna().to_dict() == {
        "never": True,
        "once": True,
        "steady": False,
        "usual": False,
    }
    assert found["seeds"].isna().tolist() == [True, True, False, False]
    assert found["paired_seeds"].isna().tolist() == [True, True, False, True]
    assert found["shared"].to_dict() == {"never": 3, "once": 1, "steady": 3, "usual": 0}
    assert needed(rows, "steady") == pytest.approx((2, math.nan), nan_ok=True)
    missing = seeds_needed(table(*rows), reference="nobody")
    assert missing[["seeds", "paired_seeds"]].isna().all().all()
    of_never = seeds_needed(table(*rows), reference="never")
    assert of_never["seeds"].isna().all()


def test_two_passes_are_a_pilot_and_two_shared_seeds_a_paired_one():
    rows = trials("a", [300.0, 400.0]) + trials("b", [0.0, 500.0])
    found = seeds_needed(table(*rows), reference="b").set_index("arm")
    # Influences -1/7 and 1/7 of the mean, and -1 and 1.
    spreads = [math.sqrt(2) / 7, math.sqrt(2)]
    assert found["spread"].tolist() == pytest.approx(spreads)
    assert found[["passes", "pass_hits"]].to_numpy().tolist() == [[2, 2], [2, 2]]
    assert found["shared"].tolist() == [2, 0]
    assert np.isfinite(found["seeds"]).all()
    assert math.isfinite(found.loc["a", "paired_seeds"])


def test_a_ratio_too_near_to_one_needs_more_than_can_be_counted():
    assert needed(trials("a", costs_of(0.3)), "a", ratio=1 + 1e-9)[0] == math.inf


def test_no_pilot_is_an_empty_table():
    for given in (table(), table(trial(role="sweep"))):
        found = seeds_needed(given)
        assert found.empty
        assert tuple(found.columns) == POWER_COLUMNS


@pytest.mark.parametrize(
    ("name", "value"),
    [("ratio", value) for value in (1, 0, -2, math.inf, math.nan)]
    + [("power", value) for value in (0.01, 1, math.nan)]
    + [("confidence", value) for value in (0, 1, math.nan)]
    + [("failure_price", 2)],
)
def test_what_cannot_be_asked_for_is_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        seeds_needed(table(trial()), **{name: value})


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(ValueError, match="missing \\['seed'\\]"):
        seeds_needed(table(trial()).drop(columns="seed"))
