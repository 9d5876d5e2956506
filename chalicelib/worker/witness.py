"""A carrier that remembers what its listings said, and gives every object a version.

Where the store has ETags they are the versions; at home time and size have to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from chalicelib.carriers import Carrier, Entry, Transfer


class Witness:
    """Another carrier's work, with every entry of its last listing in ``seen``, by URI."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self.seen: dict[str, Entry] = {}

    def list(self, uri: str) -> Iterator[Entry]:
        """List as the carrier does, ETags made up where there are none."""
        self.seen = {}
        for entry in self._carrier.list(uri):
            self.seen[entry.uri] = _with_version(entry)
            yield self.seen[entry.uri]

    def head(self, uri: str) -> Entry | None:
        """As the carrier does."""
        found = self._carrier.head(uri)
        return _with_version(found) if found else None

    def transfer(
        self,
        transfers: Iterable[Transfer],
        *,
        concurrency: int,
        done: Callable[[Transfer], None],
        moved: Callable[[int], None] = lambda _size_bytes: None,
        temporary: Path | None = None,
    ) -> None:
        """As the carrier does."""
        self._carrier.transfer(
            transfers, concurrency=concurrency, done=done, moved=moved, temporary=temporary
        )

    def remove(self, uris: Iterable[str]) -> None:
        """As the carrier does."""
        self._carrier.remove(uris)

    def read(self, uri: str) -> bytes:
        """As the carrier does."""
        return self._carrier.read(uri)

    def write(self, uri: str, content: bytes, tags: Mapping[str, str] | None = None) -> None:
        """As the carrier does."""
        self._carrier.write(uri, content, tags)


def _with_version(entry: Entry) -> Entry:
    made_up = f"{entry.modified_at.isoformat()}, {entry.size_bytes} bytes"
    return entry._replace(etag=entry.etag or made_up)
