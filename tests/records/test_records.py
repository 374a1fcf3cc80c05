import dataclasses
import json
import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.records.ledger import Ledger, Purpose, Spending
from hpo_vs_adapt.records.store import RecordStore, StorageProblem
from hpo_vs_adapt.records.trials import EndReason, TrialSpec
from tests.record_examples import assert_same, file_of, make_key, make_record

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path):
    return RecordStore(str(tmp_path / "runs"))


def test_a_record_comes_back_to_the_last_bit(store):
    record = make_record(lanes=7)
    store.put(record)
    assert_same(store.get(record.key), record)
    assert_same(RecordStore(store.location).get(record.key), record)
    assert file_of(store).is_file()


def test_every_number_comes_back_to_the_last_bit(store):
    odd_nan = np.array([0x7FF8000000000BAD, 0xFFF0000000000001], "uint64")
    values = [0.1 + 0.2, -0.0, math.inf, -math.inf, 5e-324, 1.7e308]
    floats = np.array([*values, *odd_nan.view("float64")])
    record = make_record(metric=np.linspace(0, 1, len(floats)))
    record.curve["extra"] = floats
    record.curve["single"] = np.float32([0.1, -0.0, *[math.inf] * (len(floats) - 2)])
    record.curve["large"] = np.full(len(floats), 2**63 - 1)
    record.curve["flag"] = floats > 0
    spec = TrialSpec(
        "tasks/mine.py:Täsk",
        "adam",
        (
            ("betas", (0.9, 0.999)),
            ("eps", 5e-324),
            ("flag", True),
            ("inf", math.inf),
            ("none", None),
            ("one", 1),
            ("one_float", 1.0),
            ("word", "hpo_vs_adapt § " + "0" * 64),
        ),
        batch_size=3,
        seed=2**63 - 1,
        epochs=1 / 3,
        evaluate_every=1,
        stop_at=0.1 + 0.2,
    )
    ledger = Ledger({Purpose.LOST: Spending(2**60 + 1, 3, 4, 1e300, 1 / 3)}, 0.1)
    record = dataclasses.replace(
        record,
        spec=spec,
        ledger=ledger,
        end=EndReason.CRASHED,
        error="RuntimeError: \0 'quoted' \n ünïcode § " + "0" * 64,
    )
    store.put(record)
    assert_same(store.get(record.key), record)


def test_a_curve_without_rows_comes_back(store):
    record = make_record(end=EndReason.CRASHED, error="before the first evaluation")
    record = dataclasses.replace(record, curve=record.curve.iloc[:0])
    store.put(record)
    assert_same(store.get(record.key), record)


def test_a_curve_that_is_not_of_numbers_is_refused(store):
    record = make_record()
    record.curve["note"] = "x"
    with pytest.raises(ValueError, match=r"columns of numbers; got .* in 'note'"):
        store.put(record)
    assert store.keys() == []


def test_other_tools_can_read_the_file(store):
    record = make_record()
    store.put(record)
    pd.testing.assert_frame_equal(pd.read_parquet(file_of(store)), record.curve)


def test_keys_and_many_records_at_once(store):
    records = {make_key(n): make_record(n) for n in range(5)}
    for record in records.values():
        store.put(record)
    assert store.keys() == sorted(records)
    found = store.get_many([make_key(3), make_key(9), make_key(1), make_key(3)])
    assert list(found) == [make_key(3), make_key(1)]
    for key, record in found.items():
        assert_same(record, records[key])
    assert store.get(make_key(9)) is None
    assert store.problems == []


@pytest.mark.parametrize("key", ["", "x" * 32, "../../etc/passwd", "A" * 32])
def test_what_is_not_a_key_is_refused(store, key):
    with pytest.raises(ValueError, match="`key` must be 32 hexadecimal digits"):
        store.get(key)


LONG = make_record()
SHORT = make_record(metric=(0.1, 0.5), end=EndReason.TARGET)
CRASHED = make_record(end=EndReason.CRASHED, error="boom")


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(LONG, SHORT, LONG), (SHORT, LONG, LONG), (CRASHED, SHORT, SHORT)],
    ids=["shorter", "longer", "after a crash"],
)
def test_the_record_that_ran_further_stays(store, first, second, kept):
    store.put(first)
    store.put(second)
    assert_same(store.get(kept.key), kept)


def test_a_store_that_may_only_be_read_is_left_as_it_is(store):
    store.put(make_record())
    store.put(make_record(1))
    file_of(store, 1).write_bytes(b"damaged")
    before = sorted(Path(store.location).rglob("*"))
    reader = RecordStore(store.location, writable=False)
    assert_same(reader.get(make_key(0)), make_record())
    assert reader.get(make_key(1)) is None
    assert reader.problems[0].moved_to is None
    assert sorted(Path(store.location).rglob("*")) == before


def test_a_place_that_is_not_there_yet_has_no_records(tmp_path):
    reader = RecordStore(str(tmp_path / "none"), writable=False)
    assert reader.keys() == []
    assert reader.get(make_key(0)) is None
    assert not (tmp_path / "none").exists()


def test_opening_leaves_no_file_behind(store):
    assert [p for p in Path(store.location).rglob("*") if p.is_file()] == []


def test_a_path_may_be_a_uri_or_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = make_record()
    RecordStore("runs").put(record)
    store = RecordStore(f"file://{tmp_path}/runs")
    monkeypatch.chdir("/")
    assert_same(store.get(record.key), record)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/proc/records", "cannot be written"),
        ("{file}", "Not a directory"),
        ("{file}/below", "Not a directory"),
        ("nowhere://records", "cannot be opened"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path, location, reason):
    file = tmp_path / "file"
    file.write_text("")
    location = location.format(file=file)
    with pytest.raises(StorageProblem, match=reason) as caught:
        RecordStore(location)
    assert str(caught.value).startswith(location)
    assert "\n" not in str(caught.value)


def test_a_folder_without_permission_is_refused_at_once(tmp_path):
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # root may write everywhere
        os.seteuid(65534)
    try:
        with pytest.raises(StorageProblem, match="Permission denied"):
            RecordStore(str(tmp_path / "runs"))
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)


def test_a_record_that_cannot_be_read_is_an_error_not_damage(store):
    file_of(store).mkdir(parents=True)
    with pytest.raises(StorageProblem, match="cannot be read: Is a directory"):
        store.get(make_key(0))
    assert store.problems == []


def test_partial_files_of_dead_processes_are_removed(store):
    store.put(make_record())
    folder = file_of(store).parent
    dead = subprocess.Popen(["true"])
    dead.wait()
    host, digits = os.uname().nodename, "0" * 32
    names = {
        "dead": f".{host}-{dead.pid}-{digits}.partial",
        "alive": f".{host}-{os.getpid()}-{digits}.partial",
        "elsewhere": f".other-host-1-{digits}.partial",
        "long_ago": f".other-host-2-{digits}.partial",
    }
    for name in names.values():
        (folder / name).write_bytes(b"half")
    os.utime(folder / names["long_ago"], (0, 0))
    assert store.keys() == [make_key(0)]
    RecordStore(store.location)
    left = {name for name in names if (folder / names[name]).exists()}
    assert left == {"alive", "elsewhere"}


def _put_often(location: str, lanes: int) -> None:
    store = RecordStore(location)
    for number in range(30):
        store.put(make_record(number % 3, lanes=lanes))


@pytest.mark.slow
def test_writers_of_the_same_records_do_not_disturb_each_other(store):
    start = multiprocessing.get_context("spawn")
    writers = [
        start.Process(target=_put_often, args=(store.location, n)) for n in (1, 2)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        for record in store.get_many(store.keys()).values():
            assert record.lanes in (1, 2)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert len(store.get_many(store.keys())) == 3
    assert store.problems == []
    assert list(Path(store.location).rglob("*.partial")) == []


@pytest.mark.slow
def test_a_killed_writer_leaves_only_whole_records(store):
    code = (
        "import itertools, sys\n"
        "from hpo_vs_adapt.records.store import RecordStore\n"
        "from tests.record_examples import make_record\n"
        "store = RecordStore(sys.argv[1])\n"
        "for number in itertools.count():\n    store.put(make_record(number))\n"
    )
    command = [sys.executable, "-c", code, store.location]
    with subprocess.Popen(command, cwd=ROOT) as writer:
        while len(store.keys()) < 5 and writer.poll() is None:
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    reopened = RecordStore(store.location)
    keys = reopened.keys()
    assert len(keys) >= 5
    for number in range(len(keys)):
        assert_same(reopened.get(make_key(number)), make_record(number))
    assert reopened.problems == []
    assert list(Path(store.location).rglob("*.partial")) == []


def test_a_record_survives_pickling(store):
    store.put(make_record())
    record = store.get(make_key(0))
    assert_same(pickle.loads(pickle.dumps(record)), record)


def test_the_metadata_is_readable_json(store):
    import pyarrow.parquet as pq

    store.put(make_record())
    metadata = pq.read_metadata(file_of(store)).metadata
    described = json.loads(metadata[b"record"])
    assert described["schema"] == 1
    assert described["key"] == make_key(0)
    assert described["spec"]["workload"] == "digits_mlp"
