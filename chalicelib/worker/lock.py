"""One run at a time: an advisory lock beside a destination that several runs share.

The lock file is removed by its holder before it lets go. Whoever waited for that file then holds
a lock on a file that nobody else can find, while a third one makes a new file: so a lock counts
only if the name still leads to the file that was locked.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from chalicelib.core.errors import Unavailable
from chalicelib.worker.folders import make_folder_of
from chalicelib.worker.places import Place
from chalicelib.worker.transfers import say

LOCK_SUFFIX: Final = ".lock"
RETRY_SECONDS: Final = 5.0
TRIES: Final = 4320
"""Six hours in all, as the original waits (section 8.4 of the demand wire format)."""


def lock_file(place: Place) -> Path:
    """Return ``<destination>.lock``."""
    return place.path.with_name(f"{place.path.name}{LOCK_SUFFIX}")


@contextmanager
def locked(
    place: Place, *, retry_seconds: float = RETRY_SECONDS, tries: int = TRIES
) -> Iterator[None]:
    """Hold the destination's lock. Raises Unavailable if another one never lets go."""
    path = lock_file(place)
    make_folder_of(path, place)
    handle = _acquire(path, retry_seconds, tries)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(handle)


def _acquire(path: Path, retry_seconds: float, tries: int) -> int:
    for attempt in range(tries):
        handle = _try(path)
        if handle is not None:
            return handle
        if attempt == 0:
            say(f"waiting for {path}: another job writes there")
        time.sleep(retry_seconds)
    raise Unavailable(f"{path} is held by another job for too long")


def _try(path: Path) -> int | None:
    # EFS is NFS: there Linux makes a byte-range lock of flock, which needs a writable handle.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.lstat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None
