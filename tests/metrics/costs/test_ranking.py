import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_vs_adapt.metrics import arm_bills, arm_passes, reference_ratios
from hpo_vs_adapt.metrics.costs.ranking import (
    RANKING_COLUMNS,
    bill_ranks,
    rank_arms,
    ranking,
)
from tests.metrics.builder import BUDGET, runs, shuffled, table


def study():
    """A tuned arm of every kind, two that are not, and one that never hits."""
    rows = [
        *runs("grid", None, 400, 300, by="grid", stream=0),
        *runs("grid", None, None, 500, by="grid", stream=1),
        *runs("optuna", 600, 200, None, by="optuna", stream=0),
        *runs("optuna", None, 200, None, by="optuna", stream=1),
        *runs("random", None, 450, 300, 700, by="random", stream=0),
        *runs("clara", 700, 800, None, kind="adaptive"),
        *runs("sgd", 100, 120, 110),
        *runs("hopeless", None, None),
    ]
    return table(*rows)


def bounds(trials, **given):
    ranks = bill_ranks(arm_passes(trials), **given).set_index("arm")
    return {arm: (row["rank_low"], row["rank_high"]) for arm, row in ranks.iterrows()}


def test_arms_of_every_kind_stand_in_one_table_by_their_bills():
    found = ranking(study(), "sgd")
    assert tuple(found.columns) == RANKING_COLUMNS
    assert found["arm"].iloc[0] == "sgd"
    assert found["arm"].iloc[-1] == "hopeless"
    assert found["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found["bill"].iloc[:-1].is_monotonic_increasing
    assert set(found["kind"]) == {"tuned", "adaptive", "fixed"}


def test_bills_and_ratios_are_those_of_their_own_tables():
    found = ranking(study(), "sgd", seed=3).set_index("arm").sort_index()
    bills = arm_bills(study(), seed=3).set_index("arm").sort_index()
    for name, source in (("bill", "bill"), ("low", "bill_low"), ("high", "bill_high")):
        assert found[name].equals(bills[source].rename(name))
    counts = ["trials", "hits", "failures", "passes", "pass_hits", "first_probability"]
    pd.testing.assert_frame_equal(found[counts], bills[counts])
    ratios = reference_ratios(study(), "sgd", seed=3).set_index("arm").sort_index()
    for name, source in (
        ("ratio", "ratio"),
        ("ratio_low", "low"),
        ("ratio_high", "high"),
    ):
        assert found[name].equals(ratios[source].rename(name))


def test_without_a_reference_there_are_no_ratios():
    for reference in (None, "absent"):
        found = ranking(study(), reference)
        assert found[["ratio", "ratio_low", "ratio_high"]].isna().all(axis=None)


def test_equal_bills_share_a_rank_and_arms_without_a_hit_are_last_together():
    trials = table(
        *runs("a", 500, 500),
        *runs("b", 500, 500),
        *runs("c", 600, 600),
        *runs("x", None, None),
        *runs("y", None),
    )
    found = ranking(trials).set_index("arm")
    ranks = {"a": 1, "b": 1, "c": 3, "x": 4, "y": 4}
    assert found["rank"].to_dict() == ranks
    assert found["rank_low"].to_dict() == ranks
    assert found["rank_high"].to_dict() == ranks


def test_a_cheaper_failure_can_change_the_order():
    trials = table(
        *runs("luck", 100, None, None, by="random"), *runs("clara", 900, 950)
    )
    assert ranking(trials)["arm"].tolist() == ["clara", "luck"]
    assert ranking(trials, failure_price=0.1)["arm"].tolist() == ["luck", "clara"]


def test_what_tuning_is_hidden_stands_beside_the_bill():
    origins = pd.DataFrame(
        {
            "arm": ["sgd", "grid", "other"],
            "defaults_from": ["textbook", None, "x"],
            "defaults_trials": [0, math.nan, 5],
            "space_trials": [None, 40, 5],
        }
    )
    found = ranking(study(), origins=origins).set_index("arm")
    assert found.loc["sgd", "defaults_from"] == "textbook"
    assert found.loc["sgd", "defaults_trials"] == 0
    assert found.loc["grid", "defaults_from"] == "unknown"
    assert found.loc["grid", "space_trials"] == 40
    assert (found["space_from"] == "unknown").all()
    assert found.loc["clara", "defaults_from"] == "unknown"
    assert math.isnan(found.loc["clara", "defaults_trials"])
    assert "other" not in found.index


def test_arms_without_a_trial_and_orders_of_a_study_are_kept():
    rows = [("wine", "later"), ("digits", "later"), ("digits", "sgd")]
    progress = pd.DataFrame(rows, columns=["workload", "arm"]).assign(
        role="policy", planned=3, done=0
    )
    found = ranking(study(), progress=progress, kinds={"later": "fixed"})
    assert pd.unique(found["workload"]).tolist() == ["wine", "digits"]
    later = found[(found["arm"] == "later") & (found["workload"] == "digits")].iloc[0]
    assert later["kind"] == "fixed"
    assert later["trials"] == 0
    assert later["rank"] == found.loc[found["arm"] == "hopeless", "rank"].iloc[0]
    assert math.isnan(later["rank_low"])


def test_ranks_are_quantiles_of_jointly_drawn_bills():
    rng = np.random.default_rng(5)
    costs = {name: rng.uniform(200, 200 + 40 * i, 6) for i, name in enumerate("abcd")}
    trials = table(*(row for name, c in costs.items() for row in runs(name, *c)))

    def draws(c):
        error = c.std(ddof=1) / c.mean() / math.sqrt(6)
        return math.log(c.mean()) + error * rng.standard_t(5, 100_000)

    drawn = np.stack([draws(c) for c in costs.values()])
    ranks = 1 + (drawn[:, None] > drawn[None]).sum(axis=1)
    expected = np.quantile(ranks, [0.1, 0.9], axis=1, method="inverted_cdf").T
    found = bounds(trials, confidence=0.8, samples=20_000)
    assert list(found.values()) == [tuple(pair) for pair in expected]


def test_arms_far_apart_have_a_rank_of_their_own_and_near_ones_change_places():
    rng = np.random.default_rng(2)
    near = [*runs("a", *rng.uniform(90, 110, 5)), *runs("b", *rng.uniform(90, 110, 5))]
    found = bounds(table(*near, *runs("c", *rng.uniform(900, 999, 5))))
    assert found == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}


def test_a_single_pass_may_be_anywhere_among_those_that_hit():
    trials = table(
        *runs("cheap", 100, 101),
        *runs("dear", 900, 901),
        *runs("once", 500),
        *runs("never", None, None),
        *runs("nor", None),
    )
    assert bounds(trials) == {
        "cheap": (1, 2),
        "dear": (2, 3),
        "once": (1, 3),
        "never": (4, 4),
        "nor": (4, 4),
    }
    assert bounds(table(*runs("once", 500))) == {"once": (1, 1)}


def test_a_rare_hit_may_be_no_better_than_none():
    rare = runs("rare", 500, *[None] * 29, by="random")
    trials = table(*rare, *runs("sgd", 100, 101), *runs("never", None))
    assert bounds(trials)["rare"] == (2, 2)
    assert bounds(trials)["never"] == (2, 3)  # as good as never in many resamples


@pytest.mark.slow
@given(
    bills=st.lists(
        st.lists(st.one_of(st.none(), st.integers(1, 900)), min_size=1, max_size=5),
        min_size=1,
        max_size=6,
    )
)
def test_ranks_stay_within_the_field_and_scaling_costs_keeps_them(bills):
    rows = [row for i, at in enumerate(bills) for row in runs(f"arm{i}", *at)]
    passes = arm_passes(table(*rows))
    found = bill_ranks(passes, samples=200).set_index("arm")
    hit = passes.groupby("arm")["hit"].any()
    assert (found["rank_low"] >= 1).all()
    assert (found["rank_low"] <= found["rank_high"]).all()
    assert (found.loc[hit, "rank_high"] <= hit.sum()).all()
    assert (found.loc[~hit, "rank_low"] == hit.sum() + 1).all()
    again = bill_ranks(passes.assign(cost=8 * passes["cost"]), samples=200)
    assert again.set_index("arm").equals(found)


def test_the_order_of_rows_changes_nothing_and_the_seed_repeats():
    found = ranking(study(), "sgd")
    again = ranking(shuffled(study()), "sgd")
    pd.testing.assert_frame_equal(again, found, check_exact=True)


def test_workloads_are_ranked_apart():
    twice = pd.concat([study(), study().assign(workload="wine", cost=2 * BUDGET)])
    found = ranking(twice, "sgd")
    digits = found[found["workload"] == "digits"].reset_index(drop=True)
    pd.testing.assert_frame_equal(digits, ranking(study(), "sgd"))


def test_finished_tables_give_the_same_ranking():
    ranks = bill_ranks(arm_passes(study()))
    ratios = reference_ratios(study(), "sgd")
    found = rank_arms(arm_bills(study()), ranks, ratios)
    pd.testing.assert_frame_equal(found, ranking(study(), "sgd"))


def test_nothing_at_all_is_a_table_too():
    found = ranking(table(), "sgd")
    assert tuple(found.columns) == RANKING_COLUMNS
    assert found.empty
    assert bill_ranks(arm_passes(table())).empty


def test_what_cannot_be_read_is_refused():
    passes = arm_passes(study())
    with pytest.raises(ValueError, match="`confidence` must be between"):
        bill_ranks(passes, confidence=1)
    with pytest.raises(ValueError, match="`samples` must be at least 1"):
        bill_ranks(passes, samples=0)
    with pytest.raises(ValueError, match="`origins` must have the column `arm`"):
        ranking(study(), origins=pd.DataFrame({"rule": []}))
    with pytest.raises(ValueError, match="one row an arm; got 'sgd' twice"):
        ranking(study(), origins=pd.DataFrame({"arm": ["sgd", "sgd"]}))
    with pytest.raises(ValueError, match="missing"):
        ranking(study().drop(columns="cost"))
