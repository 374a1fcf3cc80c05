"""The store of trial records, each under the hash that identifies its trial."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hpo_vs_adapt.records.record_file import Damaged, NewerSchema, decode, encode
from hpo_vs_adapt.records.serving import serves
from hpo_vs_adapt.records.storage import StorageProblem, open_storage
from hpo_vs_adapt.records.trials import EndReason, TrialRecord

__all__ = ["DamagedRecord", "RecordStore", "StorageProblem", "serves"]

KEY = re.compile(r"[0-9a-f]{32}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A file that was not believed.

    Args:
        path: Where it lay.
        reason: What is wrong with it.
        moved_to: Where it lies now; None if the store may not be written.
    """

    path: str
    reason: str
    moved_to: str | None


class RecordStore:
    """Records under ``<location>/records/ab/<key>.parquet``.

    A record appears whole or not at all, whoever writes or is killed at the same time.
    A damaged file is named in `problems` and in the log, moved to
    ``<location>/damaged``, and counts as missing.

    Args:
        location: A path, or any URI that `pyarrow.fs` opens.
        writable: Whether to see at once that records can be written; a store that is
            not writable is left as it is.

    Raises:
        StorageProblem: If the location cannot be opened, or not written although it
            must. Reading and writing raise it too, when the place has gone since.
    """

    def __init__(self, location: str, writable: bool = True) -> None:
        self.location = location
        self.writable = writable
        self.problems: list[DamagedRecord] = []
        self._storage = open_storage(location, writable)

    def get(self, key: str) -> TrialRecord | None:
        """Return the record of a trial, or None if there is none to believe."""
        return self._decoded(key, self._storage.read(_name(key)))

    def get_many(self, keys: Iterable[str]) -> dict[str, TrialRecord]:
        """Return the records that exist, by key.

        Quicker than one by one where the records are in an object store.
        """
        wanted = list(dict.fromkeys(keys))
        contents = self._storage.read_many([_name(key) for key in wanted])
        found = [self._decoded(*pair) for pair in zip(wanted, contents, strict=True)]
        return {record.key: record for record in found if record is not None}

    def put(self, record: TrialRecord) -> None:
        """Keep a record; one of the same trial that ran further stays instead."""
        before = self.get(record.key)
        if before is None or not _ran_further(before, record):
            self._storage.write(_name(record.key), encode(record))

    def keys(self) -> list[str]:
        """Return the keys of all records, sorted; their files are not looked into."""
        names = self._storage.names("records")
        stems = (name.rpartition("/")[2].removesuffix(".parquet") for name in names)
        return sorted(stem for stem in stems if KEY.fullmatch(stem))

    def _decoded(self, key: str, content: bytes | None) -> TrialRecord | None:
        if content is None:
            return None
        try:
            return decode(content, key)
        except Damaged as damage:
            self._set_aside(key, str(damage))
            return None
        except NewerSchema as problem:
            raise StorageProblem(
                f"{self._storage.place(_name(key))} cannot be read: {problem}. Upgrade "
                "hpo-vs-adapt, or name another place in `storage.records`."
            ) from problem

    def _set_aside(self, key: str, reason: str) -> None:
        path = self._storage.place(_name(key))
        moved_to = None
        if self.writable:
            taken = set(self._storage.names("damaged"))
            names = (
                f"damaged/{key}-{number}.parquet" for number in range(len(taken) + 1)
            )
            target = next(name for name in names if name not in taken)
            self._storage.move(_name(key), target)
            moved_to = self._storage.place(target)
        self.problems.append(DamagedRecord(path, reason, moved_to))
        logger.warning(
            "The record %s is damaged: %s. It %s; its trial counts as not yet trained.",
            path,
            reason,
            f"was moved to {moved_to}" if moved_to else "was left there",
        )


def _name(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError(f"`key` must be 32 hexadecimal digits; got {key!r}.")
    return f"records/{key[:2]}/{key}.parquet"


def _ran_further(record: TrialRecord, other: TrialRecord) -> bool:
    if record.end is EndReason.CRASHED:
        return False
    return len(record.curve) > len(other.curve)
