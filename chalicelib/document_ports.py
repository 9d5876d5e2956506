"""Small documents, each under a version: tokens, quotas, answers to repeat, audits.

The engine's own state is not here. A document is JSON of at most a few hundred kilobytes in a
partition, under a key that sorts; the contract suite says the rest for every implementation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, Protocol


class StaleDocument(Exception):
    """Somebody saved the document since it was loaded, or it exists already: load it again."""


class Document(NamedTuple):
    """A document as it is kept."""

    key: str
    content: dict[str, Any]
    version: int
    """How often it was saved: 1 and more."""


class Documents(Protocol):
    """Where they are kept. What has expired is not there, whether it was removed yet or not."""

    def load(self, partition: str, key: str) -> Document | None:
        """Return the document, read consistently."""
        ...

    def save(
        self,
        partition: str,
        key: str,
        content: dict[str, Any],
        *,
        version: int = 0,
        expires_at: datetime | None = None,
    ) -> Document:
        """Save it if its version still is ``version``, 0 for none there; return it as saved.

        Raises StaleDocument. Who saved it is the only one who gets it back: a repeat of the same
        content by somebody else is stale.
        """
        ...

    def remove(self, partition: str, key: str) -> None:
        """Remove it; nothing happens if there is none."""
        ...

    def list(self, partition: str, *, after: str = "", limit: int = 100) -> tuple[Document, ...]:
        """Return the documents whose keys sort behind ``after``, by key, read consistently."""
        ...
