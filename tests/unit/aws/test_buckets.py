"""What S3 is asked, and what its answers become: a server that only records and repeats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.credentials import Credentials

from chalicelib.aws.bucket_owners import expecting
from chalicelib.aws.buckets import OWNER_HEADER, Buckets, is_plain
from chalicelib.aws.carrier import S3Carrier
from chalicelib.aws.s3_access import S3Access
from chalicelib.carriers import Transfer
from chalicelib.core.errors import NotFound, Refused, TurnedAway, Unavailable
from tests.clouds.clients import client, closing_clients

OWNERS = {"ours": "123456789012"}
PAGE = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
STARTED = b"<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>"
COPIED = b"<CopyResult><ETag>e</ETag></CopyResult>"
ENDED = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"


class Recorder:
    """What was asked; ``status`` and ``body`` answer everything when they are set.

    Every object has the content ``body`` and the tag ``etag``.
    """

    def __init__(self):
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.status = 200
        self.body = b""
        self.etag = "e"
        self.knows_ranges = False
        self.broken_off = 0
        """So many answers to GET end in the middle of their content."""

    def answer(self, method: str, path: str) -> bytes:
        if self.status != 200:
            return self.body
        match method:
            case "GET" if "list-type" in path:
                return PAGE
            case "GET" | "HEAD":
                return self.body
            case "PUT":
                return COPIED
            case "POST":
                return STARTED if "uploads" in path else ENDED
        return b""


@contextmanager
def serving(recorder: Recorder) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments):
            """Say nothing."""

        def _answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.asked.append((self.command, self.path, headers))
            body = recorder.answer(self.command, self.path)
            asked = headers.get("range", "") if recorder.knows_ranges else ""
            whole = len(body)
            if asked:
                first, last = asked.removeprefix("bytes=").split("-")
                body = body[int(first) : int(last) + 1 if last else None]
            self.send_response(206 if asked else recorder.status)
            if asked:
                self.send_header(
                    "Content-Range", f"bytes {first}-{int(first) + len(body) - 1}/{whole}"
                )
            self.send_header("ETag", f'"{recorder.etag}"')
            self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET" and recorder.broken_off:
                recorder.broken_off -= 1
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            elif self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def carrier(recorder):
    with serving(recorder) as endpoint:
        access = S3Access(endpoint, "eu-west-1", Credentials("key", "secret", "token"))
        yield S3Carrier(Buckets(access, OWNERS), lambda: None)


def use(carrier: S3Carrier, bucket: str, tmp_path) -> None:
    """Ask for everything that does not go through boto3."""
    for size in (1, 9 * 1024 * 1024):
        (tmp_path / "f").write_bytes(b"x" * size)
        up = Transfer(str(tmp_path / "f"), f"s3://{bucket}/k", size)
        carrier.transfer([up], concurrency=1, done=lambda _: None)
    down = Transfer(f"s3://{bucket}/k", str(tmp_path / "g"), 0)
    carrier.transfer([down], concurrency=1, done=lambda _: None)
    list(carrier.list(f"s3://{bucket}/a"))
    carrier.head(f"s3://{bucket}/k")
    carrier.write(f"s3://{bucket}/k", b"", {"a": "b"})
    carrier.read(f"s3://{bucket}/k")


def test_every_request_for_a_bucket_whose_owner_is_known_names_him_and_signs_it(
    carrier, recorder, tmp_path
):
    use(carrier, "ours", tmp_path)
    assert {method for method, _, _ in recorder.asked} == {"GET", "PUT", "POST", "HEAD"}
    for _, path, headers in recorder.asked:
        assert headers.get(OWNER_HEADER) == "123456789012", path
        signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
        assert OWNER_HEADER in signed.split(";"), path
        assert headers["x-amz-security-token"] == "token"


def test_no_owner_is_named_for_other_buckets(carrier, recorder, tmp_path):
    use(carrier, "others", tmp_path)
    assert not any(OWNER_HEADER in headers for _, _, headers in recorder.asked)


def use_boto3(carrier: S3Carrier, ours: str, others: str, tmp_path) -> None:
    """Ask for everything that does go through boto3."""
    pairs = [(f"s3://{ours}/k", f"s3://{others}/l"), (f"s3://{others}/k", f"s3://{ours}/l")]
    for size in (1, 9 * 1024 * 1024):
        (tmp_path / f"{size}").write_bytes(b"x" * size)
        pairs.append((str(tmp_path / f"{size}"), f"s3://{ours}/a\tb"))
    pairs.append((f"s3://{ours}/a\tb", str(tmp_path / "g")))
    transfers = [Transfer(*pair, 0) for pair in pairs]
    carrier.transfer(transfers, concurrency=1, done=lambda _: None)
    carrier.remove([f"s3://{ours}/k", f"s3://{others}/k"])


@pytest.mark.parametrize("etag", ["e", "e-2"], ids=["in one piece", "in parts"])
def test_every_request_of_boto3_names_the_owners_of_both_ends(recorder, tmp_path, etag):
    recorder.etag, recorder.body = etag, bytes(9 * 1024 * 1024)
    with serving(recorder) as endpoint:
        s3 = expecting(OWNERS)(client("s3", endpoint))
        access = S3Access(endpoint, "us-east-1", Credentials("key", "secret"))
        with closing_clients(endpoint):
            use_boto3(S3Carrier(Buckets(access, OWNERS), lambda: s3), "ours", "others", tmp_path)
    copied = 0
    for method, path, headers in recorder.asked:
        expected = OWNERS["ours"] if path.startswith("/ours") else None
        assert headers.get(OWNER_HEADER) == expected, (method, path)
        source = headers.get("x-amz-copy-source", "")
        expected = OWNERS["ours"] if source.startswith("ours/") else None
        assert headers.get("x-amz-source-expected-bucket-owner") == expected, (method, path)
        copied += bool(source)
    assert copied == (2 if etag == "e" else 4)


SIZES = pytest.mark.parametrize("size", [4096, 9 * 1024 * 1024], ids=["small", "large"])


@SIZES
def test_a_download_that_breaks_off_every_time_is_unavailable_and_leaves_nothing(
    recorder, carrier, tmp_path, monkeypatch, size
):
    monkeypatch.setattr("chalicelib.aws.buckets.RETRIES", {"max_retries": 2})
    recorder.body, recorder.broken_off = bytes(size), 1000
    (tmp_path / "f").write_bytes(b"of before")
    down = Transfer("s3://bucket/k", str(tmp_path / "f"), size)
    with pytest.raises(Unavailable, match="s3://bucket/k"):
        carrier.transfer([down], concurrency=1, done=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"of before"


@SIZES
def test_a_download_that_breaks_off_once_is_tried_again(recorder, carrier, tmp_path, size):
    recorder.body, recorder.broken_off = bytes(range(256)) * (size // 256), 1
    recorder.knows_ranges = True
    down = Transfer("s3://bucket/k", str(tmp_path / "f"), size)
    carrier.transfer([down], concurrency=1, done=lambda _: None)
    assert (tmp_path / "f").read_bytes() == recorder.body


CALLS = {
    "read": lambda carrier: carrier.read("s3://bucket/k"),
    "head": lambda carrier: carrier.head("s3://bucket/k"),
    "write": lambda carrier: carrier.write("s3://bucket/k", b"x"),
    "list": lambda carrier: list(carrier.list("s3://bucket/k/")),
}


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param((403, "AccessDenied"), Refused, id="denied"),
        pytest.param((400, "InvalidRequest"), Refused, id="no"),
        pytest.param((403, "SignatureDoesNotMatch"), TurnedAway, id="our credentials"),
        pytest.param((400, "ExpiredToken"), TurnedAway, id="old credentials"),
    ],
)
def test_an_answer_is_translated_by_its_code(carrier, recorder, call, answer, error):
    recorder.status, code = answer
    recorder.body = f"<Error><Code>{code}</Code></Error>".encode()
    expected = Refused if call == "head" else error  # an answer to HEAD has no body
    with pytest.raises(expected):
        CALLS[call](carrier)


def test_what_is_not_there_is_not_found_and_lists_as_empty(carrier, recorder):
    recorder.status, recorder.body = 404, b"<Error><Code>NoSuchBucket</Code></Error>"
    for call in ("read", "write"):
        with pytest.raises(NotFound):
            CALLS[call](carrier)
    assert CALLS["list"](carrier) == []
    assert CALLS["head"](carrier) is None


def test_a_listing_is_asked_for_again_and_then_given_up(carrier, recorder, monkeypatch):
    monkeypatch.setattr("chalicelib.aws.bucket_listing._PAUSES_SECONDS", (0, 0))
    recorder.status, recorder.body = 503, b"<Error><Code>SlowDown</Code></Error>"
    with pytest.raises(Unavailable):
        CALLS["list"](carrier)
    assert len(recorder.asked) == 3


def test_a_large_object_comes_in_one_piece_from_a_store_that_knows_no_ranges(
    carrier, recorder, tmp_path
):
    """It is asked for a range once, and no answer of the whole is thrown away."""
    recorder.body = bytes(range(256)) * 40_000
    size = len(recorder.body)
    down = [Transfer("s3://bucket/k", str(tmp_path / name), size) for name in "fgh"]
    moved: list[int] = []
    carrier.transfer(down, concurrency=1, done=lambda _: None, moved=moved.append)
    assert {(tmp_path / name).read_bytes() for name in "fgh"} == {recorder.body}
    assert sum(moved) == 3 * size
    ranges = [headers.get("range") for _, _, headers in recorder.asked]
    assert ranges == ["bytes=0-8388607", None, None, None]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/b", True),
        ("é #%", True),
        ("a/", False),
        ("a//b", False),
        ("a\nb", False),
        ("../a", False),
    ],
)
def test_keys_that_obstore_would_change_or_refuse_are_known(key, expected):
    assert is_plain(key) is expected
