"""What every formula says of no trial, of one, of no hit, of hits alone, of ties, inf
and NaN: one table, so that a gap is seen."""

import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.basics.cost import (
    expected_finite_list,
    expected_running_time,
)
from hpo_vs_adapt.metrics.basics.hits import target_crossing
from hpo_vs_adapt.metrics.costs.break_even import (
    break_even_failure_fraction,
    break_even_runs,
)
from hpo_vs_adapt.metrics.costs.parallel import expected_parallel
from hpo_vs_adapt.metrics.sensitivity.hyperparameters import (
    effective_dimension,
    hyperparameter_sensitivity,
)
from hpo_vs_adapt.metrics.sensitivity.lr_curves import (
    basin_width,
    lr_sensitivity,
    misspecification_regret,
)
from hpo_vs_adapt.metrics.suites.profiles import (
    data_profile,
    leave_one_out_scores,
    profile_scores,
)
from hpo_vs_adapt.metrics.tuners.best_of_k import best_of_k, best_of_k_band
from hpo_vs_adapt.metrics.tuners.tunability import tunability
from hpo_vs_adapt.metrics.uncertainty.intervals import ert_interval
from hpo_vs_adapt.metrics.uncertainty.survival import restricted_mean, survival

INF, NAN = math.inf, math.nan
BOTH = (NAN, NAN)

NO_TRIAL = ([], [])
ONE_HIT = ([5.0], [True])
NO_HIT = ([5.0, 7.0], [False, False])
ALL_HIT = ([4.0, 6.0], [True, True])
TIES = ([5.0, 5.0, 5.0], [True, True, False])


def two_workers(costs, hits):
    return expected_parallel(costs, hits, 2)


def last_share(times, hits):
    found = survival(times, hits)
    return found["survival"].iloc[-1] if len(found) else None


def fraction(costs, hits):
    spent, met = np.array(costs), np.array(hits, dtype=bool)
    return break_even_failure_fraction(spent[met], spent[~met], 6.0)


OF_TRIALS = {
    "no trial": (NO_TRIAL, NAN, NAN, BOTH, BOTH, NAN),
    "one hit": (ONE_HIT, 5, 5, (5, 5), BOTH, 1),
    "no hit": (NO_HIT, INF, INF, (INF, INF), BOTH, 0),
    "all hit": (ALL_HIT, 5, 5, (4, 8), (0.3938, 63.48), 1),
    "ties": (TIES, 7.5, 20 / 3, (5, 10), (0.8725, 64.47), 0.4),
}
"""Trials; ERT, finite list, latency and bill of two workers, interval, f*.

Intervals: 5 and 7.5 times exp(+-se t), with se = 0.2 and t = 12.71, 0.5 and 4.303.
"""


@pytest.mark.parametrize("name", OF_TRIALS)
def test_bills_are_defined_for_any_trials(name):
    trials, *expected = OF_TRIALS[name]
    formulas = (
        expected_running_time,
        expected_finite_list,
        two_workers,
        ert_interval,
        fraction,
    )
    for formula, value in zip(formulas, expected, strict=True):
        assert formula(*trials) == pytest.approx(value, rel=1e-3, nan_ok=True), formula


OF_TIMES = {
    "no trial": (NO_TRIAL, None, NAN),
    "one hit": (ONE_HIT, 0, 5),
    "no hit by policy": (([INF, INF], [False, False]), None, 8),
    "no hit yet": (([9.0, 9.0], [False, False]), 1, 8),
    "all hit": (ALL_HIT, 0, 5),
    "ties": (([5.0, 5.0, INF], [True, True, False]), 1 / 3, 5 + 3 / 3),
    "a small unit": (([0.2, 0.5, INF], [True, True, False]), 1 / 3, 0.7 / 3 + 8 / 3),
    "hit and loss at one time": (([5.0, 5.0], [True, False]), 0.5, "`horizon`"),
}
"""Times; what is left of S at the end, restricted mean to 8."""


@pytest.mark.parametrize("name", OF_TIMES)
def test_survival_is_defined_for_any_times(name):
    trials, share, mean = OF_TIMES[name]
    assert last_share(*trials) == pytest.approx(share)
    if isinstance(mean, str):
        with pytest.raises(ValueError, match=mean):
            restricted_mean(*trials, 8.0)
    else:
        assert restricted_mean(*trials, 8.0) == pytest.approx(mean, nan_ok=True)


LRS = [1e-3, 1e-2, 1e-1]
DEFINED = {
    "crossing, no evaluation": (lambda: target_crossing([], [], 0.5).first, INF),
    "crossing, infinite value": (lambda: target_crossing([1], [INF], 0.5).first, INF),
    "crossing, tie": (lambda: target_crossing([1], [0.5], 0.5).first, 1),
    "best of k, no value": (lambda: best_of_k([], 1), NAN),
    "best of k, one value": (lambda: best_of_k([0.3], 1), 0.3),
    "best of k, more draws than values": (lambda: best_of_k([0.3], 2), NAN),
    "best of k, plug-in": (lambda: best_of_k([0.3], 2, "plugin"), 0.3),
    "best of k, ties": (lambda: best_of_k([0.3, 0.3, 0.3], 2), 0.3),
    "best of k, diverged": (lambda: best_of_k([-INF, 0.3], 2), 0.3),
    "best of k, perhaps diverged": (lambda: best_of_k([-INF, 0.3], 1), -INF),
    "band, no value": (lambda: best_of_k_band([], [1])["median"][0], NAN),
    "band, ties": (lambda: best_of_k_band([0.3] * 4, [1])["median"][0], 0.3),
    "rates, nobody learns": (lambda: lr_sensitivity(LRS, [NAN] * 3, 2.0), NAN),
    "rates, one": (lambda: lr_sensitivity([0.1], [1.0], 2.0), NAN),
    "rates, two": (lambda: lr_sensitivity([0.1, 1.0], [1.0, 2.0], 2.0), 0.5),
    "rates, ties": (lambda: lr_sensitivity(LRS, [1.0] * 3, 2.0), 0),
    "rates, one diverged": (lambda: lr_sensitivity(LRS, [1, 1, NAN], 2.0), 0.25),
    "basin, no rate": (lambda: basin_width([], [], 0.1).decades, 0),
    "basin, nothing reached": (lambda: basin_width(LRS, [NAN] * 3, 0.1).decades, 0),
    "basin, ties": (lambda: basin_width(LRS, [1.0] * 3, 0.1).decades, 2),
    "regret, nothing reached": (
        lambda: misspecification_regret(LRS, [NAN] * 3, [2])["regret"][0],
        NAN,
    ),
    "regret, off the grid": (
        lambda: misspecification_regret(LRS, [1, 0, 0], [2])["regret"][0],
        NAN,
    ),
    "regret, a linear setting below one": (
        lambda: misspecification_regret([0, 0.5, 1], [0, 3, 1], [2], scale="linear")[
            "multiplied"
        ][0],
        2,
    ),
    "sensitivity, nothing run": (
        lambda: hyperparameter_sensitivity([[NAN]]),
        [NAN] * 3,
    ),
    "sensitivity, one": (lambda: hyperparameter_sensitivity([[2.0]]), (0, 2, 2)),
    "sensitivity, ties": (
        lambda: hyperparameter_sensitivity([[1, 1], [1, 1]], normalise=True),
        (0, 0, 0),
    ),
    "dimension, one configuration": (
        lambda: effective_dimension(pd.DataFrame({"lr": [0.1]}), [[1.0]]),
        0,
    ),
    "tunability, nothing": (lambda: tunability([]), [NAN] * 3),
    "tunability, ties": (lambda: tunability([2.0, 2.0]), [2.0] * 3),
    "score, nobody": (lambda: profile_scores([[INF], [INF]]), [0, 0]),
    "score, alone": (lambda: profile_scores([[3.0]]), [1]),
    "score, ties": (lambda: profile_scores([[3.0], [3.0], [INF]]), [1, 1, 0]),
    "score, no workload": (lambda: profile_scores(np.empty((1, 0))), [NAN]),
    "score, no method": (lambda: len(profile_scores(np.empty((0, 2)))), 0),
    "left out, no method": (lambda: len(leave_one_out_scores(np.empty((0, 2)))), 0),
    "profile, nobody": (lambda: data_profile([[INF]], [1, INF]).loc[0], [0, 0]),
    "profile, tie with the budget": (lambda: data_profile([[1.0]], [1]).loc[0], [1]),
    "profile, no workload": (lambda: data_profile(np.empty((1, 0)), [1]).loc[0], [NAN]),
    "runs, tie": (lambda: break_even_runs(5, 1, 5, 2), 0),
    "runs, never": (lambda: break_even_runs(5, 2, 4, 2), INF),
    "runs, never tuned": (lambda: break_even_runs(INF, 1, 4, 2), INF),
    "runs, nobody": (lambda: break_even_runs(INF, INF, INF, INF), INF),
    "runs, unknown": (lambda: break_even_runs(NAN, 1, 4, 2), NAN),
}


@pytest.mark.parametrize("case", DEFINED)
def test_the_answer_is_defined(case):
    ask, expected = DEFINED[case]
    found = ask()
    found = list(found) if np.iterable(found) else found
    if isinstance(expected, tuple | list):
        expected = list(expected)
    assert found == pytest.approx(expected, nan_ok=True)


REFUSED = {
    "costs": [
        lambda bad: expected_running_time([bad], [True]),
        lambda bad: expected_finite_list([bad], [True]),
        lambda bad: expected_parallel([bad], [True], 1),
        lambda bad: ert_interval([bad, 1.0], [True, True]),
        lambda bad: break_even_failure_fraction([bad], [], 1.0),
    ],
    "cost": [lambda bad: target_crossing([bad], [0.5], 0.5)],
    "curve": [lambda bad: tunability([bad])],
    "initial_loss": [lambda bad: lr_sensitivity(LRS, [1, 1, 1], bad)],
    "lrs": [
        lambda bad: lr_sensitivity([bad, 0.1], [1, 1], 2.0),
        lambda bad: basin_width([bad, 0.1], [1, 1], 0.1),
        lambda bad: misspecification_regret([bad, 0.1], [1, 1], [2]),
    ],
    "tolerance": [lambda bad: basin_width(LRS, [1, 1, 1], bad)],
    "factors": [lambda bad: misspecification_regret(LRS, [1, 1, 1], [bad])],
    "horizon": [lambda bad: restricted_mean([5.0], [True], bad)],
    "r_max": [lambda bad: profile_scores([[1.0]], bad)],
}
"""Calls that must be finite, by the name of what they are given."""


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("name", REFUSED)
def test_what_must_be_finite_is_refused_by_its_name(name, bad):
    for call in REFUSED[name]:
        with pytest.raises(ValueError, match=rf"^`{name}` must be .*; got "):
            call(bad)


REFUSED_NAN = {
    "target": lambda: target_crossing([1], [0.5], NAN),
    "values": lambda: best_of_k([NAN], 1),
    "scores": lambda: hyperparameter_sensitivity([[INF]]),
    "times": lambda: profile_scores([[NAN]]),
    "budgets": lambda: data_profile([[1.0]], [NAN]),
}


@pytest.mark.parametrize("name", REFUSED_NAN)
def test_what_must_be_known_is_refused_by_its_name(name):
    with pytest.raises(ValueError, match=rf"^`{name}` must .*; got "):
        REFUSED_NAN[name]()


@pytest.mark.parametrize(
    "formula", [expected_running_time, expected_finite_list, two_workers, ert_interval]
)
def test_costs_and_hits_belong_together(formula):
    for costs, hits in (([1.0], []), ([[1.0]], [[True]]), ([1.0], [NAN])):
        with pytest.raises(ValueError, match="`hits`"):
            formula(costs, hits)
