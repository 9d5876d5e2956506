"""The watched folder ``ROOT/s3/<requests bucket>/requests`` and its receipts.

A version of a file is its content (SHA-256). Who scans holds the home's lock, so nobody else
writes receipts.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from chalicelib import kinds, request_files
from chalicelib.core.errors import NotFound, StaleRun, Unavailable
from chalicelib.core.receipts import RECEIPTS, REQUESTS, is_request_name
from chalicelib.ports import ObjectStore, Ports
from chalicelib.request_files import RequestFile, Stored, Submit

SETTLE_SECONDS: Final = 0.5
"""A file that was written to more recently may not be finished."""

log = logging.getLogger(__name__)


class Stamp(NamedTuple):
    """What tells, without reading, whether a file changed."""

    modified_ns: int
    size_bytes: int
    inode: int


class LocalReceipts:
    """The Receipts of the embedded home."""

    def __init__(self, objects: ObjectStore, bucket: str) -> None:
        self._objects = objects
        self._prefix = f"s3://{bucket}/{RECEIPTS}"

    def load(self, name: str) -> Stored:
        """Return the receipt."""
        try:
            return Stored(self._objects.read(self._prefix + name), None)
        except NotFound:
            return Stored(None, None)

    def save(self, name: str, content: bytes, tag: str | None) -> None:  # noqa: ARG002
        """Write it; only the holder of the home's lock does."""
        self._objects.write(self._prefix + name, content)


class RequestFiles:
    """The watched folder of one home."""

    def __init__(self, root: Path, ports: Ports, submit: Submit = kinds.submit) -> None:
        self._ports = ports
        self._submit = submit
        self._bucket = ports.site.requests_bucket
        self._receipts = LocalReceipts(ports.objects, self._bucket)
        self._folder = root.resolve() / "s3" / self._bucket / REQUESTS
        self._known: dict[str, Stamp] = {}
        self._unsettled: dict[str, Stamp] = {}

    def scan(self) -> int:
        """Take in what is new and finished; return how many files that were."""
        self._folder.mkdir(parents=True, exist_ok=True)
        taken = 0
        for path, stamp in _files(self._folder):
            name = path.relative_to(self._folder).as_posix()
            if self._known.get(name) == stamp or not self._is_settled(name, stamp):
                continue
            taken += self._take(name, path, stamp)
        return taken

    def _is_settled(self, name: str, stamp: Stamp) -> bool:
        """A file from the future (a clock that was set back) is settled once it rests."""
        age = time.time() - stamp.modified_ns / 1e9
        is_at_rest = self._unsettled.get(name) == stamp
        if age >= SETTLE_SECONDS or (age < 0 and is_at_rest):
            self._unsettled.pop(name, None)
            return True
        self._unsettled[name] = stamp
        return False

    def _take(self, name: str, path: Path, stamp: Stamp) -> bool:
        """Answer the file's version in its receipt, unless it is there; try again if it is not
        known what became of it."""
        try:
            request_files.answer(self._read(name, path), self._receipts, self._ports, self._submit)
        except (Unavailable, StaleRun, FileNotFoundError):
            log.warning("request file %r comes again", name, exc_info=True)
            return False
        except Exception:
            log.exception("request file %r cannot be taken in", name)
        self._known[name] = stamp
        return True

    def _read(self, name: str, path: Path) -> RequestFile:
        content, version = _read(path, request_files.limit_bytes(name))
        uri = f"s3://{self._bucket}/{REQUESTS}{name}"
        return RequestFile(name, uri, version, content, path.stat().st_size)


def _files(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield the request files below; links, pipes and the like are none."""
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place, name)
            with suppress(FileNotFoundError):
                status = path.lstat()
                if is_request_name(name) and stat.S_ISREG(status.st_mode):
                    yield path, Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def _read(path: Path, limit_bytes: int) -> tuple[bytes | None, str]:
    """Return the content, unless it is too large to be a request, and its version.

    What is larger than any request may be is not even read to its end, which would keep every
    run waiting: its size, its time and its beginning tell its versions apart.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        content = file.read(request_files.BULK_BYTES + 1)
        status = os.fstat(file.fileno())
    version = hashlib.sha256(content)
    if len(content) > request_files.BULK_BYTES:
        version.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    is_small = len(content) <= limit_bytes
    return content if is_small else None, version.hexdigest()
