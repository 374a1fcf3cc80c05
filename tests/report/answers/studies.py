"""Studies that are run for the test of the answer's numbers: all kinds of outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo_vs_adapt.study import Study
from tests.running import grid, make_study

WORKLOADS: list[dict[str, Any]] = [
    {"name": "iris_logreg", "budget": {"epochs": 12}, "target": 0.85},
    {"name": "wine_logreg", "budget": {"epochs": 12}, "target": 0.93},
    # Nobody meets this one.
    {"name": "breast_cancer_logreg", "budget": {"epochs": 1}, "target": 1},
]
ARMS: list[dict[str, Any]] = [
    grid(1e-6, 3e-3, 0.03, 0.3, name="sgd-grid", retrain=2),
    {
        "name": "adam-tpe",
        "optimizer": {"rule": "adam"},
        "tune": {
            "by": "optuna",
            "trials": 3,
            "space": {"lr": {"low": 1e-4, "high": 0.3, "log": True}},
            "space_from": "a search before",
            "space_trials": 7,
        },
    },
    {
        "name": "sgd-random",
        "optimizer": {"rule": "sgd"},
        "tune": {
            "by": "random",
            "trials": 2,
            "space": {"lr": {"low": 1e-3, "high": 1, "log": True}},
        },
    },
    {"name": "adam-slow", "optimizer": {"rule": "adam", "lr": 1e-4}},
    {"name": "sgd-plain", "optimizer": {"rule": "sgd", "lr": 0.02}},
    {"name": "clara", "optimizer": {"rule": "clara"}},
    {"name": "once", "optimizer": {"rule": "nadamw", "calibrated": True}},
    {"name": "in-turn", "any_of": ["adam-slow", "sgd-plain", "once"]},
    *(
        {"name": f"{name}-wild", "optimizer": {"rule": rule, "lr": 1e38}}
        for name, rule in (("adam", "adam"), ("rms", "rmsprop"), ("ada", "adagrad"))
    ),
    {
        "name": "momentum-wild",
        "optimizer": {"rule": "sgd", "momentum": 0.9, "lr": 1e38},
    },
]
SWEEP: dict[str, Any] = {
    "arms": ["sgd-grid", "clara", "adam-slow"],
    "vary": {"lr": {"low": 1e-5, "high": 1, "points": 6, "log": True}},
}


VARIANTS: dict[str, dict[str, Any]] = {
    "all": {},
    "unfinished": {"seeds": [0, 1, 2, 3]},
    "shared": {
        "arms": ["sgd-grid", "clara", "clara-again", "adam-tpe", "adam-wild"],
        "reference": "adam-tpe",
    },
    "tuned-first": {"arms": ["sgd-grid", "adam-slow", "sgd-plain"]},
    "space": {"arms": ["adam-tpe", "adam-slow", "sgd-plain"]},
    "untuned": {"arms": ["once", "clara"], "reference": "once"},
    "alone": {"arms": ["adam-slow", "sgd-plain"]},
    "one-arm": {"arms": ["clara"]},
    "one-seed": {"seeds": [0], "arms": ["sgd-grid", "clara", "once"]},
}
"""Studies that the records of the first one serve; the others are on one workload."""


def varied(folder: Path, name: str) -> Study:
    """Return one of the variants; only the first has to be run."""
    given = {"seeds": [0, 1, 2], **VARIANTS[name]}
    arms = [{**ARMS[5], "name": "clara-again"}, *ARMS]
    chosen = given.pop("arms", None)
    own = ARMS if chosen is None else [arm for arm in arms if arm["name"] in chosen]
    swept = [name for name in SWEEP["arms"] if any(a["name"] == name for a in own)]
    workloads = WORKLOADS if chosen is None else WORKLOADS[:1]
    places = [entry["name"] for entry in workloads[:2]]
    if swept:
        given["sensitivity"] = [{**SWEEP, "arms": swept, "workloads": places}]
    given.setdefault("reference", own[0]["name"])
    resources = {"packs": 1, "lanes": 16}
    return make_study(folder, own, workloads, **given, resources=resources)
