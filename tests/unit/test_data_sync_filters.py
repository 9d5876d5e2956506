"""Filters: full matches relative to the root of the sync; exclude wins; empty is everything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.requests import FilterConfig
from chalicelib.core.errors import InvalidRequest

PATHS = ["a.txt", "a.bam", "sub/a.txt", "sub/a.bam", "sub/deep/b.txt"]


def kept(config: dict | None, **where: str) -> list[str]:
    model = None if config is None else FilterConfig.model_validate(config)
    path_filter = PathFilter.of(model, **where)
    return [path for path in PATHS if path_filter.keeps(path)]


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"include": ""},
        {"include": [], "exclude": []},
        {"include": None, "exclude": ""},
        {"include": [""]},
        {"include": ".*"},
    ],
)
def test_no_filter_keeps_everything(config):
    assert kept(config) == PATHS


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"include": "a"}, []),
        ({"include": "a.txt"}, ["a.txt"]),
        ({"include": r".*\.txt"}, ["a.txt", "sub/a.txt", "sub/deep/b.txt"]),
        ({"include": ["a.txt", "sub/a.*"]}, ["a.txt", "sub/a.txt", "sub/a.bam"]),
        ({"exclude": "sub/.*"}, ["a.txt", "a.bam"]),
        ({"exclude": "sub"}, PATHS),
        ({"include": ".*", "exclude": [r".*\.bam"]}, ["a.txt", "sub/a.txt", "sub/deep/b.txt"]),
        ({"include": "a.txt", "exclude": "a.txt"}, []),
        ({"include": "a|a.txt"}, ["a.txt"]),
    ],
)
def test_patterns_match_the_whole_relative_path(config, expected):
    assert kept(config) == expected


@pytest.mark.parametrize(
    ("source", "root", "prefix"),
    [
        ("s3://b1b/in/sub/", "s3://b1b/in/", "sub/"),
        ("s3://b1b/in/sub", "s3://b1b/in", "sub/"),
        ("s3://b1b/in/sub", "s3://b1b", "in/sub/"),
        ("s3://b1b/in/", "s3://b1b/in", ""),
        ("s3://b1b/in/", None, ""),
        ("efs://fs-0a1000000000000a/x/y", "fs-0a1000000000000a:/x/", "y/"),
        ("/data/x/y", "/data", "x/y/"),
    ],
)
def test_a_filter_root_above_the_source_lengthens_the_paths(source, root, prefix):
    config = FilterConfig(include=prefix + "a.txt")
    path_filter = PathFilter.of(config, source, root)
    assert path_filter.keeps("a.txt")
    assert not path_filter.keeps("a.bam")


@pytest.mark.parametrize(
    ("source", "root"),
    [
        ("s3://b1b/in2", "s3://b1b/in"),
        ("s3://b1b/in", "s3://b1b/in/sub"),
        ("s3://b1b/in", "s3://b2b/in"),
        ("s3://b1b/in", "/in"),
    ],
)
def test_a_filter_root_that_does_not_contain_the_source_is_refused(source, root):
    with pytest.raises(InvalidRequest, match="does not contain") as refused:
        PathFilter.of(FilterConfig(include="x"), source, root)
    assert refused.value.field == "filter_root"


def test_a_single_file_is_matched_by_its_name_or_from_the_filter_root():
    path_filter = PathFilter.of(FilterConfig(include="a.txt"), "s3://b1b/in/a.txt")
    assert path_filter.keeps_single("a.txt")
    config = FilterConfig(include="in/a.txt")
    path_filter = PathFilter.of(config, "s3://b1b/in/a.txt", "s3://b1b")
    assert path_filter.keeps_single("a.txt")
    assert not path_filter._replace(prefix="").keeps_single("a.txt")


def test_a_pattern_that_does_not_compile_is_refused():
    spoiled = FilterConfig.model_construct(include="(", exclude=None)
    with pytest.raises(InvalidRequest) as refused:
        PathFilter.of(spoiled)
    assert (refused.value.field, refused.value.value) == ("filter_config.include", "(")


names = st.text("ab./", min_size=1, max_size=6)
literal = st.lists(names.map(re.escape), max_size=3)


@given(include=literal, exclude=literal, path=names)
def test_law_exclude_wins_and_include_is_needed(include, exclude, path):
    config = FilterConfig.model_validate({"include": include, "exclude": exclude})
    expected = re.escape(path) not in exclude and (not include or re.escape(path) in include)
    assert PathFilter.of(config).keeps(path) is expected
