"""Streams: what they suggest, in which order, and what they are told."""

import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.plan.tuning import (
    ListStream,
    OptunaStream,
    Outcome,
    Proposal,
    make_stream,
    retrain_seeds,
    stream_seeds,
    told_value,
)
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.study import Arm, Space, Tune
from hpo_vs_adapt.workloads.base import ACCURACY, Metric

SPACE = {
    "lr": Space("float", low=1e-5, high=1.0, log=True),
    "batch_size": Space("int", low=16, high=64, step=16),
    "schedule": Space("categorical", choices=("constant", "cosine")),
}
LOSS = Metric("loss", "min", 0.0, None)


def arm(**tune):
    return Arm("an-arm", "sgd", {}, Tune(**tune))


def tpe(batch=1, trials=16, seed=7):
    args = {"n_startup_trials": 4}
    return OptunaStream("tpe", args, SPACE, trials, batch, seed=seed, mode="max")


def value(proposal):
    return -abs(math.log10(dict(proposal.settings)["lr"]) + 2)


def run(stream, order=lambda batch: batch):
    """Run a stream to its end, told in an order of arrival; return its proposals."""
    proposals = []
    while not stream.finished:
        batch = stream.ready()
        for proposal in order(batch):
            outcome = Outcome(value(proposal), failed=proposal.number == 5)
            stream.tell(proposal.number, outcome)
        proposals += batch
    return proposals


SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from tests.plan.test_tuning import run, tpe
print(json.dumps([(p.settings, p.batch_size, p.seed) for p in run(tpe(batch=4))]))
"""


@pytest.mark.slow
def test_another_process_with_another_hash_seed_suggests_the_same():
    answers = []
    for hash_seed in ("1", "2"):
        answers.append(
            subprocess.run(
                [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[2])],
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    here = [(p.settings, p.batch_size, p.seed) for p in run(tpe(batch=4))]
    assert answers[0] == answers[1]
    assert json.loads(answers[0]) == json.loads(json.dumps(here))


def test_the_order_in_which_results_arrive_changes_nothing():
    usual = run(tpe(batch=4))
    assert run(tpe(batch=4), order=lambda batch: batch[::-1]) == usual
    assert run(tpe(batch=4), order=lambda batch: batch[2:] + batch[:2]) == usual


def test_more_trials_only_add_trials():
    assert run(tpe(trials=20))[:16] == run(tpe(trials=16))


def test_suggestions_follow_the_history():
    usual, stream = run(tpe()), tpe()
    while not stream.finished:
        for proposal in stream.ready():
            stream.tell(proposal.number, Outcome(-value(proposal)))
    other = [proposal for proposal, _ in stream.history]
    assert other[:4] == usual[:4]  # drawn at random
    assert other[5:] != usual[5:]


def test_a_stream_waits_until_its_whole_batch_is_told():
    stream = tpe(batch=4, trials=6)
    batch = stream.ready()
    assert [p.number for p in batch] == [0, 1, 2, 3]
    for proposal in batch[1:]:
        stream.tell(proposal.number, Outcome(0.5))
        assert stream.ready() == []
    stream.tell(0, Outcome(0.5))
    assert [p.number for p in stream.ready()] == [4, 5]
    assert stream.ready() == []
    assert not stream.finished
    stream.tell(5, Outcome(0.5))
    stream.tell(4, Outcome(math.nan, failed=True))
    assert stream.finished
    assert stream.ready() == []


def test_the_worst_value_is_that_of_the_batches_before():
    stream = tpe(batch=2, trials=6)
    stream.ready()
    stream.tell(1, Outcome(0.2))
    assert stream.worst is None
    stream.tell(0, Outcome(0.9))
    assert stream.worst == 0.2
    stream.ready()
    stream.tell(2, Outcome(0.1))
    assert stream.worst == 0.2
    stream.tell(3, Outcome(math.nan, failed=True))
    assert stream.worst == 0.1


def test_random_search_asks_for_everything_at_once_and_ignores_results():
    stream = make_stream(arm(by="random", space=SPACE, trials=8), 3, (3, 4), "max")
    first = stream.ready()
    assert [p.number for p in first] == list(range(8))
    assert len({p.settings for p in first}) == 8
    longer = make_stream(arm(by="random", space=SPACE, trials=9), 3, (3, 4), "max")
    assert longer.ready()[:8] == first


def test_a_grid_is_the_whole_product_in_an_order_of_its_seed():
    grid = {"lr": (0.01, 0.1, 1.0), "batch_size": (32, 64), "momentum": (0.0, 0.9)}
    orders = []
    for seed in range(3):
        stream = make_stream(arm(by="grid", grid=grid), seed, (0, 1, 2), "max")
        points = stream.ready()
        assert stream.planned == len(points) == 12
        assert [p.number for p in points] == list(range(12))
        assert {p.seed for p in points} == {seed}
        orders.append([(*dict(p.settings).values(), p.batch_size) for p in points])
        product = itertools.product(grid["lr"], grid["momentum"], grid["batch_size"])
        assert sorted(orders[-1]) == sorted(product)
    assert len({str(order) for order in orders}) == 3
    assert orders[0] != sorted(orders[0])


def test_a_point_added_to_a_grid_leaves_the_order_of_the_others():
    few = make_stream(arm(by="grid", grid={"lr": (0.01, 0.1, 1.0)}), 0, (0,), "max")
    many = make_stream(
        arm(by="grid", grid={"lr": (3.0, 0.01, 0.1, 1.0)}), 0, (0,), "max"
    )
    added = (("lr", 3.0),)
    rest = [p.settings for p in many.ready() if p.settings != added]
    assert rest == [p.settings for p in few.ready()]


def test_an_arm_that_is_not_tuned_asks_for_the_seeds_of_the_study():
    stream = make_stream(Arm("a", "sgd", {"lr": 0.1}), -1, (4, 9), "max")
    assert stream.ready() == [Proposal(0, (), None, 4), Proposal(1, (), None, 9)]


def test_fresh_training_seeds_differ_between_trials_and_streams():
    tune = arm(by="random", space=SPACE, trials=4, training_seed="fresh")
    streams = [make_stream(tune, seed, (0, 1), "max") for seed in (0, 1)]
    seeds = [p.seed for stream in streams for p in stream.ready()]
    assert len({*seeds, 0, 1}) == 10


def test_optuna_arms_pass_on_their_sampler_and_its_arguments():
    tune = arm(
        by="optuna",
        sampler="tpe",
        sampler_args={"n_startup_trials": 4},
        space=SPACE,
        trials=16,
        batch=4,
    )
    assert run(make_stream(tune, 7, (7,), "max")) == run(tpe(batch=4))


def test_the_cost_objective_is_minimised_whatever_the_metric():
    tune = arm(by="optuna", sampler="random", space=SPACE, trials=4, objective="cost")
    assert make_stream(tune, 0, (0,), "max").direction.mode == "min"


@pytest.mark.parametrize(("mode", "best"), [("max", 1), ("min", 2)])
def test_the_best_trial_is_the_lowest_number_among_equals(mode, best):
    proposals = [Proposal(n, (), None, n) for n in range(6)]
    stream = ListStream(proposals, mode)
    assert stream.ready() == proposals
    assert stream.ready() == []
    assert stream.best() is None
    stream.tell(0, Outcome(math.nan, failed=True))
    assert stream.best() is None
    for number, told in [(4, 0.1), (3, 0.9), (2, 0.1), (5, 0.5), (1, 0.9)]:
        stream.tell(number, Outcome(told))
    assert stream.finished
    assert stream.best() == best
    assert [proposal.number for proposal, _ in stream.history] == list(range(6))


def test_a_stream_refuses_what_it_did_not_ask_for():
    stream = ListStream([Proposal(0, (), None, 0)], "max")
    with pytest.raises(ValueError, match="asked for"):
        stream.tell(0, Outcome(0.5))
    stream.ready()
    with pytest.raises(ValueError, match="must be a number; got nan"):
        stream.tell(0, Outcome(math.nan))
    stream.tell(0, Outcome(0.5))
    with pytest.raises(ValueError, match="told before"):
        stream.tell(0, Outcome(0.5))
    with pytest.raises(ValueError, match="'max' or 'min'; got 'best'"):
        ListStream([], "best")
    with pytest.raises(ValueError, match="numbered from 0"):
        ListStream([Proposal(1, (), None, 0)], "max")


def test_streams_begin_with_the_seeds_of_the_study():
    seeds = (0, 1, 2)
    assert stream_seeds(Tune("random"), seeds) == seeds
    assert stream_seeds(Tune("random", repeats=2), seeds) == (0, 1)
    five = stream_seeds(Tune("random", repeats=5), seeds)
    assert five[:3] == seeds
    assert len(set(five)) == 5


def test_retrain_seeds_are_new_and_stay_when_seeds_are_appended():
    seeds = retrain_seeds((0, 1, 2), 4)
    assert len({*seeds, 0, 1, 2}) == 7
    assert retrain_seeds((0, 1, 2, 3), 4) == seeds
    assert retrain_seeds((0, 1, 2), 2) == seeds[:2]
    assert retrain_seeds((0, seeds[0]), 3) == seeds[1:4]


def curve(metric, cost=None):
    steps = np.arange(len(metric)) * 10
    return pd.DataFrame(
        {
            "samples": steps * 8,
            "cost": steps * 8.0 if cost is None else cost,
            "validation_metric": metric,
        }
    )


def told(metric_values, end, metric=ACCURACY, worst=None, objective="metric", **rest):
    table = curve(metric_values, rest.get("cost"))
    return told_value(table, end, metric, objective, 0.5, worst, budget=400)


def test_the_best_evaluation_is_told():
    assert told([0.1, 0.7, math.nan, 0.6], EndReason.BUDGET) == 0.7
    assert told([2.0, 0.7, math.nan, 0.9], EndReason.BUDGET, LOSS) == 0.7
    assert told([0.1, 0.6], EndReason.TARGET) == 0.6
    assert told([0.1, 0.3], EndReason.PRUNED) == 0.3


@pytest.mark.parametrize(
    ("metric", "worst", "expected"),
    [
        (ACCURACY, None, 0.0),
        (ACCURACY, 0.3, 0.0),
        (LOSS, None, 2.3),
        (LOSS, 1.0, 2.3),
        (LOSS, 8.0, 8.0),
        (Metric("error", "min", 0.0, 1.0), 0.4, 1.0),
        (Metric("return", "max"), None, 2.3),
        (Metric("return", "max"), -4.0, -4.0),
    ],
)
def test_a_diverged_trial_is_told_the_worst_value_of_its_metric(
    metric, worst, expected
):
    values = [2.3, 0.1, math.nan]
    assert told(values, EndReason.DIVERGED, metric, worst) == expected


def test_without_a_finite_evaluation_the_worst_known_value_is_told():
    assert told([math.nan], EndReason.DIVERGED, LOSS, 3.0) == 3.0
    assert told([math.nan], EndReason.BUDGET, LOSS, 3.0) == 3.0
    assert told([math.inf], EndReason.DIVERGED, LOSS) == math.inf


def test_the_cost_told_is_that_of_the_first_crossing():
    cost = {"objective": "cost"}
    assert told([0.1, 0.4, 0.5, 0.9], EndReason.BUDGET, **cost) == 160
    assert told([2.0, 0.4, 0.6], EndReason.BUDGET, LOSS, **cost) == 80
    assert told([0.6], EndReason.TARGET, **cost) == 0


def test_without_a_crossing_the_cost_of_the_whole_budget_is_told():
    ran = [0.1, 0.2, math.nan, 0.2, 0.3, 0.4]
    assert told(ran, EndReason.BUDGET, objective="cost") == 400
    # Ended after 80 of 400 samples, at two gradients a sample.
    short = told([0.1, 0.2], EndReason.DIVERGED, objective="cost", cost=[0.0, 160.0])
    assert short == 800
    assert told([0.1], EndReason.DIVERGED, objective="cost") == 400
