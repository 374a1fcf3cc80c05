"""Where Optuna studies are kept: opening a storage, and writing whole trials fast."""

from __future__ import annotations

import datetime
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.orm import Session

from hpo_vs_adapt.metrics.basics.quiet import quiet_optuna
from hpo_vs_adapt.observers.dashboard.urls import (
    does_not_open,
    journal_path,
    parse_url,
)
from hpo_vs_adapt.plan.events import StopsRun
from hpo_vs_adapt.records.storage import StorageProblem

__all__ = [
    "OtherWriter",
    "StorageProblem",
    "add_trials",
    "close_storage",
    "create_study",
    "open_storage",
    "set_aside",
]


_PAUSES = (0.1, 0.3, 1.0)  # seconds; making the tables takes a tenth of one


class OtherWriter(StorageProblem, StopsRun):
    """Somebody else writes the same Optuna study."""


def open_storage(url: str, *, writing: bool = False) -> BaseStorage:
    """Return the storage at a URL; a file and its folder are made if missing.

    Args:
        url: ``sqlite:///runs/optuna.db`` or another URL of SQLAlchemy
            (``postgresql://…``, ``mysql://…``), ``journal:runs/optuna.log``, or a path
            that ends in ``.log``, which is a journal too.
        writing: Whether a run will write to it, and nobody else does.

    Raises:
        StorageProblem: If it does not open.
    """
    if (path := journal_path(url)) is not None:
        return _open_journal(path, writing)
    parsed = parse_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed)
        return _open_database(url)
    except (
        ImportError,
        OSError,
        RuntimeError,
        optuna.exceptions.OptunaError,
        sqlalchemy.exc.SQLAlchemyError,
    ) as error:
        raise does_not_open(url, error) from error


def close_storage(storage: BaseStorage) -> None:
    """Close the connections of a storage."""
    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def create_study(
    storage: BaseStorage, name: str, direction: str, attrs: Mapping[str, Any]
) -> int:
    """Make an Optuna study and return its id.

    Args:
        storage: Where.
        name: Not yet taken.
        direction: ``maximize`` or ``minimize``.
        attrs: User attributes; `metric` names the values of its trials.
    """
    with quiet_optuna():
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction=StudyDirection[direction.upper()],
        )
        if "metric" in attrs:
            study.set_metric_names([attrs["metric"]])
    for key, value in attrs.items():
        study.set_user_attr(key, value)
    return storage.get_study_id_from_name(name)


def set_aside(
    storage: BaseStorage, study_id: int, trials: Sequence[FrozenTrial]
) -> str:
    """Give a study another name, and return that name.

    Its trials stay what they are, but those still running become failed ones: nobody
    will end them any more.

    Args:
        storage: Where.
        study_id: Of the study.
        trials: Of the study, by number.
    """
    name = storage.get_study_name_from_id(study_id)
    aside = (f"{name} (old {count})" for count in itertools.count(1))
    free = next(new for new in aside if not _has_study(storage, new))
    for number, trial in enumerate(trials):
        if not trial.state.is_finished():
            trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
    now = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
    storage.set_study_user_attr(study_id, "set_aside", now)
    if isinstance(storage, RDBStorage):
        with Session(storage.engine) as session, session.begin():
            renamed = sqlalchemy.update(models.StudyModel).values(study_name=free)
            session.execute(renamed.where(models.StudyModel.study_id == study_id))
    else:  # Optuna itself does not rename
        with quiet_optuna():
            optuna.copy_study(
                from_study_name=name,
                from_storage=storage,
                to_storage=storage,
                to_study_name=free,
            )
        storage.delete_study(study_id)
    return free


def _has_study(storage: BaseStorage, name: str) -> bool:
    # By its name: to list all studies takes seconds where there are a thousand.
    try:
        storage.get_study_id_from_name(name)
    except KeyError:
        return False
    return True


def add_trials(
    storage: BaseStorage, study_id: int, trials: Sequence[FrozenTrial]
) -> None:
    """Write trials with all that belongs to them, in one transaction.

    Optuna writes each value and each attribute with a query and an insert of its own;
    in a database that can take longer than training a small model. Here they are rows
    of one insert a table.

    Raises:
        OtherWriter: If somebody else has written trials, so that these would get
            other numbers than their own.
    """
    if not isinstance(storage, RDBStorage):
        for trial in trials:
            storage.create_new_trial(study_id, trial)
        return
    with Session(storage.engine) as session, session.begin():
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


def _attribute_rows(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]


def _open_database(
    url: str, engine_kwargs: Mapping[str, Any] | None = None
) -> RDBStorage:
    """Return the storage of a database, its tables made if they are missing.

    Optuna looks for tables before it makes them: of a run and a dashboard that open a
    new database at the same moment, one finds them made under its hands. It then tries
    again, and finds them there.

    Args:
        url: Of SQLAlchemy.
        engine_kwargs: Arguments of SQLAlchemy's engine.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: If it does not open.
    """
    given = dict(engine_kwargs or {})
    for pause in _PAUSES:
        try:
            return RDBStorage(url, engine_kwargs=given)
        except sqlalchemy.exc.DBAPIError as error:
            made = isinstance(error, sqlalchemy.exc.IntegrityError)
            if not made and "already exists" not in str(error):
                raise
            time.sleep(pause)
    return RDBStorage(url, engine_kwargs=given)


def _open_sqlite(url: sqlalchemy.URL) -> RDBStorage:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # A dashboard that reads must not fail the run: wait for it.
    engine = {"connect_args": {"timeout": 60}}
    storage = _open_database(url.render_as_string(False), engine)
    sqlalchemy.event.listen(storage.engine, "connect", _do_not_wait_for_the_disk)
    storage.engine.dispose()  # the connection it already has
    return storage


def _do_not_wait_for_the_disk(connection: Any, _record: Any) -> None:
    # A killed run loses nothing by it; only a power failure can, and then the studies
    # are written again from the trials' records. It saves up to 30 ms a trial.
    connection.execute("PRAGMA synchronous = OFF").close()


def _open_journal(path: Path, writing: bool) -> JournalStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if writing and path.exists():
            _cut_off_half_a_line(path)
        return JournalStorage(JournalFileBackend(str(path)))
    except OSError as error:
        raise StorageProblem(
            f"`storage.optuna` must be a journal that opens; got {str(path)!r}: {error}"
        ) from error


def _cut_off_half_a_line(journal: Path) -> None:
    """Drop what a killed run left unfinished; a line appended to it is lost as well."""
    written = journal.read_bytes()
    whole = written.rfind(b"\n") + 1
    if whole < len(written):
        with journal.open("r+b") as file:
            file.truncate(whole)
