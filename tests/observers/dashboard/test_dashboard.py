"""The real optuna-dashboard, over HTTP and in a browser, on what we have written."""

import contextlib
import json
import math
import re
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request

import optuna
import optuna_dashboard
import pytest

from hpo_vs_adapt.observers.dashboard.serve import open_dashboard, open_study_dashboard
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.study import Space
from tests.observers.dashboard.noted import EVIL, noted_study, train
from tests.running import make_study, start

# Optuna's, of the importances that the dashboard shows of few trials.
pytestmark = pytest.mark.filterwarnings("ignore:Some regimes for parameter")

STUDIES = {
    "quick/digits/adam/0": {"lr": Space("float", low=1e-5, high=1.0, log=True)},
    "quick/digits/sgd/1": {"lr": (0.01, 0.1, 1.0), "nesterov": (True, False)},
    "quick/digits/tlr": {"seed": tuple(range(6))},
    "quick/digits/clara": None,
    "quick/digits/tlr/sweep/lr": {"lr": (1e-6, 10.0), "seed": tuple(range(6))},
}
PARAMS = {
    "quick/digits/adam/0": lambda n: {"lr": 0.1**n},
    "quick/digits/sgd/1": lambda n: {"lr": 0.1, "nesterov": n % 2 == 0},
    "quick/digits/tlr": lambda n: {"seed": n},
    "quick/digits/clara": lambda n: {"base": "sgd" if n else "adam", "seed": n},
    "quick/digits/tlr/sweep/lr": lambda n: {"lr": 0.5, "seed": n},
}
ENDS = [("COMPLETE", 0.9), ("COMPLETE", 0.0), ("FAIL", None), ("PRUNED", 0.4)]
SHOWN = {"COMPLETE": "Complete", "FAIL": "Fail", "PRUNED": "Pruned"}


def write(mirror, params):
    """Write one trial of every end, and leave another one running."""
    for number, (state, value) in enumerate(ENDS):
        mirror.finish(
            number,
            params(number),
            value,
            state,
            {0: 0.1, 10: math.nan, 20: 0.2},
            {"record": f"key-{number}", "hit": value == 0.9, "cost": 80.5},
        )
    mirror.begin(len(ENDS), params(len(ENDS)), {"record": "key-4"})
    mirror.report(len(ENDS), 0, 0.1)


@pytest.fixture(params=["sqlite:///{}/optuna.db", "journal:{}/optuna.log"])
def url(request, tmp_path):
    return request.param.format(tmp_path)


@pytest.fixture
def studies(url):
    with OptunaStudies(url) as opened:
        yield opened


def write_all(studies):
    for name, space in STUDIES.items():
        attrs = {"workload": "digits", "arm": name.split("/")[2], "metric": "accuracy"}
        write(studies.open(name, "d", "maximize", attrs, space), PARAMS[name])


@contextlib.contextmanager
def serving(opened):
    """Have a dashboard answer, and yield its address."""
    with opened as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def served(url, study=None):
    """Serve the studies, and yield a function that asks the server."""
    with serving(open_dashboard(url, study=study)) as address:

        def ask(path):
            with urllib.request.urlopen(f"{address}{path}") as response:
                return json.load(response)

        yield ask


def trials_of(ask, name):
    [study] = [
        s for s in ask("/api/studies")["study_summaries"] if s["study_name"] == name
    ]
    return ask(f"/api/studies/{study['study_id']}?after=0")["trials"]


def values(named):
    return {entry["key"]: entry["value"] for entry in named}


@pytest.mark.slow
def test_the_dashboard_shows_every_study_with_every_trial(url, studies):
    write_all(studies)
    with served(url) as ask:
        check_all(ask)


def check_all(ask):
    listed = {
        study["study_name"]: study for study in ask("/api/studies")["study_summaries"]
    }
    assert listed.keys() == STUDIES.keys()
    for name, summary in listed.items():
        assert values(summary["user_attrs"])["workload"] == "digits"
        detail = ask(f"/api/studies/{summary['study_id']}?after=0")
        assert detail["name"] == name
        assert detail["directions"] == ["maximize"]
        assert detail["objective_names"] == ["accuracy"]
        trials = detail["trials"]
        assert [t["number"] for t in trials] == list(range(5))
        ends = [SHOWN[state] for state, _ in ENDS]
        assert [t["state"] for t in trials] == [*ends, "Running"]
        assert [t.get("values") for t in trials[:2]] == [[0.9], [0.0]]
        for trial in trials:
            given = PARAMS[name](trial["number"])
            shown = {p["name"]: p["param_external_value"] for p in trial["params"]}
            assert shown == {key: str(value) for key, value in given.items()}
        steps = {s["step"]: s["value"] for s in trials[0]["intermediate_values"]}
        assert steps == {0: 0.1, 10: "nan", 20: 0.2}
        attrs = values(trials[0]["user_attrs"])
        assert attrs == {"record": "key-0", "hit": "True", "cost": "80.5"}


@pytest.mark.slow
def test_the_dashboard_reads_what_a_run_is_still_writing(url, studies):
    write_all(studies)
    name = "quick/digits/tlr"
    with served(url) as ask:
        assert trials_of(ask, name)[4]["state"] == "Running"
        attrs = {"workload": "digits", "arm": "tlr", "metric": "accuracy"}
        mirror = studies.open(name, "d", "maximize", attrs, STUDIES[name])
        mirror.finish(4, {"seed": 4}, 0.8, "COMPLETE", {0: 0.1}, {})
        mirror.finish(5, {"seed": 5}, 0.7, "COMPLETE", {0: 0.1}, {})
    with served(url) as ask:  # another one, since a dashboard keeps trials for seconds
        ended = trials_of(ask, name)[4:]
    assert [trial["state"] for trial in ended] == ["Complete", "Complete"]
    assert [trial["values"] for trial in ended] == [[0.8], [0.7]]


@pytest.mark.slow
def test_the_list_shows_one_study_file_and_what_has_been_reached(url, studies):
    write_all(studies)
    reached = {"best_value": 0.97219, "hits": 1, "trials": "5 of 12"}
    attrs = {"workload": "digits", "arm": "adam", "metric": "accuracy"}
    studies.open("quick/digits/new/0", "d", "maximize", attrs | reached)
    unknown = {"best_value": None, "hits": 0, "trials": "1 of 12"}
    studies.open("quick/digits/new/1", "d", "maximize", attrs | unknown)
    studies.open("quickest/digits/adam/0", "d", "maximize", attrs)
    with served(url, "quick") as ask:
        listed = [s["study_name"] for s in ask("/api/studies")["study_summaries"]]
    assert listed[-2:] == [
        "quick/digits/new/0 (best 0.9722, 5 of 12 trials, 1 hit)",
        "quick/digits/new/1 (1 of 12 trials, 0 hits)",
    ]
    assert listed[:-2] == list(STUDIES)


def first_of(url):
    return optuna.load_study(study_name=next(iter(STUDIES)), storage=url)


@pytest.mark.slow
def test_a_server_that_ends_waits_for_a_note_that_is_being_saved(tmp_path):
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    with OptunaStudies(url) as studies:
        write_all(studies)
    server = open_dashboard(url)
    address = f"http://127.0.0.1:{server.server_port}"
    note = urllib.request.Request(
        f"{address}/api/studies/{first_of(url)._study_id}/note",
        json.dumps({"body": "It was the rate.", "version": 1}).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    serve = threading.Thread(target=server.serve_forever)
    save = threading.Thread(target=lambda: urllib.request.urlopen(note).close())
    other = sqlite3.connect(
        tmp_path / "optuna.db", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")  # nobody else can write
    serve.start()
    save.start()
    while not server.get_app().changing.locked():
        time.sleep(0.01)
    server.shutdown()
    threading.Timer(0.2, other.rollback).start()
    server.server_close()
    assert optuna_dashboard.get_note(first_of(url)) == "It was the rate."
    for thread in (serve, save):
        thread.join()
    other.close()


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    """Serve a study that was trained, with a page in place of its report."""
    folder = tmp_path_factory.mktemp("noted")
    study = noted_study(folder)
    train(study)
    (folder / "index.html").write_text("<title>The report</title>")
    with serving(open_study_dashboard(study, out=folder)) as address:
        yield address


@pytest.fixture
def page(browser, noted):
    """Open the dashboard's list; whatever the page complains of is an error."""
    opened = browser.new_page(viewport={"width": 1400, "height": 3000})
    complaints = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.goto(noted)
    yield opened
    opened.close()
    assert complaints == []


def ids(address):
    """Return the ids of Optuna studies by what follows the workload in their names."""
    with urllib.request.urlopen(f"{address}/api/studies") as response:
        listed = json.load(response)["study_summaries"]
    names = [one["study_name"].removeprefix("tiny/iris_logreg/") for one in listed]
    plain = [re.sub(r" \([^()]* trials?, [^()]*\)$", "", name) for name in names]
    return dict(zip(plain, (one["study_id"] for one in listed), strict=True))


@pytest.mark.slow
def test_a_browser_lists_the_studies_with_what_they_have_reached(page):
    card = page.get_by_text(
        re.compile(r"tiny/iris_logreg/grid/0 \(best 0\.\d+, 3 of 3")
    )
    card.wait_for()
    assert page.get_by_text(re.compile("^\\d+\\. tiny/iris_logreg/")).count() == 9
    assert page.get_by_text(EVIL).count() == 2  # itself and its sweep
    page.get_by_placeholder("Search study").fill("retrain hits")
    page.wait_for_function(
        "document.body.innerText.match(/tiny.iris_logreg/g).length == 2"
    )
    page.get_by_text("tiny/iris_logreg/grid/retrain/0").click()
    page.get_by_role("heading", name="History").wait_for()


@pytest.mark.slow
def test_a_browser_draws_the_history_and_our_figures(page, noted):
    page.goto(f"{noted}/dashboard/studies/{ids(noted)['grid/0']}")
    page.locator("#plot-history .trace.scatter").first.wait_for()
    # The trial that diverged is set apart, though it is complete and has a value.
    page.get_by_text(re.compile(r"^trial #\d \(infeasible\)$")).wait_for()
    assert page.get_by_text("Infeasible", exact=True).count() == 1  # in the timeline
    for name, traces in (("learning_curves", 2), ("race", 2)):
        figure = page.locator(f"[id='user-defined-plot:{name}']")
        figure.locator(".trace.scatter path.js-line").first.wait_for()
        assert figure.locator(".trace.scatter").count() == traces
        assert figure.locator(".shapelayer path").count() == 1  # the target
        titles = figure.locator(".gtitle")
        assert "dashed: accuracy ≥ 0.8" in titles.text_content()
    page.get_by_text("Study User Attributes").wait_for()
    assert page.get_by_role("cell", name="best_value").is_visible()


@pytest.mark.slow
def test_a_browser_shows_notes_with_names_as_they_are(page, noted):
    page.goto(f"{noted}/dashboard/studies/{ids(noted)[EVIL]}/note")
    heading = page.get_by_role("heading", name="iris_logreg", level=2)
    heading.wait_for()
    assert heading.text_content() == f"{EVIL} on iris_logreg"
    assert page.get_by_role("cell", name="Bill of the arm").is_visible()
    assert page.locator("img[src=x]").count() == 0
    page.get_by_role("link", name="index.html").click()
    page.wait_for_url("**/artifacts/**")
    assert page.title() == "The report"


@pytest.mark.slow
def test_a_browser_shows_why_a_trial_failed_and_links_to_its_curve(page, noted):
    study = ids(noted)["broken"]
    page.goto(f"{noted}/dashboard/studies/{study}/trials?numbers=1")
    page.get_by_text("RuntimeError: no <luck> | at_all").first.wait_for()
    assert page.get_by_text("Fail", exact=True).count() >= 2  # in the list too
    study = ids(noted)["grid/0"]
    page.goto(f"{noted}/dashboard/studies/{study}/trials?numbers=0")
    with page.expect_download() as download:
        page.locator("a[download^='curve-']").click()
    assert download.value.path().read_text().startswith("step,samples,sample_gradients")


@pytest.mark.slow
def test_nothing_can_be_uploaded_or_removed(noted):
    study = ids(noted)["broken"]
    for method, path in (("POST", f"{study}"), ("DELETE", f"{study}/{'0' * 32}")):
        request = urllib.request.Request(
            f"{noted}/api/artifacts/{path}", b"{}", method=method
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        with caught.value as refused:
            assert refused.code == 405
            assert "come from the study's runs alone" in refused.read().decode()


@pytest.mark.slow
@pytest.mark.long
def test_a_dashboard_watches_a_run_that_goes_on(tmp_path):
    space = {"lr": {"low": 1e-4, "high": 1.0, "log": True}}
    tune = {"by": "optuna", "trials": 999, "space": space}
    arm = {"name": "tpe", "optimizer": {"rule": "adam"}, "tune": tune}
    study = make_study(tmp_path, [arm])
    run = start(tmp_path, "run", "study.yaml")
    with serving(open_study_dashboard(study)) as address:
        seen = [0]
        while len(seen) < 4 and run.poll() is None:
            time.sleep(0.5)
            with contextlib.suppress(KeyError):  # before the run has begun
                number = ids(address)["tpe/0"]
                asked = f"{address}/api/studies/{number}?after=0"
                with urllib.request.urlopen(asked) as response:
                    count = len(json.load(response)["trials"])
                seen += [count] if count > seen[-1] else []
    run.send_signal(signal.SIGINT)
    run.communicate()
    assert run.returncode == 130  # it was still at it
    assert len(seen) == 4  # more and more trials
