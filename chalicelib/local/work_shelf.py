"""Works in SQLite: one row each, every change under its version. Buckets and Results share this.

A walk is a merge of streams, one for each pipeline and status that holds anything; each stream
goes down its index a page at a time, from the place where the last page ended, so that no reader
keeps the file from being tidied and a walker may change what it has seen.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, Literal, NamedTuple

from chalicelib.core.errors import Conflict
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import json_text
from chalicelib.core.work.scopes import Scope
from chalicelib.local.database import Database
from chalicelib.work_ports import Kept

PAGE: Final = 200
_FOREVER: Final = (-1e308, 1e308)
_COLUMNS: Final = (
    "status", "site", "priority", "creation", "deadline", "is_retryable", "version", "body",
    "results",
)  # fmt: skip
_SET: Final = ", ".join(f"{name} = ?" for name in _COLUMNS)


class Stream(NamedTuple):
    """Rows in the order of an index."""

    where: str
    values: tuple[object, ...]


class LocalShelf:
    """What the WorkStore and the ResultStore of the embedded home have in common."""

    def __init__(self, database: Database, name: Literal["works", "results"]) -> None:
        self._database = database
        self._name = name
        self._turn = threading.Lock()
        """Threads take turns here: waiting for SQLite's lock means polling it."""

    def add(self, works: Sequence[Work]) -> None:
        """Add works, all or none. Raises Conflict when one of them is there."""
        rows = [(work.id, work.pipeline, *row_of(work, 1)) for work in works]
        marks = ", ".join("?" * (len(_COLUMNS) + 2))
        columns = f"id, pipeline, {', '.join(_COLUMNS)}"
        try:
            with self._writing() as connection:
                connection.executemany(
                    f"INSERT INTO {self._name} ({columns}) VALUES ({marks})",  # noqa: S608
                    rows,
                )
        except sqlite3.IntegrityError as exc:
            raise Conflict("one of the works is there already; nothing was added") from exc

    def replace(self, kept: Kept, work: Work | None) -> bool:
        """Replace or remove the row, if it is still at its version."""
        with self._writing() as connection:
            return self._replace(connection, kept, work)

    def walk(self, scope: Scope) -> Iterator[Kept]:
        """Yield the works of the scope by creation, then id."""
        if scope.ids is not None:
            rows = chain.from_iterable(self._by_ids(scope, some) for some in _split(scope.ids))
            yield from map(kept_of, sorted(rows, key=_place))
            return
        streams = [self._walk(stream, scope.has_results) for stream in self._streams(scope)]
        yield from map(kept_of, heapq.merge(*streams, key=_place))

    def counts(self, scope: Scope | None = None) -> dict[str, dict[WorkStatus, int]]:
        """Return the counters, or what the scope's creation times leave of them."""
        if scope is not None:
            return self._counted(scope)
        found: dict[str, dict[WorkStatus, int]] = {}
        sql = f"SELECT pipeline, status, count FROM {self._name}_counts"  # noqa: S608
        for row in self._rows(sql, ()):
            found.setdefault(row["pipeline"], {})[WorkStatus(row["status"])] = row["count"]
        return found

    def _counted(self, scope: Scope) -> dict[str, dict[WorkStatus, int]]:
        found: dict[str, dict[WorkStatus, int]] = {}
        for pipeline, counts in self.counts().items():
            if scope.pipelines is not None and pipeline not in scope.pipelines:
                continue
            for status in counts:
                sql = (
                    f"SELECT count(*) FROM {self._name}"  # noqa: S608
                    " WHERE pipeline = ? AND status = ? AND creation BETWEEN ? AND ?"
                )
                ((count,),) = self._rows(sql, (pipeline, status.value, *_between(scope)))
                found.setdefault(pipeline, {})[status] = count
        return found

    def _replace(self, connection: sqlite3.Connection, kept: Kept, work: Work | None) -> bool:
        where = "WHERE id = ? AND pipeline = ? AND version = ?"
        key = (kept.document["id"], kept.document["pipeline"], kept.version)
        if work is None:
            done = connection.execute(f"DELETE FROM {self._name} {where}", key)  # noqa: S608
        else:
            done = connection.execute(
                f"UPDATE {self._name} SET {_SET} {where}",  # noqa: S608
                (*row_of(work, kept.version + 1), *key),
            )
        return done.rowcount == 1

    def _by_ids(self, scope: Scope, ids: Sequence[str]) -> list[sqlite3.Row]:
        where = f"id IN ({', '.join('?' * len(ids))})"
        return self._rows(f"{self._select(scope.has_results)} WHERE {where}", ids)

    def _streams(self, scope: Scope) -> Iterator[Stream]:
        if scope.overdue_at is not None:
            yield Stream("deadline < ?", (scope.overdue_at,))
            return
        if scope.is_retryable:
            yield Stream("is_retryable", ())
            return
        for pipeline, counts in self.counts().items():
            if scope.pipelines is not None and pipeline not in scope.pipelines:
                continue
            for status, count in counts.items():
                if count and (scope.statuses is None or status in scope.statuses):
                    where = "pipeline = ? AND status = ? AND creation BETWEEN ? AND ?"
                    yield Stream(where, (pipeline, status.value, *_between(scope)))

    def _walk(self, stream: Stream, has_results: bool) -> Iterator[sqlite3.Row]:
        sql = (
            f"{self._select(has_results)} WHERE {stream.where} AND (creation, id) > (?, ?)"
            f" ORDER BY creation, id LIMIT {PAGE}"
        )
        place: tuple[float, str] = (_FOREVER[0], "")
        while True:
            rows = self._rows(sql, (*stream.values, *place))
            yield from rows
            if len(rows) < PAGE:
                return
            place = _place(rows[-1])

    def _select(self, has_results: bool) -> str:
        results = "results" if has_results else "NULL AS results"
        return f"SELECT id, creation, version, body, {results} FROM {self._name}"  # noqa: S608

    def _rows(self, sql: str, values: Sequence[object]) -> list[sqlite3.Row]:
        with self._database.reading() as connection:
            return connection.execute(sql, tuple(values)).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._turn, self._database.writing() as connection:
            yield connection


def row_of(work: Work, version: int) -> tuple[object, ...]:
    """Return the columns that a change sets, in the order of ``_COLUMNS``."""
    document = work.document()
    results = document.pop("results")
    return (
        work.status.value,
        work.site,
        work.priority,
        work.creation or 0.0,
        work.deadline,
        work.is_retryable,
        version,
        json_text(document),
        None if results is None else json_text(results),
    )


def kept_of(row: sqlite3.Row) -> Kept:
    """Return the work of a row."""
    document: dict[str, Any] = json.loads(row["body"])
    results = row["results"]
    document["results"] = None if results is None else json.loads(results)
    return Kept(document, row["version"])


def _place(row: sqlite3.Row) -> tuple[float, str]:
    return row["creation"], row["id"]


def _between(scope: Scope) -> tuple[float, float]:
    low, high = _FOREVER
    return (
        low if scope.created_from is None else scope.created_from,
        high if scope.created_until is None else scope.created_until,
    )


def _split(ids: Collection[str]) -> Iterator[Sequence[str]]:
    every = sorted(ids)
    for start in range(0, len(every), PAGE):
        yield every[start : start + PAGE]
