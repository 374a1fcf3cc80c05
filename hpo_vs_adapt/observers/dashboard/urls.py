"""URLs of Optuna's storages: what they name, and what is said when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import sqlalchemy

from hpo_vs_adapt.records.storage import StorageProblem
from hpo_vs_adapt.wording import Secrets, mask_uri

__all__ = [
    "does_not_open",
    "explaining_losses",
    "journal_path",
    "parse_url",
    "storage_exists",
]


def storage_exists(url: str) -> bool:
    """Whether a storage's file is there; databases of a server always are.

    Raises:
        StorageProblem: If the URL is none.
    """
    path = journal_path(url)
    if path is None:
        parsed = parse_url(url)
        file = parsed.database
        if parsed.get_backend_name() != "sqlite" or not file or file == ":memory:":
            return True
        path = Path(file)
    return path.exists()


@contextmanager
def explaining_losses(url: str) -> Iterator[None]:
    """Say so when a storage that was open fails: no server, no room on the disk.

    Args:
        url: Of the storage.

    Raises:
        StorageProblem: If it fails.
    """
    try:
        yield
    except (
        sqlalchemy.exc.OperationalError,
        sqlalchemy.exc.InterfaceError,
        optuna.exceptions.StorageInternalError,
    ) as error:
        raise StorageProblem(
            f"`storage.optuna`, {mask_uri(url)!r}, failed: "
            f"{_first_line(error, url)}. All records are kept: mend it, and run again."
        ) from error


def journal_path(url: str) -> Path | None:
    """Return the file of a journal; None if the URL is of something else."""
    if url.startswith("journal:") or ("://" not in url and url.endswith(".log")):
        return Path(url.removeprefix("journal:"))
    return None


def parse_url(url: str) -> sqlalchemy.URL:
    """Return a URL's parts.

    Raises:
        StorageProblem: If it has none.
    """
    try:
        return sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:  # a port that is none
        raise does_not_open(url, error) from error


def does_not_open(url: str, error: BaseException) -> StorageProblem:
    """Return what to say of a storage that does not open."""
    return StorageProblem(
        "`storage.optuna` must be a database that opens, such as "
        f"sqlite:///runs/optuna.db or journal:runs/optuna.log; got "
        f"{mask_uri(url)!r}: {_first_line(error, url)}{_driver_hint(error)}"
    )


def _driver_hint(error: BaseException) -> str:
    if not isinstance(error, ImportError):
        return ""
    return ". Install it, or name a driver that is, as in postgresql+psycopg2://…"


def _first_line(error: BaseException, url: str) -> str:
    """Return what went wrong, from the error that caused it all."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return Secrets(url).hide(lines[0]) if lines else type(error).__name__
