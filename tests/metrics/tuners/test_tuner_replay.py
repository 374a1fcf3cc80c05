import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics.basics.cost import expected_finite_list, expected_running_time
from hpo_vs_adapt.metrics.costs.parallel import expected_parallel
from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from hpo_vs_adapt.metrics.replay.replay import (
    REPLAY_COLUMNS,
    TUNERS,
    replay_tuner,
    tuner_bills,
)
from hpo_vs_adapt.metrics.uncertainty.intervals import ert_interval
from tests.metrics.builder import shuffled
from tests.metrics.curves import contributions, curved, peaked, rates, tables

TARGET = 0.8


def within_error(found, expected):
    """Whether a mean bill is as expected within 4 standard errors of the simulation."""
    spent, hits = found["bill"].to_numpy(), found["hit"].to_numpy(dtype=float)
    parts = spent / spent.mean() - hits / hits.mean()
    error = spent.sum() / hits.sum() * parts.std() / math.sqrt(spent.size)
    assert error < expected / 20
    return abs(spent.sum() / hits.sum() - expected) <= 4 * error + 1e-9 * expected


@pytest.mark.parametrize("trials", [1, 3, 40])
def test_random_search_costs_its_expected_running_time(trials):
    grid = peaked(rates(), seeds=3)
    found = replay_tuner(grid, "random", trials, TARGET, repetitions=4000)
    assert within_error(found, expected_running_time(*contributions(grid, TARGET)))


def test_a_grid_costs_the_finite_list():
    grid = peaked(rates())
    found = replay_tuner(grid, "grid", 8, TARGET, repetitions=4000)
    assert found["hit"].all()
    assert within_error(found, expected_finite_list(*contributions(grid, TARGET)))
    more = replay_tuner(grid, "grid", 99, TARGET, repetitions=4000)
    pd.testing.assert_frame_equal(more, found)


def test_a_grid_whose_trials_share_a_seed_costs_the_mean_of_its_lists():
    grid = peaked(rates(), seeds=3)
    costs, hits = (part.reshape(-1, 3) for part in contributions(grid, TARGET))
    lists = [expected_finite_list(costs[:, s], hits[:, s]) for s in range(3)]
    assert np.std(lists) > 0.01 * np.mean(lists)
    found = replay_tuner(
        grid, "grid", 8, TARGET, repetitions=4000, training_seed="stream"
    )
    assert within_error(found, float(np.mean(lists)))


@pytest.mark.parametrize("workers", [2, 3, 8, 20])
def test_a_grid_with_workers_costs_what_the_list_does_in_parallel(workers):
    grid = peaked(rates())
    latency, bill = expected_parallel(*contributions(grid, TARGET), workers)
    found = replay_tuner(grid, "grid", 8, TARGET, workers, repetitions=4000)
    assert within_error(found, bill)
    assert within_error(found.assign(bill=found["latency"]), latency)


def test_random_search_with_workers_is_as_quick_as_the_quickest_of_them():
    grid = peaked(rates())
    costs, hits = contributions(grid, TARGET)
    rng = np.random.default_rng(7)

    def alone():
        spent = 0.0
        while True:
            place = rng.integers(costs.size)
            spent += costs[place]
            if hits[place]:
                return spent

    chains = np.array([alone() for _ in range(3 * 4000)]).reshape(-1, 3).min(axis=1)
    found = replay_tuner(grid, "random", 200, TARGET, 3, repetitions=4000)
    assert found["hit"].all()
    error = math.hypot(chains.std(), found["latency"].std()) / math.sqrt(4000)
    assert abs(found["latency"].mean() - chains.mean()) < 4 * error
    np.testing.assert_allclose(found["bill"], 3 * found["latency"])


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("tuner", TUNERS)
def test_every_tuner_keeps_its_books(tuner, workers):
    grid = peaked(rates(), seeds=2)
    found = replay_tuner(grid, tuner, 8, TARGET, workers, repetitions=30)
    assert tuple(found.columns) == REPLAY_COLUMNS
    assert found["repetition"].tolist() == list(range(30))
    assert (found["bill"] <= 8 * grid.budget * (1 + 1e-9)).all()
    assert (found["latency"] <= found["bill"] * (1 + 1e-9)).all()
    assert (found["bill"] <= workers * found["latency"] * (1 + 1e-9)).all()
    # Whoever hit has seen the target, whoever did not has not.
    assert (found["hit"] == (found["best"] >= TARGET - 1e-9)).all()
    for seed in (0, 1):
        again = replay_tuner(grid, tuner, 8, TARGET, workers, 30, seed)
        assert again.equals(found) == (seed == 0)


@pytest.mark.parametrize("tuner", TUNERS)
def test_an_easier_target_is_never_dearer(tuner):
    grid = peaked(rates(), seeds=2)
    bills = [
        replay_tuner(grid, tuner, 6, target, repetitions=20)["bill"]
        for target in (0.2, 0.6, 0.8, math.inf)
    ]
    for easy, hard in itertools.pairwise(bills):
        assert (easy <= hard * (1 + 1e-9)).all()


@pytest.mark.parametrize("tuner", TUNERS)
def test_costs_scale_and_losses_mirror(tuner):
    arguments = (tuner, 6, TARGET)
    once = replay_tuner(peaked(rates(), 2), *arguments, repetitions=20)
    twice = replay_tuner(peaked(rates(), 2, scale=4.0), *arguments, repetitions=20)
    pd.testing.assert_frame_equal(
        twice, once.assign(bill=4 * once["bill"], latency=4 * once["latency"])
    )
    loss = peaked(rates(), 2, mode="min")
    mirrored = replay_tuner(loss, tuner, 6, -TARGET, repetitions=20)
    pd.testing.assert_frame_equal(mirrored, once.assign(best=-once["best"]))


def test_a_target_met_at_once_or_never_is_no_error():
    grid = peaked(rates())
    for tuner in TUNERS:
        at_once = replay_tuner(grid, tuner, 4, -math.inf, repetitions=3)
        assert at_once["hit"].all()
        assert (at_once["bill"] == 0).all()
        never = replay_tuner(grid, tuner, 4, math.inf, repetitions=3)
        assert not never["hit"].any()
        assert (never["bill"] > 0).all()


def test_a_grid_of_crashes_is_paid_for_and_finds_nothing():
    gone = [
        curved(
            "g",
            n,
            [],
            [],
            cost=3.0,
            by="grid",
            seed=0,
            settings=setting,
            failed=True,
            end="crashed",
        )
        for n, setting in enumerate(rates(4))
    ]
    grid = CurveGrid.from_records(*tables(*gone), "digits", "g", "max")
    for tuner in TUNERS:
        found = replay_tuner(grid, tuner, 4, TARGET, repetitions=3)
        assert found["best"].isna().all()
        assert not found["hit"].any()
        assert (found["bill"] > 0).all()
    assert replay_tuner(grid, "grid", 4, TARGET)["bill"].tolist() == [12.0] * 1000


@pytest.mark.parametrize("tuner", TUNERS)
def test_one_setting_is_a_grid_too(tuner):
    grid = peaked(rates(1), seeds=3)
    found = replay_tuner(grid, tuner, 1, math.inf, repetitions=40)
    assert set(found["bill"]) == {20.0}  # its diverged curves of four steps


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=6),
    st.integers(1, 3),
)
def test_bills_of_replays_lie_between_the_cheapest_and_the_dearest_order(rows, workers):
    trials = [
        curved(
            "g", n, [0.0, float(hit)], [0, cost], by="grid", seed=0, settings={"n": n}
        )
        for n, (cost, hit) in enumerate(rows)
    ]
    grid = CurveGrid.from_records(*tables(*trials), "digits", "g", "max")
    found = replay_tuner(grid, "grid", len(rows), 1.0, workers, repetitions=20)
    cheapest = min((cost for cost, hit in rows if hit), default=sum(c for c, _ in rows))
    assert (found["bill"] >= cheapest).all()
    assert (found["bill"] <= sum(cost for cost, _ in rows)).all()
    assert (found["hit"] == any(hit for _, hit in rows)).all()


def test_bills_are_expected_running_times_with_their_intervals():
    grid = peaked(rates(), seeds=2)
    few = replay_tuner(grid, "random", 2, TARGET, repetitions=50)
    (row,) = tuner_bills(few).to_dict("records")
    assert row["bill"] == pytest.approx(few["bill"].sum() / few["hit"].sum())
    assert (row["bill_low"], row["bill_high"]) == ert_interval(few["bill"], few["hit"])
    assert (row["repetitions"], row["hits"]) == (50, few["hit"].sum())
    assert row["best"] == pytest.approx(few["best"].mean())
    pd.testing.assert_frame_equal(tuner_bills(shuffled(few)), tuner_bills(few))


def test_tables_are_told_apart_by_their_other_columns():
    grid = peaked(rates(), seeds=2)
    parts = [
        replay_tuner(grid, tuner, trials, TARGET, repetitions=40).assign(
            tuner=tuner, trials=trials
        )
        for tuner in ("random", "halving")
        for trials in (9, 4)
    ]
    found = tuner_bills(pd.concat(parts))
    assert found["tuner"].tolist() == ["halving"] * 2 + ["random"] * 2
    assert found["trials"].tolist() == [4, 9, 4, 9]
    alone = tuner_bills(parts[0].drop(columns=["tuner", "trials"]))
    assert found["bill"].iloc[3] == alone["bill"].iloc[0]


def test_what_never_hit_has_no_bill_and_no_table_no_row():
    grid = peaked(rates())
    never = replay_tuner(grid, "random", 2, math.inf, repetitions=5)
    (row,) = tuner_bills(never).to_dict("records")
    assert row["hits"] == 0
    assert all(math.isnan(row[n]) for n in ("bill", "bill_low", "bill_high", "latency"))
    assert tuner_bills(never.iloc[:0]).empty
    with pytest.raises(ValueError, match="missing \\['latency'\\]"):
        tuner_bills(never.drop(columns="latency"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tuner": "asha"}, "`tuner` must be one of"),
        ({"trials": 0}, "`trials` must be a whole number of at least 1; got 0"),
        ({"workers": 1.5}, "`workers` must be a whole number"),
        ({"repetitions": math.nan}, "`repetitions` must be a whole number"),
        ({"training_seed": "shared"}, "`training_seed` must be 'fresh' or 'stream'"),
        ({"eta": 1.0}, "`eta` must be above 1"),
        ({"least": 0.0}, "`least` must be above 0"),
        ({"target": math.nan}, "`target` must be a number"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    given = {"tuner": "random", "trials": 3, "target": TARGET} | wrong
    with pytest.raises(ValueError, match=message):
        replay_tuner(peaked(rates()), **given)
