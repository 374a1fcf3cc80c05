import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics import arm_bills
from hpo_vs_adapt.metrics.costs.parallel import expected_parallel
from hpo_vs_adapt.metrics.costs.workers import WORKERS, bills_by_workers
from tests.metrics.builder import BUDGET, runs, shuffled, table, trial
from tests.metrics.races import race_by_events

KINDS = ("single", "random", "grid", "optuna", "portfolio")


def stream(arm, costs, hits, **given):
    """Trials that hit at their cost, or burn it and miss."""
    rows = runs(arm, *(c if h else None for c, h in zip(costs, hits, strict=True)))
    kind = {"kind": "fixed" if given["by"] == "single" else "tuned"}
    return [
        {**row, **kind, **given, "cost": cost, "key": f"{arm}/{given}/{row['number']}"}
        for row, cost in zip(rows, costs, strict=True)
    ]


def found(trials, workers, **given):
    by = bills_by_workers(trials, [workers], **given)
    return by["latency"].iloc[0], by["bill"].iloc[0]


def study():
    """Streams of every way to tune, some of which miss, and an arm that is not."""
    rng = np.random.default_rng(3)
    rows = []
    for by in KINDS:
        for number in range(1 if by == "single" else 3):
            hits = rng.random(9) < 0.3
            hits[0] = number == 0
            place = -1 if by == "single" else number
            costs = rng.uniform(10, BUDGET, 9)
            rows += stream(by, costs, hits, by=by, stream=place)
    return table(*rows)


def test_one_worker_pays_the_bill_exactly():
    bills = arm_bills(study()).set_index("arm")["bill"]
    alone = bills_by_workers(study(), [1]).set_index("arm")
    assert alone["latency"].to_dict() == bills.to_dict()
    assert alone["bill"].to_dict() == bills.to_dict()
    half = arm_bills(study(), failure_price=0.5).set_index("arm")["bill"]
    priced = bills_by_workers(study(), [1], failure_price=0.5).set_index("arm")
    assert priced["bill"].to_dict() == half.to_dict()


@pytest.mark.parametrize("workers", [2, 3, 5, 9])
@pytest.mark.parametrize("seed", range(4))
def test_a_short_grid_is_the_mean_over_all_orders(seed, workers):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    hits = rng.random(size) < 0.4
    hits[0] = True
    costs = rng.uniform(1, 10, size)
    orders = itertools.permutations(list(zip(costs, hits, strict=True)))
    races = [race_by_events(order, workers)[:2] for order in orders]
    trials = table(*stream("a", costs, hits, by="grid", stream=0))
    assert found(trials, workers) == pytest.approx(np.mean(races, axis=0))


@pytest.mark.parametrize("workers", [2, 4, 7])
def test_a_long_grid_is_near_the_mean_over_all_orders(workers):
    rng = np.random.default_rng(1)
    costs, hits = rng.uniform(1, 10, 12), np.arange(12) < 2
    trials = table(*stream("a", costs, hits, by="grid", stream=0))
    expected = expected_parallel(costs, hits, workers)
    assert found(trials, workers) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("workers", [2, 4, 16])
@pytest.mark.parametrize("by", ["single", "random"])
def test_trials_drawn_with_replacement_agree_with_a_simulation(by, workers):
    rng = np.random.default_rng(2)
    costs, hits = rng.uniform(1, 10, 8), np.arange(8) < 2
    pool = list(zip(costs, hits, strict=True))

    def tries():
        while True:
            yield pool[rng.integers(8)]

    races = np.array([race_by_events(tries(), workers)[:2] for _ in range(4000)])
    place = -1 if by == "single" else 0
    trials = table(*stream("a", costs, hits, by=by, stream=place))
    error = races.std(axis=0) / math.sqrt(4000)
    off = np.abs(np.array(found(trials, workers)) - races.mean(axis=0))
    assert (off < 4 * error).all()


@pytest.mark.parametrize("workers", [2, 3])
def test_seeds_that_all_hit_are_the_least_of_draws_exactly(workers):
    costs = [3.0, 8.0, 5.0, 5.0]
    least = np.mean([min(d) for d in itertools.product(costs, repeat=workers)])
    latency, bill = found(table(*runs("a", *costs)), workers)
    assert latency == pytest.approx(least)
    assert bill == pytest.approx(workers * least)


@pytest.mark.parametrize("by", ["optuna", "portfolio"])
def test_a_recorded_order_is_taken_several_at_a_time(by):
    # Two workers: 5 and 2 start; the trial of 4 follows at 2 and hits at 6, when the
    # one of 9 that followed at 5 has burned 1.
    rows = stream("a", [5, 2, 4, 9], [0, 0, 1, 1], by=by, stream=0)
    assert found(table(*rows), 2) == (6, 12)
    assert found(table(*rows), 3) == (4, 4 + 2 + 4 + 2)
    assert found(table(*rows), 4) == (4, 4 + 2 + 4 + 4)


def test_a_recorded_order_is_read_by_number():
    rows = stream("a", [5, 2, 4, 9], [0, 0, 1, 1], by="optuna", stream=0)
    assert found(table(*reversed(rows)), 2) == (6, 12)


@pytest.mark.parametrize("by", ["grid", "optuna"])
def test_a_stream_that_misses_runs_to_its_end_and_another_follows(by):
    met = stream("a", [6.0, 6.0, 6.0], [1, 1, 1], by=by, stream=0)
    missed = stream("a", [4.0, 4.0, 4.0], [0, 0, 0], by=by, stream=1)
    assert found(table(*met, *missed), 2) == pytest.approx((6 + 8, 12 + 12))
    assert found(table(*met, *missed), 3) == pytest.approx((6 + 4, 18 + 12))


def test_a_missing_grid_ends_when_its_last_trial_does_over_all_orders():
    costs = [5.0, 3.0, 2.0, 1.0]
    ends = [
        race_by_events([(c, False) for c in order], 2)[0]
        for order in itertools.permutations(costs)
    ]
    met = stream("a", [6.0], [1], by="grid", stream=0)
    missed = stream("a", costs, [0] * 4, by="grid", stream=1)
    latency, bill = found(table(*met, *missed), 2)
    assert latency == pytest.approx(6 + np.mean(ends))
    assert bill == pytest.approx(6 + sum(costs))


@pytest.mark.parametrize("by", KINDS)
def test_an_early_stopping_of_misses_shortens_races(by):
    place = -1 if by == "single" else 0
    costs, hits = [8.0, 4.0, 6.0], [0, 1, 0]
    full = stream("a", costs, hits, by=by, stream=place)
    cut = stream("a", [2.0, 4.0, 1.5], hits, by=by, stream=place)
    priced = found(table(*full), 2, failure_price=0.25)
    assert priced == pytest.approx(found(table(*cut), 2))
    assert priced < found(table(*full), 2)


def test_an_arm_that_never_hits_has_neither():
    for by in KINDS:
        trials = table(*stream("a", [5.0, 5.0], [0, 0], by=by, stream=0))
        by_workers = bills_by_workers(trials)
        assert by_workers["workers"].tolist() == list(WORKERS)
        assert by_workers[["latency", "bill"]].isna().all(axis=None)


def test_one_trial_that_costs_nothing_is_a_race_too():
    assert found(table(trial("a", 0, 0.0)), 4) == (0, 0)
    assert found(table(*runs("a", 0.0, None)), 4, failure_price=0) == (0, 0)


def test_rare_hits_have_a_latency_near_their_bill_over_workers():
    rows = stream("a", [1.0] * 400, [1] + [0] * 399, by="random", stream=0)
    latency, bill = found(table(*rows), 8)
    # Misses of 1 in lockstep: the least of 8 geometric numbers.
    assert latency == pytest.approx(1 / (1 - (399 / 400) ** 8), rel=0.05)
    assert bill == pytest.approx(8 * latency)


def test_nothing_is_an_empty_table():
    columns = ["workload", "arm", "workers", "latency", "bill"]
    for none in (bills_by_workers(table()), bills_by_workers(study(), [])):
        assert list(none.columns) == columns
        assert none.empty


def test_rows_arms_and_other_numbers_of_workers_change_nothing():
    everything = bills_by_workers(study())
    assert bills_by_workers(shuffled(study())).equals(everything)
    assert not bills_by_workers(study(), seed=1).equals(everything)
    alone = bills_by_workers(study()[study()["arm"] == "grid"], [8, 2, 2])
    rows = everything[everything["arm"] == "grid"]
    rows = rows[rows["workers"].isin([2, 8])].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, rows, check_exact=True)


def test_retrains_and_sweeps_are_in_no_race():
    others = [
        trial("grid", 20, 1.0, by="grid", role="retrain", stream=0),
        trial("grid", 21, 1.0, by="grid", role="sweep"),
    ]
    extended = pd.concat([study(), table(*others)])
    assert bills_by_workers(extended).equals(bills_by_workers(study()))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, math.nan, math.inf])
def test_numbers_of_workers_must_be_whole(wrong):
    with pytest.raises(ValueError, match="`workers` must be whole numbers"):
        bills_by_workers(study(), [1, wrong])


@pytest.mark.slow
@given(
    tries=st.lists(
        st.tuples(st.floats(0.5, 100), st.booleans()), min_size=1, max_size=6
    ).filter(lambda tries: any(hit for _, hit in tries)),
    scale=st.floats(0.1, 1e6),
    by=st.sampled_from(KINDS),
)
def test_races_scale_with_costs_and_workers_never_work_longer_than_they_have(
    tries, scale, by
):
    costs, hits = (list(part) for part in zip(*tries, strict=True))
    place = -1 if by == "single" else 0
    base = bills_by_workers(table(*stream("a", costs, hits, by=by, stream=place)))
    larger = [scale * cost for cost in costs]
    scaled = bills_by_workers(table(*stream("a", larger, hits, by=by, stream=place)))
    for name in ("latency", "bill"):
        assert scaled[name].tolist() == pytest.approx((scale * base[name]).tolist())
    most = base["workers"] * base["latency"]
    assert (base["bill"] <= most * (1 + 1e-9)).all()
    if by in ("single", "random"):
        assert base["bill"].tolist() == pytest.approx(most.tolist())
        drawn = base["latency"].iloc[1:]
        assert (drawn.diff().dropna() <= 1e-9 * drawn.max()).all()
