"""Optuna studies that mirror streams, in real storages."""

import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from hpo_vs_adapt.optuna_storage import add_trials, close_storage, open_storage
from hpo_vs_adapt.optuna_studies import OptunaStudies, StorageProblem, StreamChanged
from hpo_vs_adapt.study import Space
from hpo_vs_adapt.tuning import OptunaStream, Outcome

SPACE = {
    "lr": Space("float", low=1e-5, high=1.0, log=True),
    "batch_size": (16, 32, 64),
    "nesterov": (True, False),
}
ATTRS = {"workload": "digits", "arm": "sgd", "kind": "tuned", "metric": "accuracy"}
NAME = "quick/digits/sgd/0"


def find_postgres():
    """Return the folder of PostgreSQL's newest server programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def postgres():
    """Start a PostgreSQL server of our own, and yield its URL."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("needs Debian's package `postgresql`")
    # PostgreSQL refuses to run as root, and its user cannot enter pytest's folders.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    if user:
        shutil.chown(folder, "postgres")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]

    def call(program, *arguments):
        subprocess.run(
            [*user, programs / program, "-D", folder / "data", *arguments],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    call("initdb", "-A", "trust", "-U", "postgres", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("pg_ctl", "start", "-w", "-l", folder / "log", "-o", options)
    try:
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder)


@pytest.fixture(
    params=["sqlite", "journal", pytest.param("postgres", marks=pytest.mark.slow)]
)
def url(request, tmp_path):
    """Yield the URL of a storage without our study."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/optuna.db"
    if request.param == "journal":
        return f"journal:{tmp_path}/new/folder/optuna.log"
    base = request.getfixturevalue("postgres")
    schema = f"s{uuid.uuid4().hex}"
    import psycopg2

    with contextlib.closing(
        psycopg2.connect(base.replace("+psycopg2", ""))
    ) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE SCHEMA {schema}")
    return f"{base}?options=-csearch_path%3D{schema}"


@contextlib.contextmanager
def mirrored(url, definition="d1", name=NAME, space=SPACE):
    """Open one study of a storage, as a run does."""
    with OptunaStudies(url) as studies:
        mirror = studies.open(name, definition, "maximize", ATTRS, space)
        yield mirror
        mirror.close()


def params(number):
    return {"lr": 0.001 * (number + 1), "batch_size": 32, "nesterov": number % 2 == 0}


def finish(mirror, number, value=0.5, state="COMPLETE", steps=(0, 10), **attrs):
    mirror.finish(
        number,
        params(number),
        value,
        state,
        {step: value or 0.0 for step in steps},
        {"record": f"key-{number}", **attrs},
    )


def read(url, name=NAME):
    """Return a study's trials as another program sees them."""
    storage = open_storage(url)
    trials = storage.get_all_trials(storage.get_study_id_from_name(name))
    close_storage(storage)
    return trials


def names(url):
    storage = open_storage(url)
    found = [study.study_name for study in storage.get_all_studies()]
    close_storage(storage)
    return sorted(found)


def states(url, name=NAME):
    return [trial.state.name for trial in read(url, name)]


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
    assert study.best_trial.number == 1
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


KILLED = """
import os, signal, sys
from tests.test_optuna_studies import finish, mirrored, params
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
        [sys.executable, "-c", KILLED, url], cwd=Path(__file__).parents[1], check=False
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


def test_a_second_writer_is_noticed(tmp_path):
    url = f"sqlite:///{tmp_path}/optuna.db"
    with mirrored(url) as one, mirrored(url) as other:
        finish(one, 0)
        with pytest.raises(
            StorageProblem, match=r"Trial 0 .* has 1 trials\. Let one run"
        ):
            finish(other, 0)


def test_trials_are_written_as_optuna_itself_would_write_them(url):
    trials = [
        create_trial(
            state=state,
            value=value,
            params={"lr": 0.1, "base": "sgd", "k": 3},
            distributions={
                "lr": FloatDistribution(0.01, 1.0, log=True),
                "base": CategoricalDistribution(("adam", "sgd", None)),
                "k": IntDistribution(1, 9, step=2),
            },
            user_attrs={"key": "a", "settings": {"lr": [1, None]}},
            system_attrs={"note": 1},
            intermediate_values={0: -math.inf, 5: math.inf, 6: math.nan, 7: 1e-300},
        )
        for state, value in [
            (TrialState.COMPLETE, -math.inf),
            (TrialState.COMPLETE, 1e300),
            (TrialState.FAIL, None),
            (TrialState.PRUNED, 0.1 + 0.2),
            (TrialState.RUNNING, None),
        ]
    ]
    storage = open_storage(url)
    ours, theirs = (
        storage.create_new_study(
            [optuna.study.StudyDirection.MINIMIZE], study_name=name
        )
        for name in ("ours", "theirs")
    )
    for number, trial in enumerate(trials):
        trial.number = number
        storage.create_new_trial(theirs, trial)
    add_trials(storage, ours, trials)
    same = [storage.get_all_trials(study_id) for study_id in (ours, theirs)]
    for one, other in zip(*same, strict=True):
        # As text, since NaN is not equal to itself; ids differ between studies.
        one._trial_id = other._trial_id = 0
        assert repr(one) == repr(other)
    close_storage(storage)


def test_half_a_line_in_a_journal_is_cut_off_by_the_next_run(tmp_path):
    journal = tmp_path / "optuna.log"
    url = str(journal)
    with mirrored(url) as mirror:
        finish(mirror, 0)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "worker')
    assert states(url) == ["COMPLETE"]  # a reader changes nothing
    assert len(journal.read_bytes()) > len(whole)
    with mirrored(url) as mirror:
        finish(mirror, 1)
    assert states(url) == ["COMPLETE", "COMPLETE"]
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", ["nonsense", "sqlite:///runs/optuna.db"]),
        ("nosuchdb://host/db", ["nosuchdb"]),
        ("sqlite:////proc/no/optuna.db", ["/proc/no"]),
        ("journal:/proc/no/optuna.log", ["/proc/no"]),
        ("postgresql+psycopg2://me:hidden@127.0.0.1:1/db", ["me:***@", "onnection"]),
        ("postgresql+pg8000://me:hidden@host/db", ["pg8000", "Install it"]),
    ],
)
def test_a_storage_that_does_not_open_is_named_without_its_password(url, words):
    with pytest.raises(StorageProblem, match=r"`storage\.optuna` must be") as problem:
        OptunaStudies(url)
    assert "hidden" not in str(problem.value)
    for word in words:
        assert word in str(problem.value)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "optuna.db"
    path.write_text("no database, but long enough to be read as one" * 50)
    with pytest.raises(StorageProblem, match="not a database"):
        OptunaStudies(f"sqlite:///{path}")
