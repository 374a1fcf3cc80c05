"""Targets that untrained models meet: bills of 0, which nothing can be divided by."""

import itertools
import math

import pytest

from hpo_vs_adapt.results import Results
from tests.report import builder

pytestmark = pytest.mark.slow

ARMS = ("sgd-grid", "adam-default", "clara")
FREE = {  # arms and seeds whose first evaluation meets the target
    "all": (ARMS, (0, 1, 2)),
    "reference": (ARMS[:1], (0, 1, 2)),
    "other": (ARMS[2:], (0, 1, 2)),
    "one-seed": (ARMS, (0,)),
    "usual": ((), ()),
    "stuck": ((), ()),  # nothing better than the initial weights is ever found
}


class Early(builder.Records):
    """Trainings of which some meet the target before they begin."""

    def add(self, entry, arm, lr, seed, *rest, **more):
        curve = builder.train(entry, arm, lr, seed)
        arms, seeds = FREE[entry.name]
        if arm.name in arms and (seed in seeds or seed >= 1000):  # retrains, too
            curve.loc[0, "validation_metric"] = entry.target
        if entry.name == "stuck":
            curve["validation_metric"] = 0.3
        return super().add(entry, arm, lr, seed, *rest, curve=curve, **more)


@pytest.fixture(scope="module")
def results():
    loss = builder.workload("other", 0.4, builder.LOSS)
    entries = [loss if n == "other" else builder.workload(n) for n in FREE]
    arms = [builder.grid_arm(), builder.fixed_arm(), builder.adaptive_arm()]
    one = builder.study(arms, entries, sweep=False)
    records = Early()
    for entry, arm in itertools.product(one.workloads, one.arms):
        builder._run_arm(records, one, entry, arm)
    return Results(records.results(one))


@pytest.fixture(scope="module")
def sentences(results):
    return {
        verdict["workload"]: verdict["sentence"]
        for verdict in results.summary()["verdict"]
    }


def test_the_answer_says_that_untrained_models_meet_the_target(sentences):
    assert sentences["all"].startswith(
        "all: the untrained model meets accuracy ≥ 0.9 already, so sgd-grid, "
        "adam-default and clara have a bill of 0 and no arm is told from another: set "
        "a target that initial weights do not meet."
    )
    assert (
        "the untrained model meets loss ≤ 0.4 already, so clara has a bill of 0"
        in (sentences["other"])
    )
    for name in ("all", "reference", "other"):
        assert "cheapest" not in sentences[name]
        assert "times as much" not in sentences[name]
    assert "Other bills: clara, " in sentences["reference"]
    for name in ("one-seed", "usual", "stuck"):
        assert "untrained" not in sentences[name]


def test_nothing_is_a_multiple_of_a_bill_of_0(results):
    costs = results.costs().set_index(["workload", "arm"])
    assert costs.loc["all", "bill"].eq(0).all()
    for name in ("all", "reference"):
        ratios = costs.loc[name, "ratio"]
        assert ratios["sgd-grid"] == 1
        assert ratios.drop("sgd-grid").isna().all()
    assert costs.loc[("other", "clara"), "ratio"] == 0
    across = results.across_workloads().set_index("arm")
    # Bills of 0 are in no mean: that is over the last two workloads, and `other`
    # where the arm's own bill is above 0.
    assert across["in_how_many"].to_dict() == {
        "sgd-grid": 3,
        "adam-default": 3,
        "clara": 2,
    }
    assert across["mean_ratio"].between(0, math.inf, inclusive="neither").all()


def test_the_report_is_written_with_a_figure_of_every_workloads_bills(
    results, sentences, tmp_path
):
    page = results.write_report(tmp_path).read_text()
    for name in FREE:
        drawn = (tmp_path / f"figures/bills-{name}.svg").read_text()
        free = len(FREE[name][0]) if name in ("all", "reference", "other") else 0
        assert drawn.count("0: met before any training") == free
    assert "the untrained model meets" in page
    assert "met before any training, or never" in (
        (tmp_path / "figures/chances-all.svg").read_text()
    )
