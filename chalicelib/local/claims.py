"""Claims in SQLite: the first job to claim a name holds it, decided in one transaction."""

from __future__ import annotations

import sqlite3

from chalicelib.local.database import Database
from chalicelib.ports import Claim

_HOLDER = "SELECT job_id, attempt FROM claims WHERE job_name = ? AND array_index = ?"


class LocalClaims:
    """The Claims of the embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, job_name: str, index: int, job_id: str, attempt: int) -> Claim:
        """Claim, or claim again with a higher attempt; return who holds it now."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO claims (job_name, array_index, job_id, attempt) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET attempt = excluded.attempt"
                " WHERE job_id = excluded.job_id AND attempt < excluded.attempt",
                (job_name, index, job_id, attempt),
            )
            return _claim(connection.execute(_HOLDER, (job_name, index)).fetchone())

    def holder(self, job_name: str, index: int) -> Claim | None:
        """Return who holds it."""
        with self._database.reading() as connection:
            row = connection.execute(_HOLDER, (job_name, index)).fetchone()
        return None if row is None else _claim(row)


def _claim(row: sqlite3.Row) -> Claim:
    return Claim(row["job_id"], row["attempt"])
