"""Many objects and files at a time: what a data sync needs of a home, and the engine does not.

A port like those in ``ports.py``: ``aws/carrier.py`` and ``local/carrier.py`` implement it, and
one contract suite runs over both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One object of a carrier's listing."""

    uri: str
    size_bytes: int
    modified_at: datetime
    etag: str | None
    """Without quotes; None where the store has none."""


class Transfer(NamedTuple):
    """One file to bring. Each end is ``s3://bucket/key`` or an absolute path, never both paths."""

    source: str
    destination: str
    size_bytes: int
    """As it was listed; what is there when it is read is what arrives."""


class Carrier(Protocol):
    """What moves files between the object store and folders, many at a time.

    Names are those of ``ObjectStore``; it may be called from several threads.
    """

    def list(self, uri: str) -> Iterator[Entry]:
        """Yield the object at exactly ``uri``, if any, and those below ``uri`` + ``/``, by key.

        Page by page, so that memory does not grow; otherwise as ``ObjectStore.list``. Keys that
        no file can be named after are listed too.
        """
        ...

    def head(self, uri: str) -> Entry | None:
        """Return what is at exactly ``uri``."""
        ...

    def transfer(
        self,
        transfers: Iterable[Transfer],
        *,
        concurrency: int,
        done: Callable[[Transfer], None],
        moved: Callable[[int], None] = lambda _size_bytes: None,
        temporary: Path | None = None,
    ) -> None:
        """Bring them all; each destination is complete or absent, and replaced if it was there.

        ``transfers`` is read as they are taken up, ``done`` is told each one that has arrived and
        ``moved`` the bytes that have passed since it was told before, neither of them twice at a
        time. A file appears by a rename, out of the folder ``temporary`` or else its own, which
        is made; **whether that folder may be written to is the caller's business**. No link is
        followed at a file's own name. The first failure lets no other transfer begin, waits for
        those under way and is raised: NotFound for a source that is not there, InvalidRequest for
        a destination that can hold no such file, Refused for what the store will never allow.
        """
        ...

    def remove(self, uris: Iterable[str]) -> None:
        """Remove these objects; nothing happens to those that are not there."""
        ...

    def read(self, uri: str) -> bytes:
        """Return the object's content. Raises NotFound."""
        ...

    def write(self, uri: str, content: bytes, tags: Mapping[str, str] | None = None) -> None:
        """Put the object, replacing one that is there; a store without tags ignores them."""
        ...
