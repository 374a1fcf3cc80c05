"""The numbers of the table of arms and of the summary."""

import dataclasses

import numpy as np
import pytest

from hpo_vs_adapt.report import make_summary
from hpo_vs_adapt.tables.catalogue import Tables
from tests.report import builder


@pytest.fixture(scope="module")
def results():
    entries = [builder.workload(), builder.workload("valley", 0.3, builder.LOSS)]
    return builder.finished(builder.study(workloads=entries, sweep=False))


def test_the_summary_counts_policy_trials_alone(results):
    (arm,) = (
        arm
        for arm in make_summary(Tables(results))["arms"]
        if (arm["workload"], arm["arm"]) == ("digits_mlp", "sgd-grid")
    )
    assert arm["trials"] == len(builder.GRID) * 3
    assert arm["passes"] == 3
    assert arm["kind"] == "tuned"


def test_the_bill_of_an_arm_without_tuning_is_what_its_seeds_spent_per_hit(results):
    records = results.records
    own = records[
        (records["workload"] == "digits_mlp")
        & (records["arm"] == "clara")
        & (records["role"] == "policy")
    ]
    spent = np.where(own["hit"], own["cost_to_target"], own["cost"]).sum()
    bills = Tables(results)["bills"].set_index(["workload", "arm"])
    assert bills.loc[("digits_mlp", "clara"), "bill"] == spent / own["hit"].sum()


def test_the_bill_of_a_grid_is_that_of_a_random_order(results):
    records = results.records
    own = records[
        (records["workload"] == "digits_mlp")
        & (records["arm"] == "sgd-grid")
        & (records["role"] == "policy")
    ]
    expected = []
    for _, stream in own.groupby("stream"):
        hits, misses = stream[stream["hit"]], stream[~stream["hit"]]
        expected.append(
            hits["cost_to_target"].mean() + misses["cost"].sum() / (len(hits) + 1)
        )
    bills = Tables(results)["bills"].set_index(["workload", "arm"])
    found = bills.loc[("digits_mlp", "sgd-grid"), "bill"]
    assert found == pytest.approx(np.mean(expected), rel=1e-12)


def test_an_arm_that_never_met_the_target_has_no_number_and_is_not_dropped():
    one = builder.study(workloads=[builder.workload(target=0.9999)], sweep=False)
    arms = make_summary(Tables(builder.finished(one)))["arms"]
    assert [arm["arm"] for arm in arms] == [arm.name for arm in one.arms]
    for arm in arms:
        assert arm["hits"] == 0
        assert arm["bill"] == {"expected": None, "low": None, "high": None}


def test_an_arm_without_a_trial_stands_in_the_summary_with_zeros(results):
    records = results.records
    started = records[records["arm"] != "clara"].reset_index(drop=True)
    progress = results.progress.copy()
    progress.loc[progress["arm"] == "clara", "done"] = 0
    partial = dataclasses.replace(results, records=started, progress=progress)
    summary = make_summary(Tables(partial))
    arms = [arm for arm in summary["arms"] if arm["arm"] == "clara"]
    assert len(arms) == 2
    for arm in arms:
        assert (arm["trials"], arm["passes"], arm["kind"]) == (0, 0, "adaptive")
        assert arm["best_metric"] is None
