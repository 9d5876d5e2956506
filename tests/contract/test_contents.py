"""What every Contents does, and the links of the one that has any."""

from __future__ import annotations

import urllib.parse

import pytest

from chalicelib.aws.clients import Clients
from chalicelib.aws.contents import S3Contents
from chalicelib.core.data_sync.checksums import PART_BYTES
from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.local.contents import LocalContents
from chalicelib.local.object_store import LocalObjectStore
from tests.contract import aws_places

CONTENT = bytes(range(256)) * 3000


@pytest.fixture(params=["local", "s3"])
def places(request, tmp_path):
    """The store to write with, and the contents to read with."""
    if request.param == "local":
        store = LocalObjectStore(tmp_path / "root")
        yield store, LocalContents(store)
        return
    with aws_places.moto_account():
        yield aws_places.object_store("bkt"), S3Contents(aws_places.client("s3"), None)


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, None), (0, 1), (300_000, 300_000), (767_999, 1), (5, None), (0, 768_000)],
)
def test_any_part_comes_in_pieces(places, start, length):
    store, contents = places
    store.write("s3://bkt/a/b", CONTENT)
    pieces = list(contents.chunks("s3://bkt/a/b", start, length))
    end = None if length is None else start + length
    assert b"".join(pieces) == CONTENT[start:end]
    assert max(map(len, pieces)) <= 1024 * 1024


def test_an_empty_object_has_no_bytes(places):
    store, contents = places
    store.write("s3://bkt/a", b"")
    assert b"".join(contents.chunks("s3://bkt/a")) == b""


@pytest.mark.parametrize("uri", ["s3://bkt/nothing", "s3://nowhere/a"])
def test_what_is_not_there_is_not_found(places, uri):
    with pytest.raises(NotFound):
        list(places[1].chunks(uri))


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([], id="nothing"),
        pytest.param([3, 4], id="little"),
        pytest.param([PART_BYTES], id="one-part"),
        pytest.param([PART_BYTES - 1, 1, 5], id="a-part-and-a-rest"),
        pytest.param([2 * PART_BYTES + 7], id="a-piece-of-several-parts"),
    ],
)
def test_pieces_become_one_object(places, sizes):
    store, contents = places
    store.write("s3://bkt/place/other", b"")
    pieces = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    assert contents.put("s3://bkt/place/a", iter(pieces), sum(sizes)) == sum(sizes)
    assert store.read("s3://bkt/place/a") == b"".join(pieces)


@pytest.mark.parametrize("size", [3, PART_BYTES + 3], ids=["little", "much"])
def test_pieces_that_break_off_leave_what_was_there(places, size):
    store, contents = places
    store.write("s3://bkt/place/a", b"old")

    def pieces():
        yield bytes(size)
        raise Unavailable("it broke off")

    with pytest.raises(Unavailable, match="it broke off"):
        contents.put("s3://bkt/place/a", pieces(), 2 * size)
    assert store.read("s3://bkt/place/a") == b"old"
    assert [each.uri for each in store.list("s3://bkt")] == ["s3://bkt/place/a"]


def test_a_link_is_for_one_object_as_an_attachment_and_for_minutes():
    with aws_places.moto_account():
        clients = Clients("eu-central-1")
        contents = S3Contents(clients.get("s3"), clients.presigning())
        link = contents.link("s3://bkt/a b/ü.html", "ü.html", "text/html")
        clients.close()
    parts = urllib.parse.urlsplit(link)
    query = dict(urllib.parse.parse_qsl(parts.query))
    assert urllib.parse.unquote(parts.path).endswith("a b/ü.html")
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert (query["X-Amz-Expires"], query["response-content-type"]) == ("300", "text/html")
    assert query["response-content-disposition"] == "attachment; filename*=UTF-8''%C3%BC.html"
