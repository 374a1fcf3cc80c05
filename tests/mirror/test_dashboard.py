"""The real optuna-dashboard, asked over HTTP about studies that we have written."""

import contextlib
import json
import math
import threading
import urllib.request

import pytest

from hpo_vs_adapt.dashboard import open_dashboard
from hpo_vs_adapt.optuna_studies import OptunaStudies
from hpo_vs_adapt.study import Space

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
def served(url):
    """Serve the studies, and yield a function that asks the server."""
    with open_dashboard(url) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def ask(path):
            address = f"http://127.0.0.1:{server.server_port}{path}"
            with urllib.request.urlopen(address) as response:
                return json.load(response)

        try:
            yield ask
        finally:
            server.shutdown()
            thread.join()


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
