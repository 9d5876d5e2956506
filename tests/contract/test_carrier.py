"""What every Carrier does: S3's over moto as a server, and that of folders."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from botocore.credentials import Credentials

from chalicelib.aws.buckets import Buckets
from chalicelib.aws.carrier import S3Carrier
from chalicelib.aws.s3_access import S3Access
from chalicelib.carriers import Carrier, Transfer
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.local.carrier import LocalCarrier
from chalicelib.local.object_store import LocalObjectStore
from tests.clouds.clients import client

MIB = 1024 * 1024


class Place(NamedTuple):
    """A carrier, and a bucket of its own."""

    carrier: Carrier
    bucket: str
    s3: Any = None
    """A client of S3; folders have none."""

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def keys(self, key: str = "") -> list[str]:
        uri = self.uri(key) if key else f"s3://{self.bucket}"
        return [entry.uri.removeprefix(self.uri("")) for entry in self.carrier.list(uri)]

    def fill(self, *keys: str) -> None:
        for key in keys:
            self.carrier.write(self.uri(key), key.encode())

    def bring(self, *pairs: tuple[str, str], **options: Any) -> list[str]:
        """Bring each source to its destination; return the sources in the order of their end."""
        arrived: list[str] = []
        listed = options.pop("listed", 0)
        self.carrier.transfer(
            (Transfer(source, destination, listed) for source, destination in pairs),
            concurrency=options.pop("concurrency", 4),
            done=lambda transfer: arrived.append(transfer.source),
            **options,
        )
        return arrived


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path):
    if request.param == "local":
        return Place(LocalCarrier(LocalObjectStore(tmp_path / "root")), "bkt")
    return s3_place(request)


@pytest.fixture
def s3(request):
    return s3_place(request)


def s3_place(request) -> Place:
    endpoint = request.getfixturevalue("moto_endpoint")
    bucket = f"bkt-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]}"
    boto = client("s3", endpoint)
    boto.create_bucket(Bucket=bucket)
    access = S3Access(endpoint, "us-east-1", Credentials("testing", "testing"))
    return Place(S3Carrier(Buckets(access), lambda: boto), bucket, boto)


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


# --- one by one


@pytest.mark.parametrize("size", [0, 4, 8 * MIB, 8 * MIB + 1, 19 * MIB])
def test_a_file_comes_back_byte_for_byte(place, tmp_path, size):
    (tmp_path / "f").write_bytes(content(size))
    place.bring((str(tmp_path / "f"), place.uri("a/b.bin")))
    place.bring((place.uri("a/b.bin"), place.uri("c")))
    place.bring((place.uri("c"), str(tmp_path / "new/folder/f")), listed=size)
    assert (tmp_path / "new/folder/f").read_bytes() == content(size)
    assert [path.name for path in (tmp_path / "new/folder").iterdir()] == ["f"]
    assert place.carrier.head(place.uri("c")).size_bytes == size


@pytest.mark.parametrize("size", [4, 19 * MIB])
def test_a_file_may_lie_where_names_are_not_utf8(place, tmp_path, size):
    path = tmp_path / os.fsdecode(b"odd\xff")
    path.write_bytes(content(size))
    place.bring((str(path), place.uri("k")))
    assert place.carrier.read(place.uri("k")) == content(size)


@pytest.mark.parametrize("listed", [0, 4, 19 * MIB, 40 * MIB])
@pytest.mark.parametrize("size", [0, 4, 19 * MIB])
def test_what_has_changed_since_it_was_listed_arrives_as_it_is(place, tmp_path, listed, size):
    (tmp_path / "f").write_bytes(content(size))
    place.bring((str(tmp_path / "f"), place.uri("k")), listed=listed)
    moved: list[int] = []
    place.bring((place.uri("k"), str(tmp_path / "g")), listed=listed, moved=moved.append)
    assert (tmp_path / "g").read_bytes() == content(size)
    assert sum(moved) == size


def test_what_is_written_can_be_read_and_is_replaced(place):
    place.carrier.write(place.uri("k"), b"first and longer")
    place.carrier.write(place.uri("k"), b"second", {"time-to-live": "scratch"})
    assert place.carrier.read(place.uri("k")) == b"second"
    with pytest.raises(NotFound):
        place.carrier.read(place.uri("no"))


def test_transfers_replace_what_is_there(place, tmp_path):
    place.fill("k", "l")
    for path in (tmp_path / "f", tmp_path / "g"):
        path.write_bytes(b"something longer than that")
    place.bring((place.uri("k"), str(tmp_path / "f")))
    assert (tmp_path / "f").read_bytes() == b"k"
    place.bring((str(tmp_path / "g"), place.uri("k")), (place.uri("l"), place.uri("m")))
    assert place.carrier.read(place.uri("k")) == b"something longer than that"
    assert place.carrier.read(place.uri("m")) == b"l"


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(place, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "f").symlink_to(tmp_path / "elsewhere")
    place.fill("k")
    place.bring((place.uri("k"), str(tmp_path / "f")))
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
    assert not (tmp_path / "f").is_symlink()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_only_regular_files_are_sent(place, tmp_path, kind):
    (tmp_path / "real").write_bytes(b"x")
    match kind:
        case "link":
            (tmp_path / "f").symlink_to(tmp_path / "real")
        case "folder":
            (tmp_path / "f").mkdir()
        case "pipe":
            os.mkfifo(tmp_path / "f")
    with pytest.raises(InvalidRequest):
        place.bring((str(tmp_path / "f"), place.uri("k")))
    assert place.keys() == []


def test_a_file_may_be_put_together_elsewhere(place, tmp_path):
    place.fill("k")
    place.bring((place.uri("k"), str(tmp_path / "new/f")), temporary=tmp_path / "temporary")
    assert (tmp_path / "new/f").read_bytes() == b"k"
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("in_the_way", ["a folder", "a file that should be one"])
def test_what_is_in_the_way_of_a_file_stays(place, tmp_path, in_the_way):
    place.fill("k")
    target = tmp_path / "out" / "f"
    if in_the_way == "a folder":
        (target / "deeper").mkdir(parents=True)
    else:
        (tmp_path / "out").write_bytes(b"x")
    with pytest.raises(InvalidRequest):
        place.bring((place.uri("k"), str(target)))
    assert list(tmp_path.rglob("*.partial")) in ([], [tmp_path / "root/s3/.partial"])
    assert (target / "deeper").is_dir() or (tmp_path / "out").read_bytes() == b"x"


# --- many at a time


def test_many_are_brought_and_each_is_told_once(place, tmp_path):
    names = [f"{number % 7}/{number}" for number in range(150)]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(name.encode())
    up = place.bring(*((str(tmp_path / "in" / name), place.uri(f"d/{name}")) for name in names))
    assert sorted(up) == sorted(str(tmp_path / "in" / name) for name in names)
    moved: list[int] = []
    place.bring(
        *((place.uri(f"d/{name}"), str(tmp_path / "out" / name)) for name in names),
        moved=moved.append,
    )
    assert {name: (tmp_path / "out" / name).read_text() for name in names} == {
        name: name for name in names
    }
    assert sum(moved) == sum(map(len, names))


def test_transfers_are_taken_up_as_they_can_be_done(place, tmp_path):
    """A source of a million files must not be read in advance."""
    place.fill("k")
    taken = ended = furthest = 0

    def transfers():
        nonlocal taken, furthest
        for number in range(60):
            taken += 1
            furthest = max(furthest, taken - ended)
            yield Transfer(place.uri("k"), str(tmp_path / "out" / str(number)), 1)

    def done(_transfer):
        nonlocal ended
        ended += 1

    place.carrier.transfer(transfers(), concurrency=3, done=done)
    assert ended == 60
    assert furthest <= 4


@pytest.mark.parametrize("direction", ["down", "up", "across"])
def test_the_first_failure_begins_nothing_more_and_is_raised(place, tmp_path, direction):
    place.fill("k")
    (tmp_path / "k").write_bytes(b"k")
    source, there = {
        "down": (place.uri("{}"), str(tmp_path / "out/{}")),
        "up": (str(tmp_path / "{}"), place.uri("out/{}")),
        "across": (place.uri("{}"), place.uri("out/{}")),
    }[direction]
    begun = []

    def pairs():
        for number in range(500):
            begun.append(number)
            name = "none" if number == 20 else "k"
            yield source.format(name), there.format(number)

    with pytest.raises(NotFound):
        place.carrier.transfer(
            (Transfer(one, other, 1) for one, other in pairs()),
            concurrency=4,
            done=lambda _: None,
        )
    assert 21 <= len(begun) < 400


def test_a_failure_of_whoever_is_told_ends_it_too(place, tmp_path):
    place.fill("k")

    def done(_transfer):
        raise KeyError("told")

    with pytest.raises(KeyError, match="told"):
        place.carrier.transfer(
            iter([Transfer(place.uri("k"), str(tmp_path / "f"), 1)]), concurrency=4, done=done
        )


def test_nothing_to_do_is_done(place):
    assert place.bring() == []


# --- lists


def test_a_list_holds_the_object_itself_and_what_is_below_but_no_siblings(place):
    place.fill("in/a.txt", "in/b/c", "in-2/a", "inn", "i", "in0")
    assert place.keys("in") == ["in/a.txt", "in/b/c"]
    assert place.keys("in/") == ["in/a.txt", "in/b/c"]
    assert place.keys("in/a.txt") == ["in/a.txt"]
    assert place.keys("in/a") == []
    assert place.keys() == ["i", "in-2/a", "in/a.txt", "in/b/c", "in0", "inn"]
    assert list(place.carrier.list("s3://nobodys-bucket")) == []


def test_an_entry_tells_size_and_time(place):
    place.carrier.write(place.uri("k"), b"12345")
    (entry,) = place.carrier.list(place.uri("k"))
    assert (entry.uri, entry.size_bytes) == (place.uri("k"), 5)
    assert abs(entry.modified_at - datetime.now(UTC)) < timedelta(minutes=1)
    found = place.carrier.head(place.uri("k"))
    assert found._replace(modified_at=entry.modified_at) == entry
    assert abs(found.modified_at - entry.modified_at) < timedelta(seconds=1)


def test_the_head_of_what_is_absent_or_a_folder_is_none(place):
    place.fill("a/b")
    assert place.carrier.head(place.uri("a")) is None
    assert place.carrier.head(place.uri("no")) is None


@pytest.mark.parametrize("uri", ["s3://bkt/../x", "s3://bkt/a//b", "s3://b", "bkt", "s3://bkt//"])
def test_a_list_of_a_bad_name_is_refused_at_once(place, uri):
    with pytest.raises(InvalidRequest):
        place.carrier.list(uri)


# --- removing


def test_removing_takes_these_and_no_others_and_does_not_mind_absent_ones(place):
    place.fill("a/b", "a/c", "a/d/e", "k")
    place.carrier.remove(place.uri(key) for key in ["a/b", "a/d/e", "no/such"])
    place.carrier.remove([place.uri("a/b"), "s3://nobodys-bucket/x"])
    assert place.keys() == ["a/c", "k"]


ODD = [
    "a b+c",
    "a%20b",
    "é/ü",
    "a#b?c=d&e",
    "a\tb",
    "a\x7fb",
    "[x]~^*`{}|<>\"'\\",
    "a:b,c;d@=$!()",
]


@pytest.mark.parametrize("key", ODD)
def test_a_key_stays_what_it_is(place, tmp_path, key):
    (tmp_path / "f").write_bytes(b"content")
    place.bring((str(tmp_path / "f"), place.uri(key)))
    assert place.keys() == [key]
    assert place.carrier.head(place.uri(key)).size_bytes == 7
    place.bring((place.uri(key), str(tmp_path / "out")), (place.uri(key), place.uri("other")))
    assert (tmp_path / "out").read_bytes() == b"content"
    assert place.carrier.read(place.uri("other")) == b"content"
    place.carrier.remove([place.uri(key)])
    assert place.keys() == ["other"]


# --- S3 alone


def test_a_folder_mark_is_neither_an_empty_file_nor_taken_for_one(s3):
    for key in ("in/", "in/a/", "in/a", "in//x", "in/../y"):
        s3.s3.put_object(Bucket=s3.bucket, Key=key, Body=b"")
    assert s3.keys("in") == ["in/", "in/../y", "in//x", "in/a", "in/a/"]
    s3.carrier.remove([s3.uri("in/a/"), s3.uri("in//x")])
    assert s3.keys("in") == ["in/", "in/../y", "in/a"]
    s3.bring((s3.uri("in/"), s3.uri("out/")))
    assert s3.keys("out") == ["out/"]


def test_more_than_a_page_is_listed_and_removed(s3, tmp_path):
    (tmp_path / "f").write_bytes(b"")
    names = [f"{number:04}" for number in range(1003)]
    s3.bring(*((str(tmp_path / "f"), s3.uri(f"d/{name}")) for name in names), concurrency=16)
    assert s3.keys("d") == [f"d/{name}" for name in names]
    s3.carrier.remove(s3.uri(f"d/{name}") for name in names)
    assert s3.keys("d") == []


def etag(size: int, part: int) -> str:
    digests = [
        hashlib.md5(content(size)[start : start + part]).digest() for start in range(0, size, part)
    ]
    return f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(digests)}"


def test_the_parts_are_8_mib_and_a_copy_has_the_same_etag(s3, tmp_path):
    size = 17 * MIB
    (tmp_path / "f").write_bytes(content(size))
    s3.bring((str(tmp_path / "f"), s3.uri("k")))
    s3.bring((s3.uri("k"), s3.uri("l")))
    assert [entry.etag for entry in s3.carrier.list(s3.uri("").rstrip("/"))] == [
        etag(size, 8 * MIB)
    ] * 2


def test_a_copy_of_an_object_in_other_parts_has_its_etag_and_type(s3):
    key = {"Bucket": s3.bucket, "Key": "k"}
    upload = {
        **key,
        "UploadId": s3.s3.create_multipart_upload(**key, ContentType="text/x")["UploadId"],
    }
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in ((1, content(5 * MIB)), (2, b"rest"))
    ]
    s3.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    s3.bring((s3.uri("k"), s3.uri("l")))
    assert s3.carrier.head(s3.uri("l")).etag == s3.carrier.head(s3.uri("k")).etag
    assert s3.s3.head_object(Bucket=s3.bucket, Key="l")["ContentType"] == "text/x"


def test_tags_are_put(s3):
    s3.carrier.write(s3.uri("k"), b"x", {"time-to-live": "scratch"})
    (tag,) = s3.s3.get_object_tagging(Bucket=s3.bucket, Key="k")["TagSet"]
    assert tag == {"Key": "time-to-live", "Value": "scratch"}


def test_an_upload_that_is_given_up_leaves_no_parts(s3, tmp_path):
    """The second of two transfers fails while the first is being sent."""
    (tmp_path / "large").write_bytes(content(64 * MIB))
    transfers = [(str(tmp_path / "large"), s3.uri("k")), (str(tmp_path / "none"), s3.uri("l"))]
    with pytest.raises(NotFound):
        s3.bring(*transfers)
    assert s3.s3.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", []) == []
    assert s3.keys() == []


def test_a_file_that_becomes_shorter_leaves_no_object(s3, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(content(40 * MIB))
    cut = threading.Event()

    def moved(_size_bytes):
        if not cut.is_set():
            cut.set()
            os.truncate(path, 9 * MIB)

    with pytest.raises(Exception, match="shorter"):
        s3.bring((str(path), s3.uri("k")), moved=moved)
    assert s3.keys() == []
    assert s3.s3.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", []) == []


def test_an_object_that_is_replaced_while_it_comes_leaves_no_file(s3, tmp_path):
    s3.s3.put_object(Bucket=s3.bucket, Key="k", Body=content(80 * MIB))
    replaced = threading.Event()

    def moved(_size_bytes):
        if not replaced.is_set():
            replaced.set()
            s3.s3.put_object(Bucket=s3.bucket, Key="k", Body=b"2" * 80 * MIB)

    with pytest.raises(Exception, match=r"(?i)precondition"):
        s3.bring((s3.uri("k"), str(tmp_path / "out/f")), moved=moved, listed=80 * MIB)
    assert list((tmp_path / "out").iterdir()) == []
