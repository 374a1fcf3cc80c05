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
    Column,
    PageTable,
    Row,
    count,
    number,
    text,
)
from hpo_vs_adapt.study import Study, Sweep
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["ROLES", "make_trials_table", "optuna_study"]

ROLES = {"policy": "policy", "retrain": "winner again", "sweep": "sweep"}
"""What a trial is for, in the page's words."""

_COLUMNS = (
    Column("Trial", "n", "Row in tables/trials.csv, from 1", "tables/trials.csv"),
    Column("Workload", "name"),
    Column("Arm", "name"),
    Column("Role", "", "Only trials of an arm's policy are in its bill"),
    Column("Settings", "code"),
    Column("Batch size", "n"),
    Column("Seed", "n"),
    Column("End", "", "Why it ended"),
    Column("Cost", "n", "All that is charged, in sample gradients"),
    Column("Cost to target", "n", "At the first evaluation that met it"),
    Column("Best metric", "n"),
    Column("Record", "code", "Its key in the store of records"),
    Column("Optuna study", "code"),
    Column("Number", "n", "Of the trial in its Optuna study"),
)


def make_trials_table(study: Study, trials: pd.DataFrame) -> PageTable:
    """Return the table of all trials, in the order of ``tables/trials.csv``.

    Args:
        study: That they belong to.
        trials: As in `Tables.trials`: settings are JSON.
    """
    places = _sweeps_by_arm(study)
    return PageTable(
        anchor="trials-table",
        title="Every trial",
        about=(
            "A trial's number leads to its row of the CSV file, which has more columns."
            " Its record is runs/records/AB/KEY.parquet, with AB the first two digits"
            " of the key, and holds its curve."
        ),
        file="trials",
        columns=_COLUMNS,
        rows=[
            _row(place, row, _study_of(study, places, row))
            for place, row in enumerate(rows_of(trials), start=1)
        ],
    )


def _row(place: int, trial: Any, optuna: str) -> Row:
    met = math.isfinite(trial.cost_to_target)
    return [
        Cell(f"{place}", f"{place}"),
        text(trial.workload),
        text(trial.arm),
        text(ROLES[trial.role]),
        text(_settings(trial.settings)),
        count(trial.batch_size),
        count(trial.seed),
        text(trial.end),
        number(wording.amount(trial.cost), trial.cost),
        number(
            wording.amount(trial.cost_to_target) if met else "never",
            trial.cost_to_target if met else math.nan,
        ),
        number(wording.metric_value(trial.best_metric), trial.best_metric),
        text(trial.key),
        text(optuna),
        count(trial.number),
    ]


@functools.lru_cache(maxsize=4096)
def _settings(packed: str) -> str:
    return ", ".join(f"{n} {_spell(v)}" for n, v in json.loads(packed).items())


def _spell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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
