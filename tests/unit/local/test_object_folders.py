"""What only folders do: links, keys that S3 could hold, and what users see of a bucket."""

from __future__ import annotations

import os

import pytest

from chalicelib.core.errors import InvalidRequest, Unavailable
from chalicelib.local.object_store import LocalObjectStore


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root/s3/bkt").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def objects(root):
    return LocalObjectStore(root)


def test_an_object_is_a_file_of_its_bucket_that_users_may_put_and_take(root, objects):
    objects.write("s3://bkt/a/b c.txt", b"x")
    assert (root / "s3/bkt/a/b c.txt").read_bytes() == b"x"
    (root / "s3/bkt/dropped").write_bytes(b"y")
    assert objects.read("s3://bkt/dropped") == b"y"


def test_an_object_beside_the_keys_that_begin_with_it_is_refused_in_words(objects):
    objects.write("s3://bkt/a", b"x")
    with pytest.raises(InvalidRequest, match="cannot be held beside"):
        objects.write("s3://bkt/a/b", b"x")
    with pytest.raises(InvalidRequest, match="cannot be held beside"):
        objects.write("s3://bkt/a/b/c", b"x")
    objects.write("s3://bkt/d/e", b"x")
    with pytest.raises(InvalidRequest, match="cannot be held beside"):
        objects.write("s3://bkt/d", b"x")
    assert [each.uri for each in objects.list("s3://bkt")] == ["s3://bkt/a", "s3://bkt/d/e"]


def test_an_empty_folder_is_no_object_and_no_obstacle(root, objects):
    (root / "s3/bkt/a").mkdir()
    assert list(objects.list("s3://bkt")) == []
    objects.write("s3://bkt/a", b"x")
    assert objects.read("s3://bkt/a") == b"x"


@pytest.mark.parametrize("target", ["outside", "inside", "nothing"])
def test_links_are_not_followed_wherever_they_lead(root, objects, tmp_path, target):
    places = {
        "outside": tmp_path / "secret",
        "inside": root / "s3/bkt/real",
        "nothing": root / "no",
    }
    for place in ("outside", "inside"):
        places[place].mkdir()
        (places[place] / "f").write_bytes(b"secret")
    (root / "s3/bkt/link").symlink_to(places[target])
    (root / "s3/bkt/direct").symlink_to(places[target] / "f")
    for key in ("link/f", "direct", "link/new"):
        with pytest.raises(InvalidRequest, match="symbolic link"):
            objects.read(f"s3://bkt/{key}")
        with pytest.raises(InvalidRequest, match="symbolic link"):
            objects.write(f"s3://bkt/{key}", b"overwritten")
        with pytest.raises(InvalidRequest, match="symbolic link"):
            objects.remove(f"s3://bkt/{key}")
    with pytest.raises(InvalidRequest, match="symbolic link"):
        list(objects.list("s3://bkt"))
    assert (tmp_path / "secret/f").read_bytes() == b"secret"
    assert [path.name for path in (tmp_path / "secret").iterdir()] == ["f"]


def test_a_bucket_that_is_a_link_is_refused(root, objects, tmp_path):
    (tmp_path / "secret").mkdir()
    (root / "s3/evil").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidRequest, match="symbolic link"):
        objects.write("s3://evil/k", b"x")
    with pytest.raises(InvalidRequest, match="symbolic link"):
        list(objects.list("s3://evil"))


def test_a_root_that_lies_behind_a_link_is_used(root, tmp_path):
    (tmp_path / "by-another-name").symlink_to(root)
    LocalObjectStore(tmp_path / "by-another-name").write("s3://bkt/k", b"x")
    assert LocalObjectStore(root).read("s3://bkt/k") == b"x"


def test_a_file_whose_name_no_key_can_have_is_reported_not_left_out(root, objects):
    (root / os.fsdecode(b"s3/bkt/\xff")).write_bytes(b"x")
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        list(objects.list("s3://bkt"))


def test_a_pipe_in_a_bucket_is_reported_not_read(root, objects):
    os.mkfifo(root / "s3/bkt/pipe")
    with pytest.raises(InvalidRequest, match="not a regular file"):
        list(objects.list("s3://bkt"))


def test_a_write_that_fails_leaves_the_old_object(root, objects, monkeypatch):
    objects.write("s3://bkt/k", b"old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match="No space left"):
        objects.write("s3://bkt/k", b"new")
    assert objects.read("s3://bkt/k") == b"old"
    assert list((root / "s3/.partial").iterdir()) == []
