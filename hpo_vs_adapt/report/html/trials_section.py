"""The table of all trials: what each was given, how it ended, where its record lies."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from hpo_vs_adapt import wording
from hpo_vs_adapt.report.html.cells import (
    Cell,
    Cells,
    PageTable,
    Sheet,
    number,
    numbers,
    whole,
    words,
)
from hpo_vs_adapt.study import Study, Sweep
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["ROLES", "make_trials_table", "optuna_study"]

ROLES = {"policy": "policy", "retrain": "winner again", "sweep": "sweep"}
"""What a trial is for, in the page's words."""


def make_trials_table(study: Study, trials: pd.DataFrame) -> PageTable:
    """Return the table of all trials, in the order of ``tables/trials.csv``.

    Args:
        study: That they belong to.
        trials: As in `Tables.trials`: settings are JSON.
    """
    sweeps = _sweeps_by_arm(study)
    names = [_study_of(study, sweeps, trial) for trial in rows_of(trials)]
    return _SHEET.show(trials.assign(place=range(1, len(trials) + 1), optuna=names))


@functools.lru_cache(maxsize=4096)
def _settings(packed: str) -> str:
    return ", ".join(f"{n} {_spell(v)}" for n, v in json.loads(packed).items())


def _spell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _to_target(trial: Any) -> Cell:
    if math.isinf(trial.cost_to_target):
        return Cell("never", "")
    return number(wording.amount(trial.cost_to_target), trial.cost_to_target)


_SHEET = Sheet(
    "trials",
    "trials-table",
    "Every trial",
    "A trial's number leads to its row of the CSV file, which has more columns."
    " Its record is runs/records/AB/KEY.parquet, with AB the first two digits"
    " of the key, and holds its curve.",
    {
        "Trial": Cells(
            lambda trial: Cell(f"{trial.place}", f"{trial.place}"),
            rows_of="tables/trials.csv",
        ),
        "Workload": words("workload", "name"),
        "Arm": words("arm", "name"),
        "Role": words(lambda trial: ROLES[trial.role]),
        "Settings": words(lambda trial: _settings(trial.settings), "code"),
        "Batch size": numbers("batch_size", whole),
        "Seed": numbers("seed", whole),
        "End": words("end"),
        "Cost": numbers("cost", wording.amount),
        "Cost to target": Cells(_to_target),
        "Best metric": numbers("best_metric", wording.metric_value),
        "Record": words("key", "code"),
        "Optuna study": words("optuna", "code"),
        "Number": numbers("number", whole),
    },
    {
        "Trial": "Row in tables/trials.csv, from 1",
        "Role": "Only trials of an arm's policy are in its bill",
        "End": "Why it ended",
        "Cost": "All that is charged, in sample gradients",
        "Cost to target": "At the first evaluation that met it",
        "Record": "Its key in the store of records",
        "Number": "Of the trial in its Optuna study",
    },
)


def optuna_study(study: Study, trial: Any) -> str:
    """Return the name of the Optuna study that mirrors a trial.

    Args:
        study: That the trial belongs to.
        trial: A row of `Tables.trials`.
    """
    return _study_of(study, _sweeps_by_arm(study), trial)


def _study_of(study: Study, sweeps: dict[str, list[Sweep]], trial: Any) -> str:
    parts = [study.name, trial.workload, trial.arm]
    if trial.role == "retrain":
        parts += ["retrain", str(trial.stream)]
    elif trial.role == "sweep":
        parts += ["sweep", " or ".join(_sweeps_of(sweeps[trial.arm], trial))]
    elif trial.by != "single":
        parts.append(str(trial.stream))
    return "/".join(parts)


def _sweeps_by_arm(study: Study) -> dict[str, list[Sweep]]:
    return {
        arm.name: [sweep for sweep in study.sensitivity if arm.name in sweep.arms]
        for arm in study.arms
    }


def _sweeps_of(sweeps: list[Sweep], trial: Any) -> Iterator[str]:
    """Yield the names of the sweeps that a trial can be of: one, but for twins."""
    sweeps = [sweep for sweep in sweeps if trial.workload in sweep.workloads]
    if len(sweeps) > 1:
        given = {**json.loads(trial.settings), "batch_size": trial.batch_size}
        sweeps = [s for s in sweeps if _has(s, trial.number, given)]
    yield from dict.fromkeys("+".join(sorted(sweep.vary)) for sweep in sweeps)


def _has(sweep: Sweep, place: int, given: dict[str, Any]) -> bool:
    """Whether the sweep's trial of that number was given these settings."""
    names = sorted(sweep.vary)
    points = list(itertools.product(*(sweep.vary[name] for name in names)))
    chosen = zip(names, points[place % len(points)], strict=True)
    return all(given.get(name) == _as_json(value) for name, value in chosen)


def _as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
