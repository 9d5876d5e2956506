"""The files of one output on their way to the object store, each with a note of what was stored.

A file is read for its checksum, uploaded, and looked at again: the note holds only if the file has
been the same all the time. A few files are read ahead of the uploads, so that neither waits.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from chalicelib.carriers import Carrier, Transfer
from chalicelib.core.data_sync.plan import Tally
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.output_tree import OutputFile
from chalicelib.worker.sync.progress import Progress
from chalicelib.worker.transfers import MOST_THREADS

READ_AHEAD: Final = 64
"""Files whose checksums wait for their uploads at most."""

Addressed = tuple[str, OutputFile]
"""A file and the URI that it goes to."""


class Stored(NamedTuple):
    """A file that is stored: as it was then."""

    uri: str
    version: tuple[int, int, int]
    """Bytes, modification time in nanoseconds, inode."""
    sha256: str


def upload(
    files: Sequence[Addressed],
    carrier: Carrier,
    stored: Mapping[str, Stored],
    *,
    label: str,
    concurrency: int,
) -> list[Stored]:
    """Upload all files; return what was stored, in their order.

    What is in ``stored``, by its URI, and has not changed since stays as it is. Raises
    InvalidRequest for a file that changes meanwhile.
    """
    total = Tally(len(files), sum(file.size_bytes for _, file in files))
    progress = Progress(label, total)
    with ThreadPoolExecutor(MOST_THREADS) as pool:
        uploads = _Uploads(files, stored, progress, pool)
        try:
            carrier.transfer(
                uploads.transfers(),
                concurrency=concurrency,
                done=uploads.arrived,
                moved=progress.bytes_done,
            )
        finally:
            pool.shutdown(cancel_futures=True)
    progress.finish()
    return [uploads.notes[uri] for uri, _ in files]


class _Uploads:
    """One pass through the files."""

    def __init__(
        self,
        files: Sequence[Addressed],
        stored: Mapping[str, Stored],
        progress: Progress,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.notes: dict[str, Stored] = {}
        self._files = dict(files)
        self._stored = stored
        self._progress = progress
        self._pool = pool

    def transfers(self) -> Iterator[Transfer]:
        """Yield those that have to be uploaded, each when its checksum is known."""
        for note in self._read_ahead():
            self.notes[note.uri] = note
            if note is self._stored.get(note.uri):
                self._progress.bytes_done(note.version[0])
                self._progress.file_done()
            else:
                yield Transfer(str(self._files[note.uri].path), note.uri, note.version[0])

    def arrived(self, transfer: Transfer) -> None:
        """Raise InvalidRequest if the file is not what was read before."""
        file = self._files[transfer.destination]
        if _version(file) != self.notes[transfer.destination].version:
            raise InvalidRequest(
                f"{file.name!r} changed while it was stored",
                value=file.name,
                mend="let the command end only when all of its processes have finished writing",
            )
        self._progress.file_done()

    def _read_ahead(self) -> Iterator[Stored]:
        waiting: deque[Future[Stored]] = deque()
        for uri, file in self._files.items():
            waiting.append(self._pool.submit(self._note, uri, file))
            if len(waiting) == READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _note(self, uri: str, file: OutputFile) -> Stored:
        version, known = _version(file), self._stored.get(uri)
        if known is not None and known.version == version:
            return known
        with file.path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return Stored(uri, version, digest)


def _version(file: OutputFile) -> tuple[int, int, int]:
    found = file.path.lstat()
    return found.st_size, found.st_mtime_ns, found.st_ino
