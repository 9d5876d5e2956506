"""The work queue's two stores in SQLite.

Taking is one transaction that nobody else can write in: the queue's index is read from its head,
and what is accepted there is changed at once. A filter that only few works pass would hold up all
others for as long as it looks, so after ``LOOKED_AT`` works it goes on without the lock, and locks
only to change what it found.
"""

from __future__ import annotations

import heapq
import secrets
import sqlite3
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Final

from chalicelib.core.errors import Unavailable
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.scopes import Scope
from chalicelib.local.database import Database
from chalicelib.local.work_shelf import LocalShelf, kept_of
from chalicelib.work_ports import Accept, Kept, WorkPorts

LOOKED_AT: Final = 32
"""Works that are looked at under the lock: less than a millisecond."""
TRIES: Final = 100
"""How often a look without the lock may find only what others take before us."""

_QUEUE: Final = (
    "SELECT id, priority, creation, version, body, results FROM works"
    " WHERE status = 'queued' AND pipeline = ?"
)
_IN_TURN: Final = " ORDER BY priority DESC, creation, id"


class LocalWorkStore(LocalShelf):
    """The WorkStore of the embedded home."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "works")

    def get(self, ids: Collection[str]) -> tuple[Kept, ...]:
        """Return those that exist."""
        return tuple(self.walk(Scope(ids=tuple(ids))))

    def walk(self, scope: Scope) -> Iterator[Kept]:
        """Yield the works of the scope by creation, then id; or queued ones in their turn."""
        if not scope.is_in_turn:
            yield from super().walk(scope)
            return
        with self._database.reading() as connection, closing(_queue(connection, scope)) as queue:
            yield from queue

    def take(self, scope: Scope, accept: Accept) -> Work | None:
        """Replace the first queued work that is accepted."""
        looked_at = 0
        with self._writing() as connection, closing(_queue(connection, scope)) as queue:
            for kept in islice(queue, LOOKED_AT):
                looked_at += 1
                if (work := accept(kept.document)) is not None:
                    self._replace(connection, kept, work)
                    return work
        return self._take_far_back(scope, accept) if looked_at == LOOKED_AT else None

    def _take_far_back(self, scope: Scope, accept: Accept) -> Work | None:
        for _ in range(TRIES):
            has_lost = False
            with self._database.reading() as connection, closing(_queue(connection, scope)) as q:
                for kept in q:
                    if (work := accept(kept.document)) is not None:
                        if self.replace(kept, work):
                            return work
                        has_lost = True
            if not has_lost:
                return None
        raise Unavailable("others withdraw whatever is found; try again")


class LocalResultStore(LocalShelf):
    """The ResultStore of the embedded home."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "results")

    def get(self, pipeline: str, ids: Collection[str]) -> tuple[Kept, ...]:
        """Return those that exist."""
        found = self.walk(Scope(ids=tuple(ids)))
        return tuple(kept for kept in found if kept.document["pipeline"] == pipeline)


def _queue(connection: sqlite3.Connection, scope: Scope) -> Generator[Kept, None, None]:
    """Yield what is queued in its turn, no more rows than are asked for."""
    narrowed = {"site": scope.site, "priority": scope.priority}
    given = {name: value for name, value in narrowed.items() if value is not None}
    sql = _QUEUE + "".join(f" AND {name} = ?" for name in given) + _IN_TURN
    streams = [
        connection.execute(sql, (pipeline, *given.values()))
        for pipeline in _pipelines(connection, scope)
    ]
    yield from map(kept_of, heapq.merge(*streams, key=_turn))


def _pipelines(connection: sqlite3.Connection, scope: Scope) -> Collection[str]:
    if scope.pipelines is not None:
        return scope.pipelines
    sql = "SELECT pipeline FROM works_counts WHERE status = ? AND count > 0"
    return [row["pipeline"] for row in connection.execute(sql, (WorkStatus.QUEUED.value,))]


def _turn(row: sqlite3.Row) -> tuple[int, float, str]:
    return -row["priority"], row["creation"], row["id"]


def open_work_ports(database: Database) -> WorkPorts:
    """Return the work queue's ports on this file."""
    return WorkPorts(
        works=LocalWorkStore(database),
        results=LocalResultStore(database),
        mint_entropy=lambda: secrets.randbits(32),
    )
