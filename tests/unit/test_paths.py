"""The three kinds of data path (section 4 of the demand wire format)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import (
    data_path,
    efs_parts,
    efs_path,
    is_inside,
    join_s3,
    normal_path,
    path_kind,
    s3_parts,
    s3_path,
)

FS = "fs-0a1000000000000a"
PATHS = st.lists(st.sampled_from(["/", ".", "..", "a", "b c", "//"]), max_size=8).map("".join)


@pytest.mark.parametrize(
    ("text", "normal", "bucket", "key"),
    [
        ("s3://bkt", "s3://bkt", "bkt", ""),
        ("s3://bkt/", "s3://bkt/", "bkt", ""),
        ("s3://bkt//", "s3://bkt/", "bkt", ""),
        ("s3://bkt/a b", "s3://bkt/a b", "bkt", "a b"),
        ("s3://bkt//a//b", "s3://bkt/a/b", "bkt", "a/b"),
        ("s3://bkt/a/", "s3://bkt/a/", "bkt", "a/"),
        ("s3://B.k-t9/!_.*'()-&$@=;:+,?", "s3://B.k-t9/!_.*'()-&$@=;:+,?", "B.k-t9",
         "!_.*'()-&$@=;:+,?"),
        (f"s3://{'b' * 63}/k", f"s3://{'b' * 63}/k", "b" * 63, "k"),
    ],
)  # fmt: skip
def test_an_s3_path_has_a_normal_form(text: str, normal: str, bucket: str, key: str) -> None:
    assert s3_path(text) == normal
    assert s3_parts(text) == (bucket, key)


@pytest.mark.parametrize(
    "text",
    [
        "s3://b/x", "s3://bkt/a%20", "s3://bkt/a#1", "s3://bkt/é", "S3://bkt/k", "s3://${A}/k",
        "s3://bkt/${A}", "s3://", "s3:/bkt/k", "s3://-bkt/k", "s3://bkt-/k", "bkt/k", "",
        f"s3://{'b' * 64}/k", "s3://b_kt/k", "s3://bkt/k\n", " s3://bkt/k", "s3://bkt/a\\b",
    ],
)  # fmt: skip
def test_other_text_is_no_s3_path(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        s3_path(text)
    assert caught.value.mend


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"efs://{FS}:/x", (FS, "/x")),
        (f"efs://{FS}/x", (FS, "/x")),
        (f"{FS}:/x", (FS, "/x")),
        (f"{FS}:x", (FS, "/x")),
        (f"{FS}.efs.us-west-2.amazonaws.com:/x/y", (FS, "/x/y")),
        (f"efs://{FS}.efs.us-west-2.amazonaws.com/x", (FS, "/x")),
        (f"{FS}://x//./y/", (FS, "/x/y")),
        (f"{FS}:/", (FS, "/")),
        (f"efs://{FS}", (FS, "/")),
    ],
)
def test_every_spelling_of_an_efs_path_has_the_same_parts(
    text: str, parts: tuple[str, str]
) -> None:
    assert efs_parts(text) == parts
    assert path_kind(text) == "efs"
    assert data_path(text) == text
    assert efs_parts(efs_path(*parts)) == parts


@pytest.mark.parametrize(
    "text", [f"{FS}/x", "fsap-0a10000000000001:/x", "fs-0a1:/x", f"efs://{FS}x/y", "efs:/x", ""]
)
def test_other_text_is_no_efs_path(text: str) -> None:
    with pytest.raises(InvalidRequest):
        efs_parts(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("s3://bkt/k", "s3"), (f"{FS}:/x", "efs"), ("/a/b", "local"), (f"{FS}/x", "local"),
     ("a", "local"), ("S3://bkt/k", "local")],
)  # fmt: skip
def test_a_data_path_is_the_first_kind_that_fits(text: str, kind: str) -> None:
    assert path_kind(data_path(text)) == kind


@pytest.mark.parametrize("text", ["", "a\0b", "s3://b/x", "s3://bkt/é", "efs://nowhere/x"])
def test_a_spoiled_path_is_not_taken_for_a_local_one(text: str) -> None:
    with pytest.raises(InvalidRequest):
        data_path(text)


@pytest.mark.parametrize(
    ("path", "normal"),
    [("/a//b/", "/a/b"), ("/a/./b/.", "/a/b"), ("/a/../b", "/a/../b"), ("//a", "/a"), ("/", "/"),
     ("a/", "a"), ("./a", "a"), ("", "."), (".", "."), ("..", "..")],
)  # fmt: skip
def test_a_path_loses_what_says_nothing(path: str, normal: str) -> None:
    assert normal_path(path) == normal


@given(PATHS)
def test_the_normal_form_is_its_own(path: str) -> None:
    assert normal_path(normal_path(path)) == normal_path(path)


@given(st.text("ab/ ", max_size=8).map(lambda key: f"s3://bkt/{key}"))
def test_the_normal_form_of_s3_is_its_own(path: str) -> None:
    assert s3_path(s3_path(path)) == s3_path(path)


@pytest.mark.parametrize(
    ("path", "root", "is_so"),
    [("/a/b", "/a", True), ("/a", "/a", True), ("/ab", "/a", False), ("/a", "/", True),
     ("/a", "/a/b", False)],
)  # fmt: skip
def test_inside_goes_by_segments(path: str, root: str, is_so: bool) -> None:
    assert is_inside(path, root) is is_so


def test_joining_puts_one_slash_between() -> None:
    assert join_s3("s3://bkt/p/", "/a//b/") == "s3://bkt/p/a/b/"
    assert join_s3("s3://bkt", "a") == "s3://bkt/a"


@pytest.mark.parametrize(
    "text", ["s3://" + "a." * 200_000, "s3://bkt/" + "/ " * 200_000 + "#", "fs-" + "0" * 400_000,
             f"efs://{FS}.efs." + "-" * 400_000]
)  # fmt: skip
def test_no_text_makes_a_pattern_slow(text: str) -> None:
    start = time.perf_counter()
    for check in (s3_path, efs_parts, data_path):
        try:
            check(text)
        except InvalidRequest:
            continue
    assert time.perf_counter() - start < 2
