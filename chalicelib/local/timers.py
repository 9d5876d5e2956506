"""Wake-up calls in SQLite; the local event loop takes out those whose time has come.

A call that was taken and could not be delivered is lost. That is allowed: the due index of the
run store finds the run.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.local.database import Database, to_text


class LocalTimers:
    """The Timers of the embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def wake(self, run_id: str, at: datetime) -> None:
        """Remember the call; the same call again changes nothing."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO timers (at, run_id) VALUES (?, ?)", (to_text(at), run_id)
            )

    def take_due(self, now: datetime) -> tuple[str, ...]:
        """Take out the calls whose time has come; return each run once, earliest first.

        Each call is taken by one caller only. Nothing is written when there is none.
        """
        due = "FROM timers WHERE at <= ?"
        with self._database.reading() as connection:
            if connection.execute(f"SELECT 1 {due} LIMIT 1", (to_text(now),)).fetchone() is None:
                return ()
        with self._database.writing() as connection:
            rows = connection.execute(f"DELETE {due} RETURNING at, run_id", (to_text(now),))
            taken = sorted((row["at"], row["run_id"]) for row in rows)
        return tuple(dict.fromkeys(run_id for _, run_id in taken))
