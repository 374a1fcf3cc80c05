import logging
from pathlib import Path

import pytest

from hpo_vs_adapt.records import record_file
from hpo_vs_adapt.records.record_file import decode, encode
from hpo_vs_adapt.records.store import RecordStore, StorageProblem
from tests.record_examples import assert_same, file_of, make_key, make_record


@pytest.fixture
def store(tmp_path):
    return RecordStore(str(tmp_path / "runs"))


def test_a_changed_byte_anywhere_in_a_file_is_noticed():
    record = make_record()
    content = encode(record)
    assert_same(decode(content, record.key), record)
    for place in range(len(content)):
        for flip in (0x01, 0x80):
            damaged = bytearray(content)
            damaged[place] ^= flip
            with pytest.raises(record_file.Damaged):
                decode(bytes(damaged), record.key)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: b"x" * len(content),
        lambda content: content[:100] + b"\0" * 50 + content[150:],
        lambda content: encode(make_record(1)),
    ],
    ids=["empty", "half", "short", "long", "other", "hole", "another trial's"],
)
def test_a_damaged_file_is_named_and_set_aside(store, caplog, damage):
    record = make_record()
    store.put(record)
    path = file_of(store)
    content = damage(path.read_bytes())
    path.write_bytes(content)

    with caplog.at_level(logging.WARNING):
        assert store.get(record.key) is None
    problem = store.problems[0]
    assert problem.path == str(path)
    assert Path(problem.moved_to).read_bytes() == content
    assert Path(problem.moved_to).parent == Path(store.location) / "damaged"
    assert str(path) in caplog.text
    assert problem.reason in caplog.text
    assert not path.exists()
    assert store.keys() == []

    store.put(record)
    assert_same(store.get(record.key), record)
    assert len(store.problems) == 1


def test_the_same_record_damaged_twice_is_set_aside_twice(store):
    for text in (b"once", b"twice"):
        store.put(make_record())
        file_of(store).write_bytes(text)
        assert store.get(make_key(0)) is None
    kept = {Path(p.moved_to).read_bytes() for p in store.problems}
    assert kept == {b"once", b"twice"}


def test_one_damaged_file_among_many_is_the_only_one_missing(store):
    for number in range(4):
        store.put(make_record(number))
    file_of(store, 2).write_bytes(b"damaged")
    found = store.get_many(store.keys())
    assert set(found) == {make_key(n) for n in (0, 1, 3)}
    assert [p.path for p in store.problems] == [str(file_of(store, 2))]


def test_a_damaged_file_is_replaced_by_the_next_record(store):
    store.put(make_record())
    file_of(store).write_bytes(b"damaged")
    store.put(make_record())
    assert_same(store.get(make_key(0)), make_record())
    assert len(store.problems) == 1


def test_a_newer_schema_asks_for_an_upgrade_and_is_left_alone(store, monkeypatch):
    monkeypatch.setattr(record_file, "SCHEMA", 2)
    store.put(make_record())
    monkeypatch.setattr(record_file, "SCHEMA", 1)
    with pytest.raises(StorageProblem, match=r"schema 2.*reads up to 1.*Upgrade"):
        store.get(make_key(0))
    assert file_of(store).is_file()
    assert store.problems == []
