"""A small study to change, for the tests of study files."""

import copy
from pathlib import Path
from typing import Any

import pytest

from hpo_vs_adapt.study import Study, StudyError

STUDY: dict[str, Any] = {
    "name": "small",
    "workloads": ["digits_mlp", {"name": "iris_logreg", "target": 0.9}],
    "arms": [
        {
            "name": "sgd-grid",
            "optimizer": {"rule": "sgd", "momentum": 0.9},
            "tune": {"by": "grid", "grid": {"lr": [0.01, 0.1]}},
        },
        {
            "name": "adam-tpe",
            "optimizer": {"rule": "adam"},
            "tune": {
                "by": "optuna",
                "trials": 8,
                "space": {"lr": {"low": 1e-5, "high": 1, "log": True}},
            },
        },
        {"name": "tlr", "optimizer": {"rule": "tlr"}},
        {"name": "adam", "optimizer": {"rule": "adam"}},
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the small study with `value` at a path such as ``arms.0.tune.by``."""
    study = copy.deepcopy(STUDY)
    *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    place: Any = study
    for part in parents:
        place = place[part]
    if isinstance(last, int) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return study


def problems(study: dict[str, Any], base: Path = Path()) -> tuple[str, ...]:
    with pytest.raises(StudyError) as caught:
        Study.from_dict(study, base)
    return caught.value.problems


def problem(path: str, value: Any) -> str:
    found = problems(changed(path, value))
    assert len(found) == 1, found
    return found[0]
