"""An object of many pieces: its parts, what is taken back, and how little is in memory."""

from __future__ import annotations

import gc
import random
import tracemalloc
from itertools import repeat

import pytest

from chalicelib.aws.piecewise import put_pieces
from chalicelib.core.errors import Unavailable
from chalicelib.core.flowserv.archive import Member, archived, most_bytes

MIB = 1024 * 1024


class CountingS3:
    """S3 that keeps nothing but what it was asked."""

    def __init__(self, fails_at: int = 0, cannot_abort: bool = False) -> None:
        self.asked: list[str] = []
        self.sizes: list[int] = []
        self.completed: list[int] = []
        self._fails_at = fails_at
        self._cannot_abort = cannot_abort

    def put_object(self, **asked):
        self.asked.append("put")
        self.sizes.append(len(asked["Body"].read()))

    def create_multipart_upload(self, **_):
        self.asked.append("create")
        return {"UploadId": "u1"}

    def upload_part(self, **asked):
        if asked["PartNumber"] == self._fails_at:
            raise Unavailable("S3 is away")
        self.sizes.append(len(asked["Body"].read()))
        return {"ETag": f"e{asked['PartNumber']}"}

    def complete_multipart_upload(self, **asked):
        self.asked.append("complete")
        self.completed = [part["PartNumber"] for part in asked["MultipartUpload"]["Parts"]]

    def abort_multipart_upload(self, **_):
        self.asked.append("abort")
        if self._cannot_abort:
            raise Unavailable("S3 is away again")


@pytest.mark.parametrize(
    ("pieces", "asked", "sizes"),
    [
        pytest.param([], ["put"], [0], id="nothing"),
        pytest.param([3, 4], ["put"], [7], id="less-than-a-part"),
        pytest.param([6, 4], ["create", "complete"], [10], id="a-part"),
        pytest.param([6, 6, 13], ["create", "complete"], [10, 10, 5], id="parts-and-a-rest"),
        pytest.param([20], ["create", "complete"], [10, 10], id="a-piece-of-two-parts"),
    ],
)
def test_parts_are_full_but_for_the_last(pieces, asked, sizes):
    s3 = CountingS3()
    assert put_pieces(s3, "s3://bkt/a", (bytes(each) for each in pieces), 10) == sum(pieces)
    assert (s3.asked, s3.sizes) == (asked, sizes)
    assert s3.completed == list(range(1, len(sizes) + 1)) * ("complete" in asked)


@pytest.mark.parametrize("cannot_abort", [False, True], ids=["taken-back", "left"])
def test_parts_of_an_upload_that_fails_are_taken_back(cannot_abort):
    s3 = CountingS3(fails_at=2, cannot_abort=cannot_abort)
    with pytest.raises(Unavailable, match=r"^S3 is away$"):
        put_pieces(s3, "s3://bkt/a", repeat(bytes(10), 3), 10)
    assert s3.asked == ["create", "abort"]


def peak_of(mib):
    """What packing so much into parts of a MiB holds in memory at most, and the parts."""

    chunks = (random.Random(number).randbytes(MIB // 4) for number in range(4 * mib))
    s3 = CountingS3()
    gc.collect()
    tracemalloc.start()
    try:
        member = Member("a", mib * MIB, chunks)
        size = put_pieces(s3, "s3://bkt/a", archived([member]), MIB)
        return tracemalloc.get_traced_memory()[1], size
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_what_is_packed():
    (little, _), (much, size) = peak_of(4), peak_of(24)
    assert size > 24 * MIB
    assert much < little + MIB // 4
    assert much < 4 * MIB


@pytest.mark.parametrize(
    ("size", "name"), [(0, "a"), (3_000_000, "a"), (5, "d/" * 500 + "ü" * 20)]
)
def test_an_archive_is_never_larger_than_was_said(size, name):

    content = random.Random(1).randbytes(size)
    made = sum(map(len, archived([Member(name, size, [content])])))
    assert made <= most_bytes(size, 1)
