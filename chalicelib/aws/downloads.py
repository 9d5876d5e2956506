"""Objects to files, through obstore.

A small object comes in one request. A larger one comes in ranges, several at a time, each on the
condition that the object is still the one that the first answer described, and each is written to
its place in the file; so the memory that is needed does not depend on the size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Final

import obstore

from chalicelib.aws.buckets import Buckets, talking
from chalicelib.aws.local_files import replacing, write_all
from chalicelib.core.errors import Unavailable
from chalicelib.core.object_names import ObjectName, parse_object

RANGE_BYTES: Final = 8 * 1024 * 1024
RANGES_AT_A_TIME: Final = 16
"""Of all objects together: 128 MiB in memory."""
RANGES_OF_ONE: Final = 8


class Downloads:
    """What several threads bring down at a time; to be closed."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._ranges = ThreadPoolExecutor(RANGES_AT_A_TIME)

    def close(self) -> None:
        """Wait for ranges that are under way, and end the threads."""
        self._ranges.shutdown(cancel_futures=True)

    def download(
        self,
        uri: str,
        path: str,
        temporary: Path | None,
        check: Callable[[], None],
        moved: Callable[[int], None],
    ) -> None:
        """Bring the object to the file. ``check`` may raise, between two ranges."""
        name = parse_object(uri)
        with talking(uri):
            answer = obstore.get(self._buckets.store(name.bucket), name.key)
            size, etag = answer.meta["size"], answer.meta["e_tag"]
            content = answer.bytes() if size <= RANGE_BYTES else None
        with replacing(path, temporary) as descriptor:
            if content is not None:
                write_all(descriptor, memoryview(content))
                moved(size)
                return
            del answer  # with its connection: it would go on sending
            ranges = _Ranges(self._buckets, name, etag, descriptor)
            self._bring(ranges, size, check, moved)

    def _bring(
        self,
        ranges: _Ranges,
        size: int,
        check: Callable[[], None],
        moved: Callable[[int], None],
    ) -> None:
        starts = iter(range(0, size, RANGE_BYTES))
        under_way: set[Future[int]] = set()
        try:
            while True:
                free = RANGES_OF_ONE - len(under_way)
                for start in islice(starts, free):
                    end = min(start + RANGE_BYTES, size)
                    under_way.add(self._ranges.submit(ranges.bring, start, end))
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


class _Ranges:
    """The parts of one object on their way into one file."""

    def __init__(
        self, buckets: Buckets, name: ObjectName, etag: str | None, descriptor: int
    ) -> None:
        self._store = buckets.store(name.bucket)
        self._name = name
        self._etag = etag
        self._descriptor = descriptor

    def bring(self, start: int, end: int) -> int:
        """Bring these bytes; return how many. Raises Unavailable if the object has changed."""
        at = start
        for chunk in self._chunks(start, end):
            write_all(self._descriptor, chunk, at)
            at += len(chunk)
        if at != end:
            raise Unavailable(f"{self._name.uri}: {at - start} of {end - start} bytes came")
        return end - start

    def _chunks(self, start: int, end: int) -> Iterator[memoryview]:
        with talking(self._name.uri):
            options = {"range": (start, end), "if_match": self._etag}
            answer = obstore.get(self._store, self._name.key, options=options)  # type: ignore[arg-type]
            yield memoryview(answer.bytes())
