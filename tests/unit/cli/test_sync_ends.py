"""The two ends of ``falsework sync`` as they were typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.cli.complaints import Complaint
from chalicelib.cli.syncing import absolute


@pytest.mark.parametrize(
    "typed", ["", "S3://bucket/x", "s3:/bucket/x", "efs://fs-1/x", "fs-1:/x", "gs://bucket/x"]
)
def test_what_would_silently_be_a_folder_here_is_refused(typed):
    with pytest.raises(Complaint):
        absolute(typed)


@pytest.mark.parametrize(
    "typed",
    ["s3://bucket/a", "fs-0a1000000000000a:/x", "efs://fs-0a1000000000000a/x", "/a/b/", "/"],
)
def test_a_location_stays_as_it_is(typed):
    assert absolute(typed) == typed


@pytest.mark.parametrize(
    ("typed", "below"), [(".", ""), ("a/../b", "/b"), ("a/", "/a/"), ("./fs-1:/x", "/fs-1:/x")]
)
def test_a_path_here_begins_at_the_root(typed, below):
    assert absolute(typed) == f"{Path.cwd()}{below}"
