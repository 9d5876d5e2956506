"""Objects to files, through obstore.

A small object comes in one request. One that was listed as larger comes in ranges, several at a
time: the first tells what the object is now, and the others come on the condition that it still
is. Each is written to its place in the file, so the memory that is needed does not depend on the
size. A store that answers a range as if it were the whole (rclone's server: status 200, which
obstore refuses) is asked for the whole, which is written as it comes; so is an object that has
become large since it was listed. No answer is thrown away but that first refused one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Final

import obstore

from chalicelib.aws.buckets import Buckets, talking
from chalicelib.aws.local_files import replacing, write_all
from chalicelib.carriers import Transfer
from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.object_names import ObjectName, parse_object

RANGE_BYTES: Final = 8 * 1024 * 1024
RANGES_AT_A_TIME: Final = 16
"""Of all objects together: 128 MiB in memory."""
RANGES_OF_ONE: Final = 8
STREAMED_BYTES: Final = 128 * 1024
"""At least so much is written at a time; with 1 MiB it took a fifth more of processor time."""


class Downloads:
    """What several threads bring down at a time; to be closed."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._ranges = ThreadPoolExecutor(RANGES_AT_A_TIME)
        self._has_ranges = True
        """Until the store has shown that it has not."""

    def close(self) -> None:
        """Wait for ranges that are under way, and end the threads."""
        self._ranges.shutdown(cancel_futures=True)

    def download(
        self,
        transfer: Transfer,
        temporary: Path | None,
        check: Callable[[], None],
        moved: Callable[[int], None],
    ) -> None:
        """Bring the object to the file. ``check`` may raise, between two pieces."""
        name = parse_object(transfer.source)
        answer = self._begun(name, transfer.size_bytes)
        end, size = answer.range[1], answer.meta["size"]
        content = None
        if end <= RANGE_BYTES:  # before there is a file: what does not come leaves none
            with talking(name.uri):
                content = answer.bytes()
        with replacing(transfer.destination, temporary) as descriptor:
            if content is None:
                _stream(answer, name, descriptor, check, moved)
                return
            write_all(descriptor, memoryview(content))
            moved(end)
            if end < size:
                large = _Large(self._buckets, name, size, answer.meta["e_tag"], descriptor)
                self._bring(large, end, check, moved)

    def _begun(self, name: ObjectName, listed_bytes: int) -> obstore.GetResult:
        """Ask for the first range or the whole; the answer's ``range`` tells which it is."""
        store = self._buckets.store(name.bucket)
        if listed_bytes > RANGE_BYTES and self._has_ranges:
            try:
                with talking(name.uri):
                    return obstore.get(store, name.key, options={"range": (0, RANGE_BYTES)})
            except Unavailable as exc:
                if "non-partial" not in str(exc):
                    raise
                self._has_ranges = False
            except Refused as exc:
                if "InvalidRange" not in str(exc):  # it is empty now
                    raise
        with talking(name.uri):
            return obstore.get(store, name.key)

    def _bring(
        self, large: _Large, first: int, check: Callable[[], None], moved: Callable[[int], None]
    ) -> None:
        starts = iter(range(first, large.size, RANGE_BYTES))
        under_way: set[Future[int]] = set()
        try:
            while True:
                free = RANGES_OF_ONE - len(under_way)
                for start in islice(starts, free):
                    under_way.add(self._ranges.submit(large.bring, start))
                if not under_way:
                    return
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ended:
                    moved(future.result())
                check()
        finally:  # nobody may write into the descriptor once it is closed
            for future in under_way:
                future.cancel()
            wait(under_way)


class _Large:
    """An object that does not fit the memory, on its way into a file."""

    def __init__(
        self, buckets: Buckets, name: ObjectName, size: int, etag: str | None, descriptor: int
    ) -> None:
        self.size = size
        self._store = buckets.store(name.bucket)
        self._name = name
        self._etag = etag
        self._descriptor = descriptor

    def bring(self, start: int) -> int:
        """Bring the range that begins there; return its size. Unavailable if it has changed."""
        end = min(start + RANGE_BYTES, self.size)
        with talking(self._name.uri):
            content = self._get(range=(start, end)).bytes()
        _check(self._name, len(content), end - start)
        write_all(self._descriptor, memoryview(content), start)
        return end - start

    def _get(self, **options: tuple[int, int]) -> obstore.GetResult:
        asked = {"if_match": self._etag, **options}
        return obstore.get(self._store, self._name.key, options=asked)  # type: ignore[arg-type]


def _stream(
    answer: obstore.GetResult,
    name: ObjectName,
    descriptor: int,
    check: Callable[[], None],
    moved: Callable[[int], None],
) -> None:
    """Write an object that is never in memory as a whole."""
    at = 0
    with talking(name.uri):
        for chunk in answer.stream(min_chunk_size=STREAMED_BYTES):
            write_all(descriptor, memoryview(chunk), at)
            at += len(chunk)
            moved(len(chunk))
            check()
    _check(name, at, answer.meta["size"])


def _check(name: ObjectName, came: int, asked: int) -> None:
    if came != asked:
        raise Unavailable(f"{name.uri}: {came} of {asked} bytes came")
