import itertools
import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.tuners.tuning_curves import (
    best_probability,
    tuning_curves,
    tuning_tables,
)
from tests.metrics.builder import shuffled
from tests.metrics.curves import curved, listed, tables

MAX = {"digits": "max"}


def best_of(order, trials, cost, better=max):
    """The best value of trials run one after the other, by the book."""
    found, spent = [], 0.0
    for place in order:
        row, curve = trials[place]
        for line in curve:
            if not math.isfinite(line["validation_metric"]):
                break
            if spent + line["cost"] <= cost:
                found.append(line["validation_metric"])
        spent += row["cost"]
        if spent > cost:
            break
    return better(found, default=math.nan)


def orders_of(by, trials, streams=3, length=3):
    """Every execution of a policy, equally likely."""
    lists = [range(s * length, (s + 1) * length) for s in range(streams)]
    if by == "optuna":
        return [tuple(one) for one in lists]
    if by == "grid":
        return [order for one in lists for order in itertools.permutations(one)]
    return list(itertools.product(range(len(trials)), repeat=length))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("by", ["grid", "random", "optuna"])
def test_quantiles_are_those_of_all_executions(by, seed):
    trials = listed(by, seed)
    found = tuning_curves(*tables(*trials), MAX, points=12, samples=4000)
    orders = orders_of(by, trials)
    for _, line in found.iloc[:-1].iterrows():
        every = [best_of(order, trials, line["cost"]) for order in orders]
        every = np.sort(np.nan_to_num(every, nan=-math.inf))
        for name, level in (("median", 0.5), ("low", 0.025), ("high", 0.975)):
            value = line[name] if not math.isnan(line[name]) else -math.inf
            # The level lies between the shares of executions below and up to it.
            below, upto = (every < value).mean(), (every <= value).mean()
            assert below - 0.04 <= level <= upto + 0.04


def test_an_arm_without_tuning_takes_its_seeds_one_after_the_other():
    trials = [
        curved("a", 0, [0.1, 0.5], [0, 10]),
        curved("a", 1, [0.1, 0.9], [0, 30]),
    ]
    records, curves = tables(*trials)
    found = tuning_curves(records, curves, MAX, points=2, coverage=0.5).set_index(
        "cost"
    )
    # Two seeds drawn with replacement spend 20, 40 or 60; half as often as not, both.
    assert found.index.tolist() == [10, 60]
    assert found.loc[10, ["low", "high"]].tolist() == [0.1, 0.5]
    assert found.loc[60, "median"] == 0.9


def test_costs_are_cumulative_and_no_mean_cost_a_trial():
    cheap = curved("a", 0, [0.3], [1], by="optuna", cost=1.0)
    dear = curved("a", 1, [0.5, 0.6], [500, 999], by="optuna", cost=999.0)
    last = curved("a", 2, [0.9], [1], by="optuna", cost=1.0)
    found = tuning_curves(*tables(cheap, dear, last), MAX, points=4)
    # Costs 1, 10.005, 100.1, 1001: two trials of the mean cost would have ended by 668.
    assert found["cost"].tolist() == pytest.approx(
        [1, 1001 ** (1 / 3), 100.07, 1001], rel=1e-3
    )
    assert found["median"].tolist() == [0.3, 0.3, 0.3, 0.9]


def test_what_diverged_never_improves_and_is_paid_for():
    dead = curved("a", 0, [0.2, math.nan, 0.99], [0, 10, 20], by="optuna")
    late = curved("a", 1, [0.2, 0.6], [0, 10], by="optuna")
    found = tuning_curves(*tables(dead, late), MAX, points=60)
    assert found["cost"].max() == 30
    assert found["median"].tolist()[:-1] == [0.2] * 59
    assert found["median"].iloc[-1] == 0.6


def test_an_arm_that_crashed_at_once_has_no_value_and_is_never_best():
    crash = {"end": "crashed", "failed": True}
    gone = curved("gone", 0, [], [], cost=7.0, **crash)
    works = curved("works", 0, [0.2, 0.6], [0, 10])
    records, curves = tables(gone, works)
    found, chance = tuning_tables(records, curves, MAX, points=3)
    assert found[found["arm"] == "gone"][["median", "low", "high"]].isna().all().all()
    assert chance.groupby("arm")["probability"].unique().map(list).to_dict() == {
        "gone": [0.0],
        "works": [1.0],
    }


def test_an_arm_ends_with_its_plan_and_competes_with_the_best_it_has():
    short = curved("short", 0, [0.1, 0.8], [0, 10])
    long = curved("long", 0, [0.1, 0.5, 0.9], [0, 10, 100])
    records, curves = tables(short, long)
    found, chance = tuning_tables(records, curves, MAX, points=5)
    assert found.groupby("arm")["cost"].max().to_dict() == {"long": 100, "short": 10}
    assert chance["cost"].nunique() == 5
    share = chance[chance["arm"] == "short"].set_index("cost")["probability"]
    assert share.iloc[:-1].tolist() == [1.0] * 4
    assert share.loc[100.0] == 0


def test_equal_arms_share_the_first_place():
    rows = [curved(arm, 0, [0.1, 0.8], [0, 10]) for arm in "abc"]
    rows += [curved("d", 0, [0.1, 0.7], [0, 10])]
    chance = best_probability(*tables(*rows), MAX)
    assert chance["probability"].tolist() == pytest.approx([1 / 3] * 3 + [0])


def test_the_chance_to_be_best_is_that_of_all_pairs_of_executions():
    ours = listed("grid", 5, arm="a")
    theirs = listed("random", 6, arm="b")
    chance = best_probability(*tables(*ours, *theirs), MAX, points=6, samples=4000)
    mine = chance[chance["arm"] == "a"]
    for _, line in mine.iterrows():
        a = [best_of(one, ours, line["cost"]) for one in orders_of("grid", ours)]
        b = [best_of(one, theirs, line["cost"]) for one in orders_of("random", theirs)]
        a, b = (np.nan_to_num(one, nan=-1)[:, None] for one in (a, b))
        wins = (a > b.T) + 0.5 * ((a == b.T) & (a >= 0))
        assert line["probability"] == pytest.approx(wins.mean(), abs=0.04)


def test_chances_add_up_to_one():
    rows = listed("grid", 1, arm="a") + listed("optuna", 2, arm="b")
    rows += [curved("c", 0, [0.0, 0.3], [0, 10])]  # always has a value
    chance = best_probability(*tables(*rows), MAX)
    assert chance.groupby("cost")["probability"].sum().tolist() == pytest.approx(
        [1] * 60
    )


def test_a_loss_is_the_mirror_of_a_gain():
    records, curves = tables(*listed("grid", 3), *listed("random", 4, arm="b"))
    there, first = tuning_tables(records, curves, MAX, points=9)
    mirrored = curves.assign(validation_metric=-curves["validation_metric"])
    back, same = tuning_tables(records, mirrored, {"digits": "min"}, points=9)
    values = there[["median", "high", "low"]].to_numpy()
    np.testing.assert_array_equal(-back[["median", "low", "high"]].to_numpy(), values)
    pd.testing.assert_frame_equal(first, same)


def test_a_budget_is_the_unit_of_costs():
    records, curves = tables(*listed("grid", 3))
    plain = tuning_curves(records, curves, MAX)
    units = tuning_curves(records, curves, MAX, budgets={"digits": 50.0})
    assert units["cost"].tolist() == pytest.approx((plain["cost"] / 50).tolist())
    pd.testing.assert_frame_equal(
        units.drop(columns="cost"), plain.drop(columns="cost")
    )


def test_medians_never_get_worse_and_lie_in_their_bands():
    rows = listed("grid", 7) + listed("optuna", 8, arm="b")
    found = tuning_curves(*tables(*rows), MAX)
    known = found.dropna()
    assert (known["low"] <= known["median"]).all()
    assert (known["median"] <= known["high"]).all()
    rising = found.groupby("arm")[["median", "low", "high"]].diff().dropna()
    assert (rising >= 0).all().all()


def test_neither_the_order_of_rows_nor_other_arms_nor_roles_change_executions():
    rows = listed("grid", 1) + listed("random", 2, arm="b")
    records, curves = tables(*rows)
    expected = tuning_tables(records, curves, MAX)
    sweep = curved("a", 99, [0.0, 1.0], [0, 1], role="sweep", stream=-1)
    more, also = tables(*rows, sweep)
    mixed = tuning_tables(shuffled(more), shuffled(also), MAX)
    for one, other in zip(expected, mixed, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    alone = tuning_curves(*tables(*rows[:9]), MAX, points=2)
    end = alone["cost"].iloc[-1]
    together = tuning_curves(records, curves, MAX, points=2)
    with_others = together[together["arm"] == "a"].iloc[-1]
    assert with_others["cost"] >= end
    assert with_others["median"] == alone["median"].iloc[-1]


def test_another_seed_draws_other_executions():
    records, curves = tables(*listed("random", 2, length=4))
    first = tuning_curves(records, curves, MAX, samples=9)
    second = tuning_curves(records, curves, MAX, samples=9, seed=1)
    assert not first["median"].equals(second["median"])


def test_nothing_is_an_empty_table():
    records, curves = tables()
    crashed = tables(curved("a", 0, [], [], cost=3.0))
    for found in (tuning_tables(records, curves, MAX), tuning_tables(*crashed, MAX)):
        assert list(found[0].columns) == [
            *("workload", "arm", "cost", "median", "low", "high")
        ]
        assert list(found[1].columns) == ["workload", "arm", "cost", "probability"]
        assert found[0].empty
        assert found[1].empty


def test_one_evaluation_is_one_cost():
    found = tuning_curves(*tables(curved("a", 0, [0.7], [10])), MAX)
    assert found[["cost", "median", "low", "high"]].to_numpy().tolist() == [
        [10, 0.7, 0.7, 0.7]
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"points": 1}, "`points` must be at least 2; got 1"),
        ({"samples": 0}, "`samples` must be at least 1; got 0"),
        ({"coverage": 1.0}, "`coverage` must be between 0 and 1; got 1.0"),
        ({"budgets": {}}, "`budgets` must be above 0"),
        ({"budgets": {"digits": 0.0}}, "`budgets` must be above 0"),
        ({"modes": {}}, "`modes` must be 'max' or 'min'"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    records, curves = tables(*listed("grid"))
    with pytest.raises(ValueError, match=message):
        tuning_curves(records, curves, **({"modes": MAX} | wrong))


def test_an_unknown_way_to_tune_is_refused():
    records, curves = tables(*listed("hyperband"))
    with pytest.raises(ValueError, match="`by` must be"):
        tuning_curves(records, curves, MAX)
