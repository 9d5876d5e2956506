"""What a page of a listing says, and what does not pass for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.aws.bucket_listing import read_page
from chalicelib.carriers import Entry
from chalicelib.core.errors import Unavailable


@pytest.mark.parametrize(
    "body",
    [b"", b"<ListBucketResult><Contents>", b"<html><p>Maintenance</p></html>", b"no XML"],
    ids=["nothing", "half of it", "something else", "no XML"],
)
def test_what_is_not_a_list_does_not_pass_for_an_empty_bucket(body):
    with pytest.raises(Unavailable):
        read_page(body, "bucket")


def test_a_page_is_read_however_it_is_laid_out():
    page = b"""<?xml version="1.0" encoding="UTF-8"?>
    <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
      <NextContinuationToken>t+/=</NextContinuationToken>
      <Contents>
        <Key>a+b%2F&amp;</Key> <LastModified>2026-01-01T00:00:00.000Z</LastModified>
        <ETag>&quot;e-2&quot;</ETag> <Size>5</Size> <Owner><ID>x</ID></Owner>
      </Contents>
      <Contents><LastModified>2026-01-01T00:00:00Z</LastModified><Size>0</Size><ETag/>
        <Key>c</Key></Contents>
      <KeyCount>2</KeyCount>
    </ListBucketResult>"""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    entries = [Entry("s3://bkt/a b/&", 5, at, "e-2"), Entry("s3://bkt/c", 0, at, None)]
    assert read_page(page, "bkt") == (entries, "t+/=")
