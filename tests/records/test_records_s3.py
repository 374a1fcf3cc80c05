"""The record store in a bucket, served by moto's S3 server on loopback."""

import io
import logging

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hpo_vs_adapt.records.store import RecordStore, StorageProblem
from tests.record_examples import assert_same, make_key, make_record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address():
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def bucket(address, request):
    client = boto3.client("s3", endpoint_url=f"http://{address}")
    name = f"bucket{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)
    return boto3.resource("s3", endpoint_url=f"http://{address}").Bucket(name)


@pytest.fixture
def location(address, bucket):
    return f"s3://{bucket.name}/runs?scheme=http&endpoint_override={address}"


def content_of(bucket, name: str) -> bytes:
    stream = io.BytesIO()
    bucket.download_fileobj(name, stream)
    return stream.getvalue()


def file_of(number: int) -> str:
    key = make_key(number)
    return f"runs/records/{key[:2]}/{key}.parquet"


def test_records_come_back_from_a_bucket(location, bucket):
    store = RecordStore(location)
    records = {make_key(n): make_record(n) for n in range(5)}
    for record in records.values():
        store.put(record)
    again = RecordStore(location)
    assert again.keys() == sorted(records)
    for key, record in again.get_many(records).items():
        assert_same(record, records[key])
    assert again.get(make_key(9)) is None
    files = {item.key for item in bucket.objects.all() if not item.key.endswith("/")}
    assert files == {file_of(n) for n in range(5)}


def test_an_empty_bucket_has_no_records(location):
    store = RecordStore(location, writable=False)
    assert store.keys() == []
    assert store.get_many([make_key(0)]) == {}


def test_a_damaged_object_is_named_and_set_aside(location, bucket, caplog):
    store = RecordStore(location)
    store.put(make_record())
    content = content_of(bucket, file_of(0))[:-9]
    bucket.put_object(Key=file_of(0), Body=content)
    with caplog.at_level(logging.WARNING):
        assert store.get(make_key(0)) is None
    problem = store.problems[0]
    assert problem.path == f"s3://{bucket.name}/{file_of(0)}"
    assert problem.path in caplog.text
    assert (
        content_of(bucket, problem.moved_to.partition(f"{bucket.name}/")[2]) == content
    )
    assert store.keys() == []
    store.put(make_record())
    assert_same(store.get(make_key(0)), make_record())


def test_a_bucket_that_is_not_there_is_refused_at_once(address):
    location = f"s3://no-such-bucket/runs?scheme=http&endpoint_override={address}"
    with pytest.raises(StorageProblem) as caught:
        RecordStore(location)
    message = str(caught.value)
    assert message.startswith("s3://no-such-bucket/runs cannot be written: ")
    assert "\n" not in message


def test_secrets_in_a_uri_are_not_repeated(address):
    location = f"s3://me:very-secret@no-such-bucket/runs?endpoint_override={address}"
    with pytest.raises(StorageProblem) as caught:
        RecordStore(f"{location}&scheme=http")
    assert "very-secret" not in str(caught.value)
    assert "no-such-bucket" in str(caught.value)
