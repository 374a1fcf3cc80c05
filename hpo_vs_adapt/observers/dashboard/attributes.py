"""Attributes of Optuna studies and trials: notes, figures, marks, and writing many."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage

from hpo_vs_adapt.metrics.basics.quiet import quiet_optuna
from hpo_vs_adapt.observers.dashboard.artifacts import curve_artifact
from hpo_vs_adapt.observers.dashboard.rows import replace_attributes
from hpo_vs_adapt.records.trials import EndReason

__all__ = [
    "MARK",
    "FigureParts",
    "annotated",
    "set_study_attributes",
    "trial_marks",
]

MARK = "*What stands below this line is yours: it is kept when the note is renewed.*"
"""Ends our part of a study's note."""

FigureParts: TypeAlias = dict[str, Any]
"""What `plotly.graph_objects.Figure` takes: data and layout."""

_INFEASIBLE = {
    "constraints": [1.0]
}  # as samplers write of a constraint, broken above 0


@dataclass(frozen=True, slots=True)
class _Trial:
    """What the dashboard's `save_note` and `get_note` need of a trial."""

    study: optuna.Study
    storage: BaseStorage
    _trial_id: int


def annotated(
    attributes: Mapping[str, Any],
    note: str,
    trial_notes: Mapping[int, str],
    figures: Mapping[str, FigureParts],
) -> dict[str, Any]:
    """Return the system attributes of a study that change with notes and figures.

    The dashboard's own functions write them into a study in memory, so that their
    format stays its own affair, and one transaction can bring them into a storage.

    Args:
        attributes: System attributes that the study has. What somebody has written
            below `MARK` is kept; so are all notes on trials.
        note: Our part of the note on the study.
        trial_notes: Notes on trials by their ids in the storage.
        figures: By ids under which they are renewed.
    """
    dashboard = importlib.import_module("optuna_dashboard")
    storage = InMemoryStorage()
    with quiet_optuna():
        study = optuna.create_study(storage=storage)
    for key, value in attributes.items():
        storage.set_study_system_attr(study._study_id, key, value)

    before = dashboard.get_note(study)
    ours, mark, theirs = before.partition(MARK)
    if not mark:
        theirs = f"\n\n{ours}" if ours else ""
    if before != note + MARK + theirs:
        dashboard.save_note(study, note + MARK + theirs)
    for trial_id, text in trial_notes.items():
        trial = _Trial(study, storage, trial_id)
        if not dashboard.get_note(trial):
            dashboard.save_note(trial, text)
    if figures:
        plotly = importlib.import_module("plotly.graph_objects")
    for name, parts in figures.items():
        figure = plotly.Figure(parts)
        dashboard.save_plotly_graph_object(study, figure, graph_object_id=name)
    new = storage.get_study_system_attrs(study._study_id)
    return {k: value for k, value in new.items() if attributes.get(k) != value}


def trial_marks(study: Mapping[str, Any], trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return the system attributes of a trial.

    They name its curve, and set a trial that diverged apart: in plots it is infeasible,
    not merely bad, though it is complete and has a value that samplers learn from.

    Args:
        study: User attributes of its Optuna study.
        trial: Its own.
    """
    marks: dict[str, Any] = {}
    if "record" in trial:
        marks |= curve_artifact(trial["record"])
    # What it cost until it met the target is a value like any other.
    earned = study.get("metric") == "cost" and trial.get("hit")
    if trial.get("end_reason") == EndReason.DIVERGED and not earned:
        marks |= _INFEASIBLE
    return marks


def set_study_attributes(
    storage: BaseStorage,
    study_id: int,
    user: Mapping[str, Any],
    system: Mapping[str, Any],
) -> None:
    """Set attributes of a study; those that are not named stay.

    In a database they are one transaction; see `replace_attributes`.

    Args:
        storage: Where the study is.
        study_id: Of the study.
        user: User attributes, which the dashboard shows as they are.
        system: System attributes, in which notes and figures are kept.
    """
    if not isinstance(storage, RDBStorage):
        for key, value in user.items():
            storage.set_study_user_attr(study_id, key, value)
        for key, value in system.items():
            storage.set_study_system_attr(study_id, key, value)
        return
    replace_attributes(storage.engine, study_id, user, system)
