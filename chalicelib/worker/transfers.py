"""Several files at a time, with a line of progress now and then.

The ports are used from several threads at once: implementations of ObjectStore must allow that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS: Final = 8
"""A request may ask for more. A worker has one or two cores and EFS gives throughput, not
latency, back to more of them; our choice."""

CHUNK_FILES: Final = 1000
"""After how many files a line of progress is written; also bounds what waits in memory."""


def say(line: str) -> None:
    """Write one line to the job's log, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def amount(files: int, size_bytes: int) -> str:
    """Return ``3 files, 1,024 bytes``."""
    return f"{files:,} {'file' if files == 1 else 'files'}, {size_bytes:,} bytes"


def in_parallel(
    work: Callable[[Item], Result], items: Sequence[Item], *, threads: int, name: str
) -> list[Result]:
    """Return ``work`` of every item, in their order; the first failure ends it, what runs apart.

    ``name`` is what the lines of progress begin with.
    """
    results: list[Result] = []
    with ThreadPoolExecutor(max(1, min(threads, MOST_THREADS))) as pool:
        for start in range(0, len(items), CHUNK_FILES):
            futures = [pool.submit(work, item) for item in items[start : start + CHUNK_FILES]]
            try:
                results.extend(future.result() for future in futures)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            if len(results) < len(items):
                say(f"{name}: {len(results):,} of {len(items):,} files")
    return results
