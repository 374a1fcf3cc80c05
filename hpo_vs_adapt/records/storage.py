"""Files by name in a folder or a bucket, each written whole or not at all."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pyarrow import fs
from typing_extensions import override

from hpo_vs_adapt.partial_files import is_abandoned, is_partial
from hpo_vs_adapt.records.files import FileProblem, write_whole
from hpo_vs_adapt.wording import Problem, Secrets, mask_uri
from hpo_vs_adapt.wording.secrets import MASK

__all__ = ["Storage", "StorageProblem", "open_storage"]

READERS = 16
"""Files read at a time from an object store."""


class StorageProblem(Problem, OSError):
    """A place for records or Optuna studies that cannot be opened, read or written."""


class Storage(ABC):
    """Files under names such as ``records/ab/x.parquet``.

    Args:
        shown: The place as messages name it, without secrets.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Return a file, or None if there is none."""

    def read_many(self, names: Sequence[str]) -> Iterable[bytes | None]:
        """Return what `read` returns for each name, in their order."""
        return map(self.read, names)

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file so that a reader sees all of it or the one before."""

    @abstractmethod
    def move(self, name: str, target: str) -> None:
        """Move a file; one that another process has moved already is left alone."""

    @abstractmethod
    def names(self, folder: str) -> Iterator[str]:
        """Yield the names of the files under a folder, partial ones excepted."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a file."""

    @abstractmethod
    def tidy(self, folder: str) -> None:
        """Remove what killed processes have left under a folder."""

    def place(self, name: str) -> str:
        """Return where a file is, as messages name it."""
        return f"{self.shown.rstrip('/')}/{name}"


def open_storage(location: str, writable: bool = True) -> Storage:
    """Return the storage at a path or at any URI that `pyarrow.fs` opens.

    Args:
        location: ``runs``, ``/data/runs``, ``file:///data/runs``,
            ``s3://bucket/runs?endpoint_override=...`` and the like.
        writable: Whether writing is tried at once, so that it cannot fail only after
            hours of training.

    Raises:
        StorageProblem: If the place cannot be opened, or not written although it must.
    """
    shown = mask_uri(location).partition("?")[0].replace(f"//{MASK}@", "//")
    with _explained(shown, "opened", Secrets(location)):
        storage: Storage
        if "://" not in location:
            storage = _Folder(Path(location).absolute(), shown)
        else:
            system, path = fs.FileSystem.from_uri(location)
            local = isinstance(system, fs.LocalFileSystem)
            storage = (
                _Folder(Path(path), shown) if local else _Bucket(system, path, shown)
            )
    if writable:
        probe = f"records/.probe-{uuid.uuid4().hex}"
        try:
            storage.write(probe, b"This file only shows that the place can be written.")
            storage.delete(probe)
        except StorageProblem as problem:
            sentence = str(problem).replace(storage.place(probe), shown)
            raise StorageProblem(sentence) from problem
        storage.tidy("records")
    return storage


class _Folder(Storage):
    """A folder of this machine, or one mounted on it."""

    def __init__(self, root: Path, shown: str) -> None:
        super().__init__(shown)
        self.root = root

    @override
    def read(self, name: str) -> bytes | None:
        with _explained(self.place(name), "read"):
            try:
                return (self.root / name).read_bytes()
            except FileNotFoundError:
                return None

    @override
    def write(self, name: str, content: bytes) -> None:
        with _explained(self.place(name), "written"):
            write_whole(self.root / name, content, durable=True)

    @override
    def move(self, name: str, target: str) -> None:
        with _explained(self.place(name), "moved"):
            path = self.root / target
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                (self.root / name).replace(path)
            except FileNotFoundError:
                return

    @override
    def names(self, folder: str) -> Iterator[str]:
        with _explained(self.place(folder), "listed"):
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file() and not is_partial(path):
                    yield path.relative_to(self.root).as_posix()

    @override
    def delete(self, name: str) -> None:
        with _explained(self.place(name), "removed"):
            (self.root / name).unlink(missing_ok=True)

    @override
    def tidy(self, folder: str) -> None:
        for path in (self.root / folder).rglob(".*.partial"):
            if is_abandoned(path):
                path.unlink(missing_ok=True)


class _Bucket(Storage):
    """An object store: what is put appears at once and whole."""

    def __init__(self, system: fs.FileSystem, root: str, shown: str) -> None:
        super().__init__(shown)
        self.system = system
        self.root = root.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    @override
    def read(self, name: str) -> bytes | None:
        with _explained(self.place(name), "read"):
            try:
                with self.system.open_input_file(self._path(name)) as file:
                    return bytes(file.read())
            except FileNotFoundError:
                return None

    @override
    def read_many(self, names: Sequence[str]) -> Iterable[bytes | None]:
        # An answer takes a while to arrive, so many questions are asked at a time.
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(self.read, names))

    @override
    def write(self, name: str, content: bytes) -> None:
        with (
            _explained(self.place(name), "written"),
            self.system.open_output_stream(self._path(name)) as file,
        ):
            file.write(content)

    @override
    def move(self, name: str, target: str) -> None:
        with _explained(self.place(name), "moved"):
            try:
                self.system.move(self._path(name), self._path(target))
            except FileNotFoundError:
                return

    @override
    def names(self, folder: str) -> Iterator[str]:
        selector = fs.FileSelector(
            self._path(folder), allow_not_found=True, recursive=True
        )
        with _explained(self.place(folder), "listed"):
            for info in self.system.get_file_info(selector):
                if info.type == fs.FileType.File:
                    yield info.path.removeprefix(f"{self.root}/")

    @override
    def delete(self, name: str) -> None:
        with _explained(self.place(name), "removed"):
            self.system.delete_file(self._path(name))

    @override
    def tidy(self, folder: str) -> None:
        """Do nothing: an upload that was not finished is not there."""


@contextmanager
def _explained(
    place: str, doing: str, secrets: Secrets | None = None
) -> Iterator[None]:
    """Raise what a file system reports as one sentence with the place in it."""
    try:
        yield
    except StorageProblem:
        raise
    except (OSError, ValueError, FileProblem) as problem:  # ArrowInvalid: ValueError
        reason = _reason(problem)
        if secrets is not None:
            reason = secrets.hide(reason)
        raise StorageProblem(
            f"{place} cannot be {doing}: {reason.rstrip('.')}. Check `storage.records` "
            "in the study."
        ) from problem


def _reason(problem: Exception) -> str:
    if isinstance(problem, FileProblem):
        return problem.reason
    return getattr(problem, "strerror", None) or str(problem).partition("\n")[0]
