"""Curves worked out by hand: trials of three evaluations with round numbers."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.records.trials import CURVE_COLUMNS
from hpo_vs_adapt.tables.controllers import make_controllers, make_rates
from hpo_vs_adapt.tables.races import make_race, make_training
from tests.report import builder


def curve(values, cost_step=10.0, lr=0.1, momentum=np.nan):
    """Return evaluations at cost 0, 10, 20 … with these metrics."""
    places = np.arange(len(values))
    table = pd.DataFrame(0.0, index=places, columns=list(CURVE_COLUMNS))
    return table.assign(
        step=places,
        cost=places * cost_step,
        validation_metric=values,
        lr=lr,
        momentum=momentum,
    )


def rows(table, arm):
    return table[table["arm"] == arm].reset_index(drop=True)


@pytest.fixture
def grid():
    """One stream of a grid: 0.2 0.5 0.4 | diverges after 0.3 | 0.1 0.6 0.9."""
    one = builder.study(arms=[builder.grid_arm()], seeds=[0], sweep=False)
    entry, arm = one.workloads[0], one.arms[0]
    records = builder.Records()
    for number, values in enumerate(
        ([0.2, 0.5, 0.4], [0.1, 0.3, np.nan], [0.1, 0.6, 0.9])
    ):
        records.add(
            entry, arm, 0.1**number, 0, stream=0, number=number, curve=curve(values)
        )
    return one, records


def test_the_race_of_a_tuned_arm_charges_its_whole_search(grid):
    one, records = grid
    race = make_race(records.results(one))
    best = dict(zip(race["cost"], race["median"], strict=True))
    assert best == {0: 0.2, 10: 0.5, 20: 0.5, 30: 0.5, 40: 0.5, 50: 0.6, 60: 0.9}


def test_the_order_of_the_records_does_not_matter(grid):
    one, records = grid
    results = records.results(one)
    shuffled = results.records.iloc[[2, 0, 1]].reset_index(drop=True)
    other = dataclasses.replace(results, records=shuffled)
    pd.testing.assert_frame_equal(make_race(results), make_race(other))


def test_the_band_of_a_race_spans_the_seeds():
    one = builder.study(arms=[builder.fixed_arm()], seeds=[0, 1, 2], sweep=False)
    entry, arm = one.workloads[0], one.arms[0]
    records = builder.Records()
    for seed, values in enumerate(([0.1, 0.4, 0.3], [0.2, 0.6], [0.0, 0.5, 0.9])):
        records.add(entry, arm, 0.1, seed, number=seed, curve=curve(values))
    race = make_race(records.results(one))
    assert list(race["cost"]) == [0, 10, 20]
    assert list(race["median"]) == [0.1, 0.5, 0.6]  # the path that ended keeps its 0.6
    assert list(race["low"]) == [0.0, 0.4, 0.4]
    assert list(race["high"]) == [0.2, 0.6, 0.9]
    assert list(race["paths"]) == [3, 3, 3]


def test_the_best_of_a_loss_is_the_lowest():
    entry = builder.workload(target=0.5, metric=builder.LOSS)
    one = builder.study([builder.fixed_arm()], [entry], seeds=[0], sweep=False)
    records = builder.Records()
    records.add(entry, one.arms[0], 0.1, 0, curve=curve([2.0, 3.0, 1.0, np.nan]))
    race = make_race(records.results(one))
    assert list(race["median"]) == [2.0, 2.0, 1.0, 1.0]


def test_a_run_that_diverged_counts_with_the_worst_value_there_is():
    loss = builder.workload(target=0.5, metric=builder.LOSS)
    workloads = [builder.workload("accuracy-one"), loss]
    one = builder.study([builder.fixed_arm()], workloads, seeds=[0], sweep=False)
    records = builder.Records()
    for entry in workloads:
        records.add(entry, one.arms[0], 0.1, 0, curve=curve([2.5, 0.7, np.nan]))
    training = make_training(records.results(one))
    last = training.groupby("workload")["median"].last()
    assert last["accuracy-one"] == 0  # the metric's lower bound
    assert last[loss.name] == 2.5  # the loss before training


def test_a_record_that_ran_further_is_cut_at_its_trials_end():
    one = builder.study([builder.fixed_arm()], seeds=[0], sweep=False)
    records = builder.Records()
    long = curve([0.1, 0.5, 0.95, 0.99])
    records.add(one.workloads[0], one.arms[0], 0.1, 0, curve=long, cost=20.0)
    results = records.results(one)
    assert make_race(results)["cost"].max() == 20
    assert make_training(results)["median"].max() == 0.95


def test_one_training_of_a_tuned_arm_is_its_winner_trained_again(grid):
    one, records = grid
    entry, arm = one.workloads[0], one.arms[0]
    without = make_training(records.results(one))
    assert list(without["median"]) == [0.1, 0.6, 0.9]  # the winner's own trial
    for seed, values in ((1000, [0.1, 0.5, 0.7]), (1001, [0.3, 0.7, 0.9])):
        records.add(entry, arm, 0.01, seed, "retrain", 0, curve=curve(values))
    retrained = make_training(records.results(one))
    assert list(retrained["median"]) == pytest.approx([0.2, 0.6, 0.8])
    assert list(retrained["paths"]) == [2, 2, 2]


def test_streams_that_share_a_retraining_count_it_once(grid):
    one, records = grid
    entry, arm = one.workloads[0], one.arms[0]
    for stream in (0, 1):
        values = curve([0.1, 0.5, 0.7])
        records.add(entry, arm, 0.01, 1000, "retrain", stream, curve=values)
    assert list(make_training(records.results(one))["paths"]) == [1, 1, 1]


def test_rates_are_those_of_adaptive_arms_and_of_what_tuning_found():
    arms = [builder.grid_arm(), builder.adaptive_arm("mover"), builder.fixed_arm()]
    one = builder.study(arms, seeds=[0, 1, 2], sweep=False)
    records = builder.Records()
    for seed, lr in enumerate((0.1, 0.2, np.nan)):
        moving = curve([0.1, 0.5, 0.9], lr=lr)
        records.add(one.workloads[0], arms[1], 0.01, seed, number=seed, curve=moving)
    for arm in (arms[0], arms[2]):
        records.add(one.workloads[0], arm, 0.01, 0, stream=0, curve=curve([0.1, 0.2]))
    better = curve([0.1, 0.6], lr=0.03)
    records.add(one.workloads[0], arms[0], 0.03, 0, stream=0, number=1, curve=better)
    rates = make_rates(records.results(one))
    assert set(rates["quantity"]) == {"lr"}  # a rule without momentum logs NaN
    assert set(zip(rates["arm"], rates["kind"], strict=True)) == {
        ("mover", "adaptive"),
        ("sgd-grid", "tuned"),
    }
    assert list(rows(rates, "mover")["median"]) == pytest.approx([0.15] * 3)
    assert list(rows(rates, "mover")["paths"]) == [2, 2, 2]
    assert list(rows(rates, "sgd-grid")["median"]) == pytest.approx([0.03] * 2)


def test_a_rules_own_numbers_are_kept_run_by_run():
    arms = [builder.adaptive_arm("gap"), builder.adaptive_arm("clara")]
    one = builder.study(arms, seeds=[0, 1], sweep=False)
    records = builder.Records()
    for seed in one.seeds:
        chosen = curve([0.1, 0.5], momentum=[0.0, 0.9]).assign(choice=[0, 1])
        records.add(one.workloads[0], arms[0], 0.01, seed, number=seed, curve=chosen)
        own = curve([0.1, 0.5]).assign(r=[np.nan, 2.0 + seed])
        records.add(one.workloads[0], arms[1], 0.01, seed, number=seed, curve=own)
    table = make_controllers(records.results(one))
    r = table[table["quantity"] == "r"]
    assert set(r["arm"]) == {"clara"}
    assert list(zip(r["seed"], r["step"], r["value"], strict=True)) == [
        (0, 1, 2.0),
        (1, 1, 3.0),
    ]
    # Momenta come with choices among them; other rules' are in the rates alone.
    momenta = table[table["quantity"] == "momentum"]
    assert set(momenta["arm"]) == {"gap"}
    assert list(momenta["value"]) == [0.0, 0.9, 0.0, 0.9]


def test_a_long_race_is_thinned_out_but_keeps_its_ends():
    one = builder.study([builder.fixed_arm()], seeds=[0], sweep=False)
    records = builder.Records()
    values = np.linspace(0, 1, 5001)
    records.add(one.workloads[0], one.arms[0], 0.1, 0, curve=curve(values))
    race = make_race(records.results(one))
    assert len(race) < 300
    assert race["cost"].is_monotonic_increasing
    assert race["cost"].iloc[-1] == 50_000
    assert race["median"].iloc[-1] == 1
    # Every value is one that was reached by then, never one of the future.
    assert (race["median"] <= race["cost"] / 50_000 + 1e-12).all()


def test_without_records_the_tables_are_empty_and_have_their_columns():
    results = builder.Records().results(builder.study(), builder.progress([]))
    for table in (make_race(results), make_training(results)):
        assert table.empty
        assert list(table)[:3] == ["workload", "arm", "cost"]
    assert list(make_rates(results))[:4] == ["workload", "arm", "quantity", "step"]


def test_curves_that_came_in_as_objects_are_read_as_numbers():
    results = builder.finished(builder.study(sweep=False))
    objects = dataclasses.replace(results, curves=results.curves.astype(object))
    for make in (make_race, make_training, make_rates):
        pd.testing.assert_frame_equal(make(objects), make(results))
