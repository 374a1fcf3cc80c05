"""Rows of Optuna's own tables, written many at a time.

Optuna writes each value and each attribute with a query and an insert of its own; in a
database that can take longer than training a small model. No public function of it does
better, so this module, and no other, rests on `optuna.storages._rdb.models`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import optuna
import sqlalchemy
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy.orm import Session

from hpo_vs_adapt.plan.events import StopsRun
from hpo_vs_adapt.records.storage import StorageProblem

__all__ = ["OtherWriter", "insert_trials", "rename_study", "replace_attributes"]


class OtherWriter(StorageProblem, StopsRun):
    """Somebody else writes the same Optuna study."""


def insert_trials(
    engine: sqlalchemy.Engine, study_id: int, trials: Sequence[FrozenTrial]
) -> None:
    """Write trials with all that belongs to them, in one transaction.

    Args:
        engine: Of the database.
        study_id: Of their study.
        trials: Numbered from the first that is not there, in their order.

    Raises:
        OtherWriter: If somebody else has written trials, so that these would get other
            numbers than their own.
    """
    with Session(engine) as session, session.begin():
        study = sqlalchemy.select(models.StudyModel.study_id)
        # The lock is Optuna's own way to keep trial numbers apart (none in SQLite).
        session.execute(study.filter_by(study_id=study_id).with_for_update()).one()
        count = sqlalchemy.select(sqlalchemy.func.count(models.TrialModel.trial_id))
        taken = session.execute(count.filter_by(study_id=study_id)).scalar_one()
        if taken != trials[0].number:
            raise OtherWriter(
                f"Trial {trials[0].number} cannot be written: its Optuna study has "
                f"{taken} trials. Let one run at a time write to it, and run again."
            )
        for trial in trials:
            _add_trial(session, study_id, trial)


def rename_study(engine: sqlalchemy.Engine, study_id: int, name: str) -> None:
    """Give a study a name that is not taken, which Optuna itself cannot.

    Args:
        engine: Of the database.
        study_id: Of the study.
        name: Its new one.
    """
    with Session(engine) as session, session.begin():
        renamed = sqlalchemy.update(models.StudyModel).values(study_name=name)
        session.execute(renamed.where(models.StudyModel.study_id == study_id))


def replace_attributes(
    engine: sqlalchemy.Engine,
    study_id: int,
    user: Mapping[str, Any],
    system: Mapping[str, Any],
) -> None:
    """Set attributes of a study in one transaction; a figure is dozens of them.

    Args:
        engine: Of the database.
        study_id: Of the study.
        user: User attributes.
        system: System attributes.
    """
    with Session(engine) as session, session.begin():
        _replace(session, models.StudyUserAttributeModel, study_id, user)
        _replace(session, models.StudySystemAttributeModel, study_id, system)


def _replace(
    session: Session, model: type, study_id: int, attributes: Mapping[str, Any]
) -> None:
    if not attributes:
        return
    table = cast(sqlalchemy.Table, vars(model)["__table__"])
    old = sqlalchemy.delete(table).where(
        table.c.study_id == study_id, table.c.key == sqlalchemy.bindparam("old")
    )
    # One statement for each key: a list of them all can be too long for a database.
    session.connection().execute(old, [{"old": key} for key in attributes])
    rows = [{"study_id": study_id, **row} for row in _attribute_rows(attributes)]
    session.connection().execute(sqlalchemy.insert(table), rows)


def _add_trial(session: Session, study_id: int, trial: FrozenTrial) -> None:
    row = models.TrialModel(
        number=trial.number,
        study_id=study_id,
        state=trial.state,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
    )
    session.add(row)
    session.flush()
    for model, rows in _rows(trial).items():
        if rows:
            keyed = [{"trial_id": row.trial_id, **entry} for entry in rows]
            session.execute(sqlalchemy.insert(model), keyed)


def _rows(trial: FrozenTrial) -> dict[type, list[dict[str, Any]]]:
    """Return the rows of a trial in every table but that of the trials."""
    value, between = models.TrialValueModel, models.TrialIntermediateValueModel
    params, values, steps = [], [], []
    for name, param in trial.params.items():
        distribution = trial.distributions[name]
        params.append(
            {
                "param_name": name,
                "param_value": distribution.to_internal_repr(param),
                "distribution_json": optuna.distributions.distribution_to_json(
                    distribution
                ),
            }
        )
    if trial.value is not None:
        stored, kind = value.value_to_stored_repr(trial.value)
        values.append({"objective": 0, "value": stored, "value_type": kind})
    for step, number in trial.intermediate_values.items():
        stored, between_kind = between.intermediate_value_to_stored_repr(number)
        steps.append(
            {
                "step": step,
                "intermediate_value": stored,
                "intermediate_value_type": between_kind,
            }
        )
    return {
        models.TrialParamModel: params,
        value: values,
        between: steps,
        models.TrialUserAttributeModel: _attribute_rows(trial.user_attrs),
        models.TrialSystemAttributeModel: _attribute_rows(trial.system_attrs),
    }


def _attribute_rows(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
