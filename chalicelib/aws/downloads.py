"""Objects to files, through obstore.

A small object comes in one request. A larger one comes in ranges, several at a time, each on the
condition that the object is still the one that the first answer described, and each is written to
its place in the file; so the memory that is needed does not depend on the size.
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
from chalicelib.core.errors import Unavailable
from chalicelib.core.object_names import ObjectName, parse_object

RANGE_BYTES: Final = 8 * 1024 * 1024
RANGES_AT_A_TIME: Final = 16
"""Of all objects together: 128 MiB in memory."""
RANGES_OF_ONE: Final = 8
STREAMED_BYTES: Final = 1024 * 1024
"""At least so much is written at a time."""


class Downloads:
    """What several threads bring down at a time; to be closed."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._ranges = ThreadPoolExecutor(RANGES_AT_A_TIME)
        self._knows_ranges: bool | None = None

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
            large = _Large(self._buckets, name, size, etag, descriptor)
            if self._has_ranges(large):
                self._bring(large, check, moved)
            else:
                large.stream(check, moved)

    def _has_ranges(self, large: _Large) -> bool:
        """Ask once for a byte: rclone's server answers ranges in a form that obstore refuses."""
        if self._knows_ranges is None:
            self._knows_ranges = large.has_ranges()
        return self._knows_ranges

    def _bring(
        self, large: _Large, check: Callable[[], None], moved: Callable[[int], None]
    ) -> None:
        starts = iter(range(0, large.size, RANGE_BYTES))
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

    def has_ranges(self) -> bool:
        """Tell whether the store sends parts of objects."""
        try:
            with talking(self._name.uri):
                self._get(range=(0, 1)).bytes()
        except Unavailable as exc:
            if "non-partial" in str(exc):
                return False
            raise
        return True

    def bring(self, start: int) -> int:
        """Bring the range that begins there; return its size. Unavailable if it has changed."""
        end = min(start + RANGE_BYTES, self.size)
        with talking(self._name.uri):
            content = self._get(range=(start, end)).bytes()
        self._check(len(content), end - start)
        write_all(self._descriptor, memoryview(content), start)
        return end - start

    def stream(self, check: Callable[[], None], moved: Callable[[int], None]) -> None:
        """Bring it in one piece that is never in memory as a whole."""
        at = 0
        with talking(self._name.uri):
            for chunk in self._get().stream(min_chunk_size=STREAMED_BYTES):
                write_all(self._descriptor, memoryview(chunk), at)
                at += len(chunk)
                moved(len(chunk))
                check()
        self._check(at, self.size)

    def _get(self, **options: tuple[int, int]) -> obstore.GetResult:
        asked = {"if_match": self._etag, **options}
        return obstore.get(self._store, self._name.key, options=asked)  # type: ignore[arg-type]

    def _check(self, came: int, asked: int) -> None:
        if came != asked:
            raise Unavailable(f"{self._name.uri}: {came} of {asked} bytes came")
