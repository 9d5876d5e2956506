"""The embedded home's one file: SQLite in WAL mode, shared by many threads and processes.

A reader never waits. Writers take turns: ``writing()`` begins IMMEDIATE, so that what was read in
the transaction still holds when it writes, and everything that must be decided by one process
alone (a version, a claim, which job starts) is decided inside it. ``synchronous=NORMAL`` may lose
the last commits when the power fails, but always a suffix: runs and jobs stand in the same file,
so no run can know of a job that the file has forgotten, nor the other way round.

Connections are pooled: one is taken for each use and given back. Times are ISO 8601 in UTC with
microseconds, so that text order is time order and an operator can read them.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chalicelib.core.errors import Misconfigured, Unavailable
from chalicelib.local.schema import STEPS

BUSY_SECONDS: Final = 30
"""How long a writer waits for its turn; the longest transaction of ours takes milliseconds."""


class Database:
    """``ROOT/falsework.db``. Nothing is opened or created before the first use."""

    def __init__(self, root: Path) -> None:
        self.path = root / "falsework.db"
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._is_ready = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for single SELECTs. Raises Unavailable."""
        connection = self._take()
        try:
            yield connection
        except sqlite3.OperationalError as exc:
            connection.close()
            raise Unavailable(f"{self.path}: {exc}") from exc
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside a transaction of its own; an exception rolls it back."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the idle connections; the next use opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if not self._is_ready:
                self._prepare()
                self._is_ready = True
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.OperationalError as exc:
            raise Unavailable(f"{self.path}: {exc}") from exc
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare(self) -> None:
        """Create the file or bring it up to date, one process at a time.

        Changing to WAL does not wait for other connections but fails at once, hence the lock.
        """
        try:
            # Working directories in it are open to every user, for a job may run as another one.
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.path.with_suffix(".lock")).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with closing(self._connect()) as connection:
                    self._migrate(connection)
        except sqlite3.DatabaseError as exc:
            raise Misconfigured(f"{self.path} cannot be used: {exc}") from exc
        except OSError as exc:
            raise Misconfigured(f"{self.path.parent} cannot be used: {exc}") from exc

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == len(STEPS):
            return
        if not 0 <= version < len(STEPS):
            raise Misconfigured(
                f"{self.path} was written by another version of Falsework"
                f" (schema {version}, this one knows {len(STEPS)})"
            )
        connection.execute("PRAGMA journal_mode=WAL")
        for number, step in enumerate(STEPS[version:], version + 1):
            connection.executescript(
                f"BEGIN IMMEDIATE; {step} PRAGMA user_version={number}; COMMIT;"
            )


def to_text(at: datetime) -> str:
    """Return ``at`` in the form that sorts."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def to_optional_text(at: datetime | None) -> str | None:
    """Return ``at`` in the form that sorts, or None."""
    return None if at is None else to_text(at)
