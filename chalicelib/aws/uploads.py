"""Files to objects, through obstore.

A small file is read whole and put in one request. A larger one goes up in parts, several at a
time, and becomes an object when the last request says so; when that does not come to pass, obstore
takes the parts back, for it is told by an exception out of the iterator that it reads. (A call
that is merely cancelled leaves them behind.) What a killed process leaves is the lifecycle rule's:
AbortIncompleteMultipartUpload.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Final

import obstore

from chalicelib.aws.buckets import Buckets, talking
from chalicelib.aws.local_files import opened_to_read
from chalicelib.core.data_sync.checksums import PART_BYTES, part_bytes
from chalicelib.core.errors import Unavailable
from chalicelib.core.object_names import parse_object

LARGE_AT_A_TIME: Final = 4
PARTS_AT_A_TIME: Final = 4
"""So there are at most 16 parts in memory, of 8 MiB each up to a size of 80 GB; with more of them
nothing became faster on loopback, and S3 gives each connection some 90 MB/s (Amazon S3 user guide,
"Performance design patterns")."""


class Uploads:
    """What several threads put up at a time."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._large = threading.BoundedSemaphore(LARGE_AT_A_TIME)

    def upload(
        self, path: str, uri: str, check: Callable[[], None], moved: Callable[[int], None]
    ) -> None:
        """Put the file's content as it is now. ``check`` may raise, between two parts."""
        with opened_to_read(path) as descriptor:
            size = os.fstat(descriptor).st_size
            if size > PART_BYTES:
                with self._large:
                    self._put_parts(descriptor, size, uri, check, moved)
                return
            content = _read(descriptor, size, 0, path)
            self.put(uri, content)
        moved(size)

    def put(self, uri: str, content: bytes, tags: dict[str, str] | None = None) -> None:
        """Put these bytes."""
        name = parse_object(uri)
        with talking(uri):
            obstore.put(
                self._buckets.store(name.bucket), name.key, content, tags=tags, use_multipart=False
            )

    def _put_parts(
        self,
        descriptor: int,
        size: int,
        uri: str,
        check: Callable[[], None],
        moved: Callable[[int], None],
    ) -> None:
        name, part = parse_object(uri), part_bytes(size)

        def parts() -> Iterator[bytes]:
            for start in range(0, size, part):
                check()
                yield _read(descriptor, min(part, size - start), start, uri)
                moved(min(part, size - start))

        with talking(uri):
            obstore.put(
                self._buckets.store(name.bucket),
                name.key,
                parts(),
                use_multipart=True,
                chunk_size=part,
                max_concurrency=PARTS_AT_A_TIME if part == PART_BYTES else 2,
            )


def _read(descriptor: int, size: int, start: int, what: str) -> bytes:
    content = os.pread(descriptor, size, start)
    while len(content) < size:  # a network file system may give less at a time
        more = os.pread(descriptor, size - len(content), start + len(content))
        if not more:
            raise Unavailable(f"{what}: the file became shorter while it was read")
        content += more
    return content
