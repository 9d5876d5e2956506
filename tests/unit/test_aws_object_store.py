"""What S3 is asked, and what becomes of its errors; how a store behaves is the contract's."""

from __future__ import annotations

import hashlib

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.stub import Stubber

from chalicelib.aws.object_store import PART_BYTES, S3ObjectStore
from chalicelib.core.errors import NotFound, Refused, Unavailable
from tests.contract.aws_places import moto_account

URL = {"endpoint_url": "https://s3.us-east-1.amazonaws.com"}


@pytest.fixture
def s3(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return boto3.client("s3", region_name="us-east-1")


@pytest.fixture
def stub(s3):
    with Stubber(s3) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", NotFound),
        (404, "NoSuchBucket", NotFound),
        (403, "AccessDenied", Refused),
        (403, "InvalidObjectState", Refused),
        (403, "ExpiredToken", Unavailable),
        (403, "RequestTimeTooSkewed", Unavailable),
        (503, "SlowDown", Unavailable),
        (500, "InternalError", Unavailable),
        (409, "OperationAborted", Unavailable),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_of_s3_becomes_an_error_of_ours(s3, stub, status, code, error):
    stub.add_client_error("get_object", code, "words of S3", http_status_code=status)
    with pytest.raises(error, match="s3://bkt/k.*" + code):
        S3ObjectStore(s3).read("s3://bkt/k")


@pytest.mark.parametrize(
    "trouble", [ReadTimeoutError(**URL), ConnectionClosedError(**URL)], ids=["slow", "closed"]
)
def test_a_connection_that_fails_is_unavailable(s3, trouble, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def fail(**_):
        raise trouble

    s3 = boto3.client("s3", region_name="us-east-1")
    s3.meta.events.register("before-send.s3", fail)
    store = S3ObjectStore(s3)
    (tmp_path / "f").write_bytes(b"x")
    for call in (
        lambda: store.read("s3://bkt/k"),
        lambda: store.write("s3://bkt/k", b""),
        lambda: list(store.list("s3://bkt/k")),
        lambda: store.upload(tmp_path / "f", "s3://bkt/k"),
        lambda: store.download("s3://bkt/k", tmp_path / "g"),
        lambda: store.remove("s3://bkt/k"),
    ):
        with pytest.raises(Unavailable):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_list_that_is_denied_is_refused_not_empty(s3, stub):
    stub.add_client_error("list_objects_v2", "AccessDenied", "x", http_status_code=403)
    with pytest.raises(Refused):
        list(S3ObjectStore(s3).list("s3://bkt"))


def test_writing_into_a_bucket_that_is_not_there_says_so(s3, stub):
    stub.add_client_error("put_object", "NoSuchBucket", "x", http_status_code=404)
    with pytest.raises(NotFound, match="NoSuchBucket"):
        S3ObjectStore(s3).write("s3://bkt/k", b"")


def test_a_list_goes_over_all_pages_and_asks_for_no_siblings(s3, stub):
    def entry(key):
        return {"Key": key, "Size": 1, "LastModified": "2026-05-01T12:00:00Z"}

    stub.add_response(
        "list_objects_v2",
        {"Contents": [entry("in-2")], "IsTruncated": True, "NextContinuationToken": "never"},
        {"Bucket": "bkt", "Prefix": "in", "MaxKeys": 1},
    )
    stub.add_response(
        "list_objects_v2",
        {"Contents": [entry("in/a")], "IsTruncated": True, "NextContinuationToken": "more"},
        {"Bucket": "bkt", "Prefix": "in/"},
    )
    stub.add_response(
        "list_objects_v2",
        {"Contents": [entry("in/b")], "IsTruncated": False},
        {"Bucket": "bkt", "Prefix": "in/", "ContinuationToken": "more"},
    )
    found = [info.uri for info in S3ObjectStore(s3).list("s3://bkt/in")]
    assert found == ["s3://bkt/in/a", "s3://bkt/in/b"]


def multipart_etag(content: bytes) -> str:
    parts = [content[n : n + PART_BYTES] for n in range(0, len(content), PART_BYTES)]
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'


def test_an_upload_has_the_etag_that_its_content_foretells(tmp_path):
    """Parts of 8 MiB, from 8 MiB on (specs: demand 8.3); below it is the content's own MD5."""
    with moto_account():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bkt")
        store = S3ObjectStore(s3)
        for size in (PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 5):
            content = bytes(size)
            (tmp_path / "f").write_bytes(content)
            store.upload(tmp_path / "f", "s3://bkt/k")
            plain = f'"{hashlib.md5(content).hexdigest()}"'
            expected = multipart_etag(content) if size >= PART_BYTES else plain
            assert s3.head_object(Bucket="bkt", Key="k")["ETag"] == expected
            store.download("s3://bkt/k", tmp_path / "g")
            assert (tmp_path / "g").read_bytes() == content


def test_a_failed_download_leaves_the_file_that_was_there(tmp_path):
    (tmp_path / "f").write_bytes(b"mine")
    with moto_account():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bkt")
        with pytest.raises(NotFound):
            S3ObjectStore(s3).download("s3://bkt/k", tmp_path / "f")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"mine")]
