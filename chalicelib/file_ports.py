"""What run management needs besides ``ports``: what is in a run's files. The engine never asks.

Memory is flat: whatever passes through here does so in pieces.

Names are those of ``ObjectStore``. It may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class Contents(Protocol):
    """The bytes of objects, a piece at a time, or a link to them."""

    def chunks(self, uri: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the object's bytes from ``start`` on, in pieces of at most a MiB.

        ``length`` is at least 1. Raises NotFound, and Unavailable in the middle.
        """
        ...

    def link(self, uri: str, name: str, mime_type: str) -> str | None:
        """Return a short-lived URL that saves this one object as ``name``.

        None where there is nobody but us to hand the bytes out.
        """
        ...

    def put(self, uri: str, pieces: Iterable[bytes], most_bytes: int) -> int:
        """Put an object of these pieces, ``most_bytes`` at most together; return its size.

        It is there as a whole or not at all: what ``pieces`` raises ends it.
        """
        ...
