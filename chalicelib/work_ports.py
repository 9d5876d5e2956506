"""What the work queue needs from outside: two stores. The engine knows nothing of them.

The laws of ``ports`` hold here too: every method is harmless when repeated, but for ``add``, whose
ids are fresh, and ``take``, whose answer may be lost together with the work that it handed out;
that one comes back when its time is over. Every method may raise ``Unavailable``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.scopes import Scope

Accept = Callable[[dict[str, Any]], Work | None]
"""A pure decision on a stored document: what replaces it, or None for nothing."""


class Kept(NamedTuple):
    """A work as it is stored."""

    document: dict[str, Any]
    """Its JSON form; without ``results`` where they were not asked for."""
    version: int


class WorkStore(Protocol):
    """Where queued works wait and running ones are kept. Ids are unique in it.

    Each work is one row or item, and every write happens under its version. Counts follow the
    writes: in the same transaction in SQLite, right after them in DynamoDB.
    """

    def add(self, works: Sequence[Work]) -> None:
        """Add works under fresh ids; a crash half way leaves the first of them."""
        ...

    def take(self, scope: Scope, accept: Accept) -> Work | None:
        """Replace the first queued work that ``accept`` returns something for, and return that.

        They are offered by priority, highest first, then creation, then id, read consistently;
        some may be offered that are no longer queued, or twice. ``accept`` is pure. None: at some
        moment during the call none of those in the scope was both queued and accepted.
        """
        ...

    def get(self, ids: Collection[str]) -> tuple[Kept, ...]:
        """Return those that exist, read consistently, in any order."""
        ...

    def replace(self, kept: Kept, work: Work | None) -> bool:
        """Put ``work`` in its place, or nothing; False when it has changed or gone meanwhile.

        Only a work's pipeline and id can never change.
        """
        ...

    def walk(self, scope: Scope) -> Iterator[Kept]:
        """Yield the works in the scope by creation, then id, read page by page.

        Where the scope ``is_in_turn`` they are queued ones, in the order of ``take``.
        """
        ...

    def counts(self, scope: Scope | None = None) -> dict[str, dict[WorkStatus, int]]:
        """Return for each pipeline how many works have each status.

        With a scope the works are counted one by one; its pipelines and creation times are looked
        at, and nothing else.
        """
        ...


class ResultStore(Protocol):
    """Where works are kept that have ended. A pipeline and an id together are unique in it."""

    def add(self, works: Sequence[Work]) -> None:
        """Add works. Raises Conflict, with nothing added, when one of them is there."""
        ...

    def get(self, pipeline: str, ids: Collection[str]) -> tuple[Kept, ...]:
        """Return those that exist, read consistently, in any order."""
        ...

    def replace(self, kept: Kept, work: Work | None) -> bool:
        """As in WorkStore."""
        ...

    def walk(self, scope: Scope) -> Iterator[Kept]:
        """As in WorkStore."""
        ...

    def counts(self, scope: Scope | None = None) -> dict[str, dict[WorkStatus, int]]:
        """As in WorkStore."""
        ...


class WorkPorts(NamedTuple):
    """Everything from outside that the work queue is given. Time comes with each call."""

    works: WorkStore
    results: ResultStore
    mint_entropy: Callable[[], int]
    """A fresh random number of 32 bits."""
    pause: Callable[[float], None] = time.sleep
    """Waits that many seconds before a lost write is decided again; under a second each."""
