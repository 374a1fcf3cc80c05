"""A trial record as a Parquet file: the curve as its table, all else in its metadata.

Every float and integer comes back bit for bit, NaN and infinities too. A seal, a hash
of all bytes of the file but its own, is checked before anything is parsed, so a file
with a single changed byte is known for one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_vs_adapt.records.ledger import Ledger, Purpose, Spending
from hpo_vs_adapt.records.trials import EndReason, TrialRecord, TrialSpec

__all__ = ["SCHEMA", "Damaged", "NewerSchema", "decode", "encode"]

SCHEMA = 1
"""Version of what the metadata holds; the seal is the same in all versions."""

SEAL = "hpo_vs_adapt § "  # not ASCII, so it cannot be in the JSON beside it
SEAL_DIGITS = 64
UNSEALED = "0" * SEAL_DIGITS


class Damaged(ValueError):
    """Bytes that are not a whole record; the message says why."""


class NewerSchema(ValueError):
    """A sound record that a newer version of the package has written."""


def encode(record: TrialRecord) -> bytes:
    """Return a record as a Parquet file.

    Raises:
        ValueError: If a column of the curve is not of numbers or flags.
    """
    arrays = {name: _array(name, column) for name, column in record.curve.items()}
    metadata = {"record": json.dumps(_described(record)), "seal": SEAL + UNSEALED}
    table = pa.table(arrays)
    stream = io.BytesIO()
    with pq.ParquetWriter(
        stream,
        table.schema,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata)
    content = bytearray(stream.getvalue())
    start = _seal_start(content)
    assert content[start : start + SEAL_DIGITS] == UNSEALED.encode()
    content[start : start + SEAL_DIGITS] = _seal(content, start)
    return bytes(content)


def decode(content: bytes, key: str) -> TrialRecord:
    """Return the record in a Parquet file.

    Args:
        content: All of the file.
        key: Key under which it lies.

    Raises:
        Damaged: If the file is not as it was written, or holds another trial.
        NewerSchema: If it was written by a newer version.
    """
    start = _seal_start(content)
    if start < 0 or content[start : start + SEAL_DIGITS] != _seal(content, start):
        raise Damaged("its bytes are not those that were written")
    file = pq.ParquetFile(pa.BufferReader(content))
    described = json.loads(file.metadata.metadata[b"record"])
    if described["schema"] > SCHEMA:
        raise NewerSchema(
            f"it has schema {described['schema']}, and this version reads up to "
            f"{SCHEMA}"
        )
    if described["key"] != key:
        raise Damaged(f"it holds the record of {described['key']}")
    table = file.read(use_threads=False)
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    return TrialRecord(
        key=key,
        spec=_spec(described["spec"]),
        end=EndReason(described["end"]),
        curve=pd.DataFrame(columns),
        ledger=_ledger(described["ledger"]),
        lanes=described["lanes"],
        error=described["error"],
    )


def _array(name: object, column: pd.Series[Any]) -> pa.Array:
    if column.dtype.kind not in "fiub":
        raise ValueError(
            f"`curve` must have columns of numbers; got {column.dtype} in {name!r}."
        )
    return pa.array(column.to_numpy(), from_pandas=False)  # NaN stays NaN


def _described(record: TrialRecord) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "key": record.key,
        "spec": dataclasses.asdict(record.spec),
        "end": record.end.value,
        "ledger": {
            "spent": {
                purpose.value: dataclasses.asdict(amount)
                for purpose, amount in record.ledger.spent.items()
            },
            "forward_share": record.ledger.forward_share,
        },
        "lanes": record.lanes,
        "error": record.error,
    }


def _spec(fields: dict[str, Any]) -> TrialSpec:
    settings = tuple(
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in fields.pop("settings")
    )
    return TrialSpec(settings=settings, **fields)


def _ledger(fields: dict[str, Any]) -> Ledger:
    spent = {
        Purpose(name): Spending(**amount) for name, amount in fields["spent"].items()
    }
    return Ledger(spent, fields["forward_share"])


def _seal_start(content: bytes | bytearray) -> int:
    """Return where the seal's digits begin, or -1."""
    mark = SEAL.encode()
    found = content.rfind(mark)
    return found if found < 0 else found + len(mark)


def _seal(content: bytes | bytearray, start: int) -> bytes:
    """Return the hash of a file without the seal's own digits."""
    digest = hashlib.blake2b(content[:start], digest_size=SEAL_DIGITS // 2)
    digest.update(content[start + SEAL_DIGITS :])
    return digest.hexdigest().encode()
