"""Opening a database of Optuna that others may be opening for the first time too."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy
from optuna.storages import RDBStorage

__all__ = ["open_database"]

_PAUSES = (0.1, 0.3, 1.0)  # seconds; making the tables takes a tenth of one


def open_database(
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
