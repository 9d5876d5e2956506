"""What every ObjectStore does."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core.errors import InvalidRequest, NotFound
from tests.contract import aws_places
from tests.contract.openers import LocalOpener, in_processes


@pytest.fixture
def opener(tmp_path):
    """Where several processes write it is the folders that are tried; S3's own word is S3's."""
    return LocalOpener(tmp_path / "root")


@pytest.fixture(params=["local", "s3"])
def objects(request, tmp_path):
    if request.param == "local":
        yield LocalOpener(tmp_path / "root").open().objects
        return
    with aws_places.moto_account():
        yield aws_places.object_store("bkt")


def uris(objects, uri):
    return [each.uri.removeprefix("s3://bkt/") for each in objects.list(uri)]


def fill(objects, *keys):
    for key in keys:
        objects.write(f"s3://bkt/{key}", key.encode())


@pytest.mark.parametrize(
    "content", [b"", b"text", bytes(range(256)) * 5000], ids=["empty", "text", "binary"]
)
def test_an_object_comes_back_byte_for_byte(objects, tmp_path, content):
    objects.write("s3://bkt/a/b.bin", content)
    assert objects.read("s3://bkt/a/b.bin") == content
    objects.download("s3://bkt/a/b.bin", tmp_path / "new" / "folder" / "b")
    assert (tmp_path / "new/folder/b").read_bytes() == content
    objects.upload(tmp_path / "new/folder/b", "s3://bkt/c")
    assert objects.read("s3://bkt/c") == content


def test_writing_and_uploading_replace(objects, tmp_path):
    (tmp_path / "f").write_bytes(b"third")
    objects.write("s3://bkt/k", b"the first")
    objects.write("s3://bkt/k", b"second")
    assert objects.read("s3://bkt/k") == b"second"
    objects.upload(tmp_path / "f", "s3://bkt/k")
    assert objects.read("s3://bkt/k") == b"third"


def test_downloading_replaces_a_file_and_leaves_nothing_else(objects, tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / "f").write_bytes(b"something longer")
    objects.write("s3://bkt/k", b"new")
    objects.download("s3://bkt/k", folder / "f")
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("f", b"new")]


@pytest.mark.parametrize("uri", ["s3://bkt/a", "s3://bkt/a/b/c", "s3://bkt/no", "s3://none/a"])
def test_what_is_absent_is_not_found(objects, tmp_path, uri):
    """The beginning of a key is not an object, and neither is what would lie below one."""
    fill(objects, "a/b")
    with pytest.raises(NotFound):
        objects.read(uri)
    with pytest.raises(NotFound):
        objects.download(uri, tmp_path / "f")
    assert not (tmp_path / "f").exists()
    objects.remove(uri)
    assert uris(objects, "s3://bkt") == ["a/b"]


def test_uploading_what_is_not_a_file_is_refused(objects, tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InvalidRequest):
            objects.upload(path, "s3://bkt/k")
    assert uris(objects, "s3://bkt") == []


# --- lists


def test_a_list_is_in_the_order_of_the_keys_bytes_not_of_folders(objects):
    keys = ["a/b", "a-b", "a0", "a/b-c", "a/b/c"[:3] + "x/c", "a!", "B", "é", "z", "\U0001f600"]
    fill(objects, *keys)
    expected = sorted(set(keys), key=lambda key: key.encode())
    assert uris(objects, "s3://bkt") == expected
    assert expected.index("a-b") < expected.index("a/b") < expected.index("a0")


def test_a_list_holds_the_object_itself_and_what_is_below_but_no_siblings(objects):
    fill(objects, "in/a", "in/a.txt", "in/b/c", "in-2/a", "inn", "i")
    assert uris(objects, "s3://bkt/in") == ["in/a", "in/a.txt", "in/b/c"]
    assert uris(objects, "s3://bkt/in/") == ["in/a", "in/a.txt", "in/b/c"]
    assert uris(objects, "s3://bkt/in/a") == ["in/a"]
    assert uris(objects, "s3://bkt/in/a/") == []
    assert uris(objects, "s3://bkt/in/a/b") == []
    assert uris(objects, "s3://bkt/nothing") == []
    assert uris(objects, "s3://bkt/") == uris(objects, "s3://bkt")


def test_a_bucket_that_does_not_exist_lists_as_empty(objects):
    assert uris(objects, "s3://nowhere") == []
    assert uris(objects, "s3://nowhere/a/b") == []


def test_a_list_tells_size_and_time(objects):
    objects.write("s3://bkt/k", b"12345")
    (found,) = objects.list("s3://bkt/k")
    assert (found.uri, found.size_bytes) == ("s3://bkt/k", 5)
    assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_list_goes_as_deep_as_the_keys(objects):
    deep = "/".join("d" * 100)
    fill(objects, deep, "d/d/x")
    assert uris(objects, "s3://bkt") == [deep, "d/d/x"]


# --- removing


def test_a_removed_object_leaves_no_trace_and_no_obstacle(objects):
    fill(objects, "a/b/c", "k")
    objects.remove("s3://bkt/a/b/c")
    objects.remove("s3://bkt/a/b/c")
    assert uris(objects, "s3://bkt") == ["k"]
    fill(objects, "a", "k2")
    assert uris(objects, "s3://bkt") == ["a", "k", "k2"]


def test_removing_keeps_the_siblings(objects):
    fill(objects, "a/b", "a/c")
    objects.remove("s3://bkt/a/b")
    assert uris(objects, "s3://bkt") == ["a/c"]


# --- bad names


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bkt/../x",
        "s3://bkt/a/../../x",
        "s3://bkt/a/..",
        "s3://bkt/./x",
        "s3://bkt//x",
        "s3://bkt/a//x",
        "s3://bkt/a/",
        "s3://bkt//etc/passwd",
        "s3://bkt/a\0b",
        "s3://bkt/\ud800",
        "s3://bkt/" + "k" * 1025,
        "s3://bkt",
        "s3://bkt/",
        "s3://../x",
        "s3://./x",
        "s3://.partial/x",
        "s3:///etc/passwd",
        "s3://b/x",
        "s3://bk_t/x",
        "s3://" + "b" * 64 + "/x",
        "S3://bkt/x",
        "file:///etc/passwd",
        "/etc/passwd",
        "bkt/x",
        "",
    ],
)
def test_a_name_that_is_not_an_objects_is_refused_and_changes_nothing(objects, tmp_path, uri):
    (tmp_path / "f").write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    for call in (
        lambda: objects.read(uri),
        lambda: objects.write(uri, b"x"),
        lambda: objects.upload(tmp_path / "f", uri),
        lambda: objects.download(uri, tmp_path / "g"),
        lambda: objects.remove(uri),
    ):
        with pytest.raises(InvalidRequest):
            call()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("uri", ["s3://bkt/../x", "s3://bkt/a//b", "s3://b", "bkt", "s3://bkt//"])
def test_a_list_of_a_bad_name_is_refused_at_once(objects, uri):
    with pytest.raises(InvalidRequest):
        objects.list(uri)


# --- complete or absent


def write_by_turns(opener: LocalOpener, letter: str, times: int) -> None:
    objects = opener.open().objects
    for _ in range(times):
        objects.write("s3://bkt/k", letter.encode() * 300_000)


def test_a_reader_never_sees_a_part_of_an_object(opener, ports):
    ports.objects.write("s3://bkt/k", b"c" * 300_000)
    stop, seen, torn = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            content = ports.objects.read("s3://bkt/k")
            (size,) = [each.size_bytes for each in ports.objects.list("s3://bkt")]
            seen.add(content[:1])
            if len(content) != 300_000 or len(set(content)) != 1 or size != 300_000:
                torn.append((len(content), size))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        in_processes(write_by_turns, (opener, "a", 100), (opener, "b", 100))
    finally:
        stop.set()
        reader.join()
    assert torn == []
    assert seen & {b"a", b"b"}


def write_and_remove(opener: LocalOpener, number: int) -> None:
    objects = opener.open().objects
    for turn in range(60):
        objects.write(f"s3://bkt/a/b/{number}", b"x")
        if turn < 59:
            objects.remove(f"s3://bkt/a/b/{number}")


def test_writing_and_removing_side_by_side_lose_nothing(opener, ports):
    in_processes(write_and_remove, *[(opener, number) for number in range(3)])
    assert uris(ports.objects, "s3://bkt") == ["a/b/0", "a/b/1", "a/b/2"]
