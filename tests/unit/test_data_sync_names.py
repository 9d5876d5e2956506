"""What files are called where they arrive, and the manifest beside them."""

from __future__ import annotations

import posixpath
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.data_sync.destinations import (
    arrives_at,
    checked_key,
    checked_name,
    folder_uri,
    is_bucket_root,
    name_below,
    refuse_file_and_folder,
)
from chalicelib.core.data_sync.manifest import (
    Manifest,
    ManifestFile,
    is_manifest,
    manifest_of,
    manifest_uri,
)
from chalicelib.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("remote", "is_folder", "uri", "manifest"),
    [
        ("s3://b/o", True, "s3://b/o/", "s3://b/o/.falsework-manifest.json"),
        ("s3://b/o/", True, "s3://b/o/", "s3://b/o/.falsework-manifest.json"),
        ("s3://b", True, "s3://b/", "s3://b/.falsework-manifest.json"),
        ("s3://b/o", False, "s3://b/o", "s3://b/o.falsework-manifest.json"),
        ("s3://b/o/", False, "s3://b/o/f.txt", "s3://b/o/f.txt.falsework-manifest.json"),
        ("s3://b", False, "s3://b/f.txt", "s3://b/f.txt.falsework-manifest.json"),
    ],
)
def test_an_output_and_its_manifest_have_one_place(remote, is_folder, uri, manifest):
    assert arrives_at(remote, "f.txt", is_folder=is_folder) == uri
    assert manifest_uri(uri) == manifest
    assert is_manifest(manifest)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("s3://b/in/a", "a"),
        ("s3://b/in/a/b", "a/b"),
        ("s3://b/in//a", "/a"),
        ("s3://b/in/", None),
        ("s3://b/in", None),
        ("s3://b/in2/a", None),
    ],
)
@pytest.mark.parametrize("folder", ["s3://b/in", "s3://b/in/"])
def test_siblings_are_not_below_a_folder(uri, name, folder):
    assert name_below(uri, folder) == name


@pytest.mark.parametrize(
    ("uri", "is_root"), [("s3://b", True), ("s3://b/", True), ("s3://b/k", False)]
)
def test_a_bucket_root_is_known(uri, is_root):
    assert is_bucket_root(uri) is is_root


def test_a_key_has_at_most_1024_bytes():
    assert checked_key("s3://bucket/" + "é" * 512, "x")
    with pytest.raises(InvalidRequest, match="1024"):
        checked_key("s3://bucket/" + "é" * 512 + "x", "x")


def test_a_name_part_has_at_most_255_bytes():
    assert checked_name("a/" + "x" * 255, "x")
    with pytest.raises(InvalidRequest, match="255"):
        checked_name("a/" + "é" * 128, "x")


@given(st.text("a./\0", max_size=8))
def test_law_a_name_that_passes_stays_below_its_folder_and_is_its_own_normal_form(name):
    try:
        assert checked_name(name, "origin") == name
    except InvalidRequest:
        return
    path = posixpath.normpath(f"/folder/{name}")
    assert path == f"/folder/{name}"
    assert path.startswith("/folder/")
    assert name_below(folder_uri("s3://b/x") + name, "s3://b/x") == name


@given(st.sets(st.text("ab/", min_size=1, max_size=5)))
def test_law_file_and_folder_of_one_name_are_refused(names):
    names = {name for name in names if "" not in name.split("/")}
    clash = any(other.startswith(f"{name}/") for name in names for other in names)
    if clash:
        with pytest.raises(InvalidRequest, match="no file system can hold both"):
            refuse_file_and_folder(names)
    else:
        refuse_file_and_folder(names)


def test_a_manifest_is_sorted_summed_up_and_comes_back_from_json():
    files = (
        ManifestFile(path="b", bytes=2, sha256="b" * 64),
        ManifestFile(path="a", bytes=3, sha256="a" * 64),
    )
    at = datetime(2026, 5, 4, tzinfo=UTC)
    manifest = manifest_of(files, run="r", param="p", source="fs-1:/x", created_at=at)
    assert manifest == Manifest(
        run="r",
        param="p",
        source="fs-1:/x",
        created_at=at,
        files=(files[1], files[0]),
        total_files=2,
        total_bytes=5,
    )
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
