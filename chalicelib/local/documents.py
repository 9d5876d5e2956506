"""Documents in SQLite, each decided in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

from chalicelib.document_ports import Document, StaleDocument
from chalicelib.local.database import Database, to_optional_text, to_text

_LIVE = "partition = ? AND (expires_at IS NULL OR expires_at > ?)"


class LocalDocuments:
    """The Documents of the embedded home."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def load(self, partition: str, key: str) -> Document | None:
        """Return the document."""
        with self._database.reading() as connection:
            return self._found(connection, partition, key)

    def save(
        self,
        partition: str,
        key: str,
        content: dict[str, Any],
        *,
        version: int = 0,
        expires_at: datetime | None = None,
    ) -> Document:
        """Save it under its version, and clear away what has expired beside it."""
        with self._database.writing() as connection:
            found = self._found(connection, partition, key)
            if (found.version if found else 0) != version:
                raise StaleDocument(f"{partition} {key} is not at version {version}")
            connection.execute(
                "DELETE FROM documents WHERE partition = ? AND expires_at <= ?",
                (partition, to_text(self._clock())),
            )
            connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
                (partition, key, version + 1, to_optional_text(expires_at), json.dumps(content)),
            )
        return Document(key, content, version + 1)

    def remove(self, partition: str, key: str) -> None:
        """Remove it."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM documents WHERE partition = ? AND key = ?", (partition, key)
            )

    def list(self, partition: str, *, after: str = "", limit: int = 100) -> tuple[Document, ...]:
        """Return those behind ``after``."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM documents WHERE {_LIVE} AND key > ? ORDER BY key LIMIT ?",  # noqa: S608
                (partition, to_text(self._clock()), after, limit),
            ).fetchall()
        return tuple(_document(row) for row in rows)

    def _found(self, connection: sqlite3.Connection, partition: str, key: str) -> Document | None:
        row = connection.execute(
            f"SELECT * FROM documents WHERE {_LIVE} AND key = ?",  # noqa: S608
            (partition, to_text(self._clock()), key),
        ).fetchone()
        return None if row is None else _document(row)


def _document(row: sqlite3.Row) -> Document:
    return Document(row["key"], json.loads(row["body"]), row["version"])
