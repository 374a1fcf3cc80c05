"""Where Optuna studies are kept: opening a storage, and writing whole trials fast."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpo_vs_adapt.metrics.basics.quiet import quiet_optuna
from hpo_vs_adapt.observers.dashboard.rows import insert_trials, rename_study
from hpo_vs_adapt.observers.dashboard.urls import (
    does_not_open,
    journal_path,
    parse_url,
)
from hpo_vs_adapt.records.storage import StorageProblem

__all__ = [
    "StorageProblem",
    "add_trials",
    "close_storage",
    "create_study",
    "open_storage",
    "set_aside",
]

_PAUSES = (0.1, 0.3, 1.0)  # seconds; making the tables takes a tenth of one


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
        ValueError,  # a NUL in a path
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
        rename_study(storage.engine, study_id, free)
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

    In a database they are rows of one insert a table; see `insert_trials`.

    Raises:
        OtherWriter: If somebody else has written trials, so that these would get
            other numbers than their own.
    """
    if not isinstance(storage, RDBStorage):
        for trial in trials:
            storage.create_new_trial(study_id, trial)
        return
    insert_trials(storage.engine, study_id, trials)


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
