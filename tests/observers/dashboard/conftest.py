"""Storages for Optuna studies: a database file, a journal, and a PostgreSQL server."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest


def find_postgres():
    """Return the folder of PostgreSQL's newest server programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres():
    """Start a PostgreSQL server of our own, and yield its URL."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("needs Debian's package `postgresql`")
    # PostgreSQL refuses to run as root, and its user cannot enter pytest's folders.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    if user:
        shutil.chown(folder, "postgres")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]

    def call(program, *arguments):
        subprocess.run(
            [*user, programs / program, "-D", folder / "data", *arguments],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    call("initdb", "-A", "trust", "-U", "postgres", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("pg_ctl", "start", "-w", "-l", folder / "log", "-o", options)
    try:
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder)


@pytest.fixture(
    params=["sqlite", "journal", pytest.param("postgres", marks=pytest.mark.slow)]
)
def url(request, tmp_path):
    """Yield the URL of a storage without our study."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/optuna.db"
    if request.param == "journal":
        return f"journal:{tmp_path}/new/folder/optuna.log"
    base = request.getfixturevalue("postgres")
    schema = f"s{uuid.uuid4().hex}"
    import psycopg2

    with contextlib.closing(
        psycopg2.connect(base.replace("+psycopg2", ""))
    ) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE SCHEMA {schema}")
    return f"{base}?options=-csearch_path%3D{schema}"
