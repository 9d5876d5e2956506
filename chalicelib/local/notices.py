"""Notices on their way, in SQLite: each until it was delivered, or was tried too often.

::

    announced ──▶ waiting ──▶ delivered, and gone
                   │    ▲
                   │    └── redrive ──┐
                   └─ too often, or ──┴▶ dead: kept, with the reason, and listed
                      hopeless

A notice stands in it once, however often it is announced while it waits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from chalicelib.core.notice import Notice
from chalicelib.dead_letters import DeadLetter
from chalicelib.local.database import Database, to_optional_text, to_text


class Waiting(NamedTuple):
    """A notice whose turn it is."""

    notice: Notice
    tries: int
    """How often it was tried before."""
    target: str
    """Who is to get it, as one word."""


class LocalNotices:
    """The Announcer of the embedded home, and what its courier delivers from."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def announce(self, notice: Notice) -> None:
        """Keep the notice, and have it delivered at once."""
        now = to_text(self._clock())
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO notices (id, target, body, announced_at, next_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (*_key(notice), notice.model_dump_json(), now, now),
            )

    def due(self, limit: int = 20, *, without: Collection[str] = ()) -> list[Waiting]:
        """Return those whose turn it is, the longest overdue first.

        None to the targets ``without``. What cannot be read, as another version wrote it, is dead.
        """
        spared = f" AND target NOT IN ({', '.join('?' * len(without))})" if without else ""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM notices WHERE next_at <= ?{spared} ORDER BY next_at LIMIT ?",  # noqa: S608
                (to_text(self._clock()), *without, limit),
            ).fetchall()
        return [waiting for row in rows if (waiting := self._read(row)) is not None]

    def _read(self, row: sqlite3.Row) -> Waiting | None:
        try:
            notice = Notice.model_validate_json(row["body"])
        except ValidationError:
            self._note("it cannot be read by this version", None, row["id"], row["target"])
            return None
        return Waiting(notice, row["tries"], row["target"])

    def delivered(self, notice: Notice) -> None:
        """Forget it."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM notices WHERE id = ? AND target = ?", _key(notice))

    def failed(self, notice: Notice, reason: str, again_at: datetime | None) -> None:
        """Note that it was tried; ``again_at`` None: it is dead."""
        self._note(reason, again_at, *_key(notice))

    def _note(self, reason: str, again_at: datetime | None, *key: str) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE notices SET tries = tries + 1, reason = ?, next_at = ?"
                " WHERE id = ? AND target = ?",
                (reason, to_optional_text(again_at), *key),
            )

    def dead(self, limit: int) -> tuple[DeadLetter, ...]:
        """Return those that are dead, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM notices WHERE next_at IS NULL ORDER BY announced_at, id LIMIT ?",
                (limit,),
            ).fetchall()
        return tuple(
            DeadLetter(
                id=row["id"],
                origin="notices",
                about=row["target"],
                reason=row["reason"],
                tries=row["tries"],
                since=row["announced_at"],
            )
            for row in rows
        )

    def revive(self) -> int:
        """Have the dead ones delivered as if they were new; return how many there are."""
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE notices SET tries = 0, next_at = ? WHERE next_at IS NULL",
                (to_text(self._clock()),),
            )
        return done.rowcount


def _key(notice: Notice) -> tuple[str, str]:
    return notice.told.id, f"{notice.target.kind}:{notice.target.name}"
