"""Optuna studies that mirror streams, in real storages."""

import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from hpo_vs_adapt.observers.dashboard.storage import close_storage, open_storage
from hpo_vs_adapt.observers.dashboard.studies import (
    OptunaStudies,
    StreamChanged,
    running_trials,
)
from hpo_vs_adapt.plan.tuning import OptunaStream, Outcome
from hpo_vs_adapt.study import Space
from tests.observers.dashboard.studies import (
    ATTRS,
    NAME,
    SPACE,
    finish,
    mirrored,
    names,
    params,
    read,
    states,
)


def test_a_study_says_what_it_is_and_holds_every_trial_as_it_was_told(url):
    with mirrored(url) as mirror:
        between = {np.int64(0): 0.1, 10: math.nan, 20: math.inf, 30: np.float64(0.7)}
        attrs = {"record": "abc", "seed": 2**53 - 1, "cost": np.float64(80.5)}
        attrs |= {"hit": np.bool_(True), "settings": {"lr": 0.1}}
        mirror.finish(0, params(0), 0.7, "COMPLETE", between, attrs)
        mirror.finish(
            1, params(1), math.inf, "COMPLETE", {}, {"end_reason": "diverged"}
        )
        mirror.finish(2, params(2), None, "FAIL", {0: 0.1}, {"error": "out of memory"})
        mirror.finish(3, params(3), 0.2, "PRUNED", {0: 0.2}, {})
    trials = read(url)
    assert [t.number for t in trials] == [0, 1, 2, 3]
    assert [t.state.name for t in trials] == ["COMPLETE", "COMPLETE", "FAIL", "PRUNED"]
    assert [t.value for t in trials] == [0.7, math.inf, None, 0.2]
    assert [t.params for t in trials] == [params(n) for n in range(4)]
    assert trials[0].distributions == {
        "lr": FloatDistribution(1e-5, 1.0, log=True),
        "batch_size": IntDistribution(16, 64),
        "nesterov": CategoricalDistribution((True, False)),
    }
    seen = trials[0].intermediate_values
    assert math.isnan(seen.pop(10))
    assert seen == {0: 0.1, 20: math.inf, 30: 0.7}
    assert trials[0].user_attrs == {
        "record": "abc",
        "seed": 2**53 - 1,
        "cost": 80.5,
        "hit": True,
        "settings": {"lr": 0.1},
    }
    assert all(t.datetime_start <= t.datetime_complete for t in trials)
    storage = open_storage(url)
    study = optuna.load_study(study_name=NAME, storage=storage)
    assert study.user_attrs == {**ATTRS, "definition": "d1"}
    assert study.metric_names == ["accuracy"]
    assert study.direction.name == "MAXIMIZE"
    assert study.best_trial.number == 0  # trial 1, which diverged, is infeasible
    close_storage(storage)


def test_a_second_run_changes_nothing(url):
    for _ in range(2):
        with mirrored(url) as mirror:
            for number in range(5):
                failed = number == 3
                finish(mirror, number, *((None, "FAIL") if failed else (0.5,)))
            assert mirror.set_aside is None
        trials = read(url)
        assert [t.number for t in trials] == list(range(5))
    assert names(url) == [NAME]
    assert [t.datetime_complete for t in read(url)] == [
        t.datetime_complete for t in trials
    ]


def test_a_trial_that_ends_early_waits_for_those_before_it(url):
    with mirrored(url) as mirror:
        finish(mirror, 2, 0.2)
        mirror.begin(3, params(3), {})
        mirror.report(3, 0, 0.1)
        assert (states(url), mirror.waiting) == ([], (2,))
        finish(mirror, 0, 0.0)
        assert (states(url), mirror.waiting) == (["COMPLETE"], (2,))
        mirror.begin(1, params(1), {})
        assert states(url) == ["COMPLETE", "RUNNING", "COMPLETE", "RUNNING"]
        assert mirror.waiting == ()
        finish(mirror, 1, 0.1)
        finish(mirror, 3, 0.3)
    assert [t.value for t in read(url)] == [0.0, 0.1, 0.2, 0.3]


def test_a_running_trial_shows_its_evaluations(url):
    with mirrored(url) as mirror:
        mirror.report(0, 0, 0.1)  # of a trial that is not shown: nothing to do
        mirror.begin(0, params(0), {"record": "key", "seed": 3})
        mirror.report(0, 0, 0.1)
        mirror.report(0, 10, math.nan)
        [trial] = read(url)
        assert trial.state == TrialState.RUNNING
        assert trial.params == params(0)
        assert trial.user_attrs == {"record": "key", "seed": 3}
        assert list(trial.intermediate_values) == [0, 10]
        mirror.finish(
            0,
            params(0),
            0.4,
            "COMPLETE",
            {0: 0.1, 10: math.nan, 20: 0.4},
            {"record": "key", "seed": 3, "hit": False},
        )
    [ended] = read(url)
    assert (ended.state, ended.value) == (TrialState.COMPLETE, 0.4)
    assert ended.user_attrs == {"record": "key", "seed": 3, "hit": False}
    assert sorted(ended.intermediate_values) == [0, 10, 20]
    assert ended.datetime_start == trial.datetime_start


def test_a_running_trial_that_diverges_becomes_infeasible(url):
    with mirrored(url) as mirror:
        mirror.begin(0, params(0), {"record": "key"})
        [trial] = read(url)
        assert not trial.constraints
        attrs = {"record": "key", "end_reason": "diverged"}
        mirror.finish(0, params(0), 0.0, "COMPLETE", {0: 0.1, 1: math.nan}, attrs)
    [ended] = read(url)
    assert ended.state == TrialState.COMPLETE
    assert max(ended.constraints.values()) > 0


KILLED = """
import os, signal, sys
from tests.observers.dashboard.studies import finish, mirrored, params
with mirrored(sys.argv[1]) as mirror:
    finish(mirror, 0)
    mirror.begin(1, params(1), {})
    mirror.report(1, 0, 0.25)
    mirror.begin(2, params(2), {})
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_what_a_killed_run_left_running_is_taken_up_and_ended(url):
    run = subprocess.run(
        [sys.executable, "-c", KILLED, url], cwd=Path(__file__).parents[3], check=False
    )
    assert run.returncode == -signal.SIGKILL
    assert states(url) == ["COMPLETE", "RUNNING", "RUNNING"]
    with mirrored(url) as mirror:
        finish(mirror, 0)
        finish(mirror, 1, 0.75)
        mirror.begin(2, params(2), {})
        mirror.report(2, 0, 0.3)
        finish(mirror, 2, None, "FAIL")
        assert mirror.set_aside is None
    trials = read(url)
    assert [t.state.name for t in trials] == ["COMPLETE", "COMPLETE", "FAIL"]
    assert [t.value for t in trials] == [0.5, 0.75, None]
    # What was reported before the end stays, what is new is added.
    assert trials[1].intermediate_values == {0: 0.25, 10: 0.75}
    assert names(url) == [NAME]


def test_another_definition_keeps_the_old_study_under_a_name_of_its_own(url):
    with mirrored(url) as mirror:
        finish(mirror, 0, 0.1)
        mirror.begin(1, params(1), {})
    before = read(url)[0]
    for definition, aside in [("d2", f"{NAME} (old 1)"), ("d3", f"{NAME} (old 2)")]:
        with mirrored(url, definition) as mirror:
            assert mirror.set_aside == aside
            assert states(url) == []
            finish(mirror, 0, 0.9)
    assert names(url) == [NAME, f"{NAME} (old 1)", f"{NAME} (old 2)"]
    assert states(url, f"{NAME} (old 1)") == ["COMPLETE", "FAIL"]
    kept = read(url, f"{NAME} (old 1)")[0]
    assert (kept.value, kept.params, kept.user_attrs, kept.intermediate_values) == (
        before.value,
        before.params,
        before.user_attrs,
        before.intermediate_values,
    )
    storage = open_storage(url)
    old = optuna.load_study(study_name=f"{NAME} (old 1)", storage=storage)
    assert old.user_attrs["definition"] == "d1"
    assert old.user_attrs["set_aside"][:2] == "20"
    assert old.metric_names == ["accuracy"]
    close_storage(storage)


@pytest.mark.parametrize(
    "other",
    [
        {"lr": 0.0011, "batch_size": 32, "nesterov": True},
        {"lr": 0.001, "batch_size": 32, "nesterov": False},
        {"lr": 0.001, "batch_size": 32},
    ],
)
def test_another_suggestion_under_the_same_definition_stops_the_run(url, other):
    with mirrored(url) as mirror:
        finish(mirror, 0)
    with mirrored(url) as mirror:
        for act in (
            lambda: mirror.finish(0, other, 0.5, "COMPLETE", {}, {}),
            lambda: mirror.begin(0, other, {}),
        ):
            with pytest.raises(StreamChanged) as stop:
                act()
            message = str(stop.value)
            for part in (
                "Trial 0",
                repr(NAME),
                "0.001",
                str(other),
                "versions",
                "delete",
            ):
                assert part in message
    assert states(url) == ["COMPLETE"]


def test_a_trial_that_was_trained_again_begins_the_study_anew_from_there(url):
    with mirrored(url) as mirror:
        finish(mirror, 0, 0.1)
        finish(mirror, 1, None, "FAIL")
        finish(mirror, 2, 0.2)
    with mirrored(url) as mirror:
        finish(mirror, 0, 0.1)
        mirror.begin(1, params(1), {})
        mirror.report(1, 0, 0.8)  # the failed trial stays as it is until this one ends
        assert states(url) == ["COMPLETE", "FAIL", "COMPLETE"]
        finish(mirror, 1, 0.8)
        assert states(url) == ["COMPLETE", "COMPLETE"]
        finish(mirror, 2, 0.2)
        assert mirror.set_aside == f"{NAME} (old 1)"
    assert [t.value for t in read(url)] == [0.1, 0.8, 0.2]
    assert [t.value for t in read(url, f"{NAME} (old 1)")] == [0.1, None, 0.2]


def test_a_whole_stream_is_mirrored_and_replayed(url):
    def run(seed):
        stream = OptunaStream(
            "tpe",
            {"n_startup_trials": 4},
            {
                "lr": SPACE["lr"],
                "betas": Space("categorical", choices=((0.9, 0.99), 1)),
            },
            trials=12,
            batch=4,
            seed=seed,
            mode="max",
        )
        space = {"lr": SPACE["lr"], "betas": ((0.9, 0.99), 1)}
        with mirrored(url, name="quick/digits/sgd/7", space=space) as mirror:
            while not stream.finished:
                for proposal in reversed(stream.ready()):
                    chosen = dict(proposal.settings)
                    value = -abs(math.log10(chosen["lr"]) + 2)
                    stream.tell(proposal.number, Outcome(value))
                    mirror.finish(proposal.number, chosen, value, "COMPLETE", {}, {})

    run(seed=7)
    run(seed=7)
    trials = read(url, "quick/digits/sgd/7")
    assert len(trials) == 12
    assert {t.params["betas"] for t in trials} == {"[0.9, 0.99]", 1}
    with pytest.raises(StreamChanged):
        run(seed=8)


def test_parameters_need_no_space(url):
    told = [
        {"seed": 5, "lr": 0.1, "base": "adam", "betas": (0.9, 0.99), "nesterov": True},
        {"seed": 6, "lr": 1, "base": "sgd", "betas": (0.9, 0.9), "nesterov": None},
    ]
    for _ in range(2):
        with mirrored(url, space=None) as mirror:
            for number, chosen in enumerate(told):
                mirror.begin(number, chosen, {})
                mirror.finish(number, chosen, 0.5, "COMPLETE", {}, {})
            assert mirror.set_aside is None
    shown = [{**told[0], "betas": "[0.9, 0.99]"}, {**told[1], "betas": "[0.9, 0.9]"}]
    assert [trial.params for trial in read(url)] == shown


def test_results_that_cannot_be_are_refused(url):
    with mirrored(url) as mirror:
        for value, state in [(0.5, "DONE"), (None, "COMPLETE"), (math.nan, "COMPLETE")]:
            with pytest.raises(ValueError, match=r"state|value"):
                finish(mirror, 0, value, state)
    assert states(url) == []
    with (
        OptunaStudies(url) as studies,
        pytest.raises(ValueError, match="'maximize' or 'minimize'; got 'max'"),
    ):
        studies.open("other", "d", "max", ATTRS)


def test_running_trials_are_counted_by_arm_and_a_missing_storage_is_not_made(url):
    assert sum(running_trials("sqlite:///missing/optuna.db", "study").values()) == 0
    assert not Path("missing").exists()
    study, workload, arm = NAME.split("/")[:3]
    attrs = {**ATTRS, "workload": workload, "arm": arm, "role": "policy"}
    with OptunaStudies(url) as studies:
        mirror = studies.open(NAME, "d", "maximize", attrs, SPACE)
        finish(mirror, 0)
        mirror.begin(1, params(1), {})
        assert running_trials(url, study) == {(workload, arm, "policy"): 1}
        assert not running_trials(url, "another")
