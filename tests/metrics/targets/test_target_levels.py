import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.crossings import record_curves
from hpo_vs_adapt.metrics.basics.passes import role_rows
from hpo_vs_adapt.metrics.targets.target_levels import make_levels
from tests.metrics.builder import table, trial


def levels(arms, own=0.0, points=4, mode="max"):
    """Levels for arms with a curve a trial, an evaluation at each of cost 0 to 10."""
    rows, curves = [], []
    for arm, trials in arms.items():
        for number, values in enumerate(trials):
            key = f"{arm}/{number}"
            cost = np.arange(len(values), dtype=float)
            rows.append(trial(arm, number, key=key, cost=cost[-1]))
            points_of = {"key": key, "step": cost, "cost": cost}
            curves.append(pd.DataFrame({**points_of, "validation_metric": values}))
    policy = role_rows(table(*rows), "policy")
    paths = record_curves(policy, pd.concat(curves), {"digits": mode})
    return make_levels(policy, paths, {"digits": own}, points)["digits"].tolist()


def rising(start, step):
    return [start + step * i for i in range(11)]


def test_the_easiest_is_what_the_median_arm_meets_after_a_tenth_of_a_training():
    arms = {"a": [rising(0, 1)], "b": [rising(0, 3)], "c": [rising(0, 7)]}
    assert levels(arms)[:2] == [0, 3]  # the study's own, then b after one step
    assert levels(arms, own=100)[0] == 3


def test_an_arm_is_as_quick_as_its_best_trial():
    arms = {"a": [rising(0, 0), rising(0, 5)], "b": [rising(0, 0), rising(0, 7)]}
    assert levels(arms, own=100)[0] == (5 + 7) / 2


def test_the_hardest_is_the_best_value_of_any_trial():
    arms = {"a": [rising(0, 1), rising(5, 1)], "b": [rising(0, 0.5)]}
    assert levels(arms)[-1] == 15
    down = {arm: [[-v for v in one] for one in trials] for arm, trials in arms.items()}
    assert levels(down, mode="min")[-1] == 15


def test_between_them_lies_the_same_share_of_all_evaluations():
    # From 1 on: 1 to 10, a tenth of the training each.
    assert levels({"a": [rising(0, 1)]}, own=1, points=3) == [1, 5, 10]
    assert levels({"a": [rising(0, 1)]}, own=1, points=6) == [1, 2, 4, 6, 8, 10]


def test_arms_weigh_the_same_however_many_trials_they_have():
    once = {"a": [rising(0, 1)], "b": [rising(0, 2)]}
    often = {"a": [rising(0, 1)] * 9, "b": [rising(0, 2)]}
    assert levels(once, points=9) == levels(often, points=9)


def test_what_came_after_a_divergence_is_no_target():
    broken = [0.0, 1.0, 2.0, np.nan, *[50.0] * 7]
    assert levels({"a": [broken]}, own=1)[-1] == 2


def test_targets_that_coincide_are_one():
    assert levels({"a": [[3.0] * 11]}, own=3) == [3]
