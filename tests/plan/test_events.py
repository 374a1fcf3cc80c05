"""What a study at work tells, and that no listener can harm it."""

import logging
import sqlite3

import pytest

from hpo_vs_adapt.plan.events import Listener, Listeners
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.run import run_study
from hpo_vs_adapt.wording import Secrets
from tests.running import IRIS, grid, make_study, ray_here, records_of, start, train

EVENTS = ["opened", "asked", "started", "evaluated", "told", "changed", "closed"]
ARMS = [grid(0.01, 0.1, retrain=1), {"name": "adam", "optimizer": {"rule": "adam"}}]
TRIALS = 2 + 1 + 1


class Hearing(Listener):
    """Keeps what it hears: the event, and the number of the trial."""

    def __init__(self):
        self.heard = []

    def opened(self, track):
        self.heard.append(("opened", track.identity.name))

    def asked(self, request):
        self._hear("asked", request)

    def started(self, request):
        self._hear("started", request)

    def evaluated(self, request, step, value):
        self._hear("evaluated", request)

    def told(self, answer):
        self._hear("told", answer.request)

    def changed(self, now):
        self.heard.append(("changed", None))

    def closed(self):
        self.heard.append(("closed", None))

    def _hear(self, event, request):
        name = request.track.identity.name
        self.heard.append((event, f"{name}/{request.proposal.number}"))

    def names(self, event):
        return [name for heard, name in self.heard if heard == event]


def broken(event):
    """Return a listener that hears everything and fails in one of its methods."""

    def fail(self, *told):
        calls.append(event)
        raise ValueError(f"no ear for {event}\nat all")

    calls = []
    listener = type("Broken", (Hearing,), {event: fail, "does": f"Hearing {event}"})()
    return listener, calls


@pytest.fixture(scope="module")
def one_slot():
    with ray_here(num_cpus=1):
        yield


@pytest.mark.slow
def test_listeners_that_fail_cost_no_trial_and_are_told_once(
    tmp_path, one_slot, caplog
):
    workload = {**IRIS, "budget": {"epochs": 400}}  # long enough to be heard of
    study = make_study(tmp_path, ARMS, [workload], resources={"lanes": 4, "packs": 1})
    failing = [broken(event) for event in EVENTS]
    hearing = Hearing()
    with caplog.at_level(logging.WARNING):
        results, summary = train(study, *(one for one, _ in failing), hearing)
    assert summary.trials == TRIALS == len(records_of(study))
    assert (results.progress["done"] == results.progress["planned"]).all()
    assert [calls for _, calls in failing] == [[event] for event in EVENTS]
    assert {event for event, _ in hearing.heard} == set(EVENTS)
    told = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    assert sorted(told) == sorted(
        f"Hearing {event} failed, and is left out for the rest of this run "
        f"(ValueError: no ear for {event}). All trials and records are kept; the next "
        "run makes up for it."
        for event in EVENTS
    )


def test_what_is_told_of_a_failure_shows_no_password(caplog):
    class Careless(Listener):
        def closed(self):
            raise OSError(f"no answer from {url}")

    url = "postgresql://me:gr8-secret@here/db"
    with caplog.at_level(logging.DEBUG, "hpo_vs_adapt"):
        Listeners([Careless()], Secrets(url)).closed()
    assert "(OSError: no answer from postgresql://me:***@here/db)" in caplog.text
    assert "Traceback" in caplog.text
    assert "gr8" not in caplog.text


@pytest.mark.slow
def test_a_study_tells_what_happens_in_the_order_in_which_it_does(tmp_path, one_slot):
    study = make_study(tmp_path, ARMS)
    hearing = Hearing()
    train(study, hearing)
    opened = ["sgd-grid/0", "adam", "sgd-grid/retrain/0"]
    assert hearing.names("opened") == [f"tiny/iris_logreg/{name}" for name in opened]
    told = hearing.names("told")
    assert len(told) == len(set(told)) == TRIALS
    for trial in told:
        where = [event for event, name in hearing.heard if name == trial]
        assert [event for event in where if event != "evaluated"] == [
            "asked",
            "started",
            "told",
        ]
    assert hearing.heard[-1] == ("closed", None)


@pytest.mark.slow
def test_what_is_found_is_told_before_the_first_change(tmp_path, one_slot):
    study = make_study(tmp_path, ARMS)
    train(study)
    hearing = Hearing()
    plan = Plan(study, RecordStore(study.storage.records), [hearing])
    plan.advance()
    plan.listeners.changed(None)
    assert len(hearing.names("told")) == TRIALS
    assert hearing.names("started") == []
    assert hearing.heard[-1] == ("changed", None)


@pytest.mark.slow
def test_a_display_that_breaks_is_closed_and_the_run_ends_as_it_would(
    tmp_path, one_slot
):
    class Dark:
        closed = 0

        def update(self, snapshot):
            raise OSError("the terminal is gone")

        def close(self):
            self.closed += 1

    study, dark = make_study(tmp_path, ARMS), Dark()
    results = run_study(study, progress=dark)
    assert len(results.records) == TRIALS
    assert dark.closed == 1


@pytest.mark.slow
def test_a_broken_database_of_optuna_is_a_message_and_no_failure(tmp_path, one_slot):
    study = make_study(tmp_path, ARMS)
    train(study)
    with sqlite3.connect(tmp_path / "optuna.db") as database:
        database.execute("DELETE FROM trials")
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON trials "
            "BEGIN SELECT RAISE(ABORT, 'no trial gets in'); END"
        )
    database.close()
    process = start(tmp_path, "run", "study.yaml")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert err.count("Writing the Optuna studies failed") == 1
    assert "no trial gets in" in err
    assert "Report: " in out
    assert (tmp_path / "reports" / "tiny" / "index.html").is_file()
