"""The work queue's two stores in DynamoDB.

Withdrawing reads the head of one local index, strongly consistently, and claims what is there by
one conditional write. Whoever loses a work to somebody else goes on with the next one; whoever has
lost any and found none looks again, for what was put back behind it must not be missed.
"""

from __future__ import annotations

import heapq
import secrets
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from chalicelib.aws.expressions import Item, Query
from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.aws.work_items import (
    BY_CHECK,
    BY_STATE,
    BY_TURN,
    queue_keys,
    result_key,
    result_keys,
    result_partitions,
    state_prefix,
    time_text,
    turn_prefix,
    work_key,
    work_partitions,
)
from chalicelib.aws.work_shelf import DynamoShelf, Keys, within
from chalicelib.core.errors import Conflict, Unavailable
from chalicelib.core.work.ids import is_id
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.scopes import Scope
from chalicelib.ports import ObjectStore
from chalicelib.work_ports import Accept, Kept, WorkPorts

QUEUE_PAGE: Final = 25
"""Works that are read at a time when the head of the queue would not do."""
AUDITED: Final = 100
"""Works that an audit reads at a time; it may break off after any of them."""
TRIES: Final = 100
"""How often we look again; each time others have withdrawn something."""

_QUEUE: Final = Keys(
    shelf="works",
    key=lambda _, work_id: work_key(work_id),
    partitions=work_partitions,
    sort_keys=queue_keys,
    has_urgency=True,
)
_RESULTS: Final = Keys(
    shelf="results",
    key=result_key,
    partitions=result_partitions,
    sort_keys=result_keys,
    has_urgency=False,
)


class DynamoWorkStore(DynamoShelf):
    """The WorkStore of the AWS home."""

    def __init__(self, table: Table, objects: ObjectStore, scratch_bucket: str) -> None:
        super().__init__(table, objects, scratch_bucket, _QUEUE)

    def add(self, works: Sequence[Work]) -> None:
        """Add works; their pipelines are listed first, and they are counted last."""
        self._counts.list_pipelines({work.pipeline for work in works})
        packed = {work_key(work.id or ""): self._pack(work, 1) for work in works}
        for each in packed.values():
            self._write_payloads(each)
        self._table.put_new({key: each.values for key, each in packed.items()})
        self._counts.count(Counter((work.pipeline, work.status) for work in works))

    def take(self, scope: Scope, accept: Accept) -> Work | None:
        """Replace the first queued work that is accepted."""
        for _ in range(TRIES):
            has_lost = False
            for kept in self._queued(scope):
                work = accept(kept.document)
                if work is not None and self.replace(kept, work):
                    return work
                has_lost |= work is not None
            if not has_lost:
                return None
        raise Unavailable("others withdraw whatever is found; try again")

    def get(self, ids: Collection[str]) -> tuple[Kept, ...]:
        """Return those that exist."""
        items = self._table.get_many(work_key(each) for each in ids if is_id(each))
        return tuple(self._kept(items.values(), has_results=True))

    def walk(self, scope: Scope) -> Iterator[Kept]:
        """Yield the works of the scope by creation, then id; audited ones by pipeline."""
        if scope.is_in_turn:
            return self._queued(scope)
        if scope.ids is not None:
            found = self.get(scope.ids)
            return iter(sorted(found, key=lambda k: (k.document["creation"], k.document["id"])))
        if scope.overdue_at is not None:
            return self._checked("expires#", "expires#" + time_text(scope.overdue_at))
        if scope.is_retryable:
            return self._checked("retry#", "retry#~")
        return super().walk(scope)

    def _checked(self, low: str, high: str) -> Iterator[Kept]:
        pipelines = self._counts.pipelines()
        for partition in sorted({work_partitions(pipeline)[0] for pipeline in pipelines}):
            query = replace(within(BY_CHECK, partition, low, high), between=(low, high))
            found = self._table.query(query)
            while some := list(islice(found, AUDITED)):
                items = self._table.get_many(Key(item["pk"], item["sk"]) for item in some)
                yield from self._kept(items.values(), has_results=True)

    def _queued(self, scope: Scope) -> Iterator[Kept]:
        """Yield what is queued in its turn; the head alone at first, for it will mostly do."""
        pipelines = self._counts.pipelines() if scope.pipelines is None else scope.pipelines
        streams = [self._table.query(query) for name in pipelines for query in _turns(name, scope)]
        for item in heapq.merge(*streams, key=_turn):
            yield from self._kept([item], has_results=scope.has_results)


class DynamoResultStore(DynamoShelf):
    """The ResultStore of the AWS home."""

    def __init__(self, table: Table, objects: ObjectStore, scratch_bucket: str) -> None:
        super().__init__(table, objects, scratch_bucket, _RESULTS)

    def add(self, works: Sequence[Work]) -> None:
        """Add works. Raises Conflict when one of them is there, or comes meanwhile."""
        packed = {result_key(work.pipeline, work.id or ""): self._pack(work, 1) for work in works}
        if self._table.get_many(packed):
            raise Conflict("one of the works is there already; nothing was added")
        self._counts.list_pipelines({work.pipeline for work in works})
        for work, (key, each) in zip(works, packed.items(), strict=True):
            self._write_payloads(each)
            token = secrets.token_hex(8)
            values = {**each.values, "save_token": token}
            try:
                self._table.put(key, values, "attribute_not_exists(pk)")
            except ConditionFailed as exc:
                if exc.item is None or exc.item.get("save_token") != token:
                    raise Conflict(f"somebody else adds result {work.id} just now") from exc
            self._counts.count(Counter([(work.pipeline, work.status)]))

    def get(self, pipeline: str, ids: Collection[str]) -> tuple[Kept, ...]:
        """Return those that exist."""
        items = self._table.get_many(result_key(pipeline, each) for each in ids if is_id(each))
        return tuple(self._kept(items.values(), has_results=True))


def _turns(pipeline: str, scope: Scope) -> Iterator[Query]:
    (partition,) = work_partitions(pipeline)
    if scope.site is None:
        index, prefix = BY_STATE, state_prefix(pipeline, WorkStatus.QUEUED, scope.priority)
    else:
        index, prefix = BY_TURN, turn_prefix(pipeline, scope.site, scope.priority)
    query = within(index, partition, prefix, prefix)
    yield replace(query, page=QUEUE_PAGE, first_page=1)


def _turn(item: Item) -> tuple[str, ...]:
    """Urgency, creation and id."""
    state: str = item.get("work_turn") or item["work_state"]
    return tuple(state.rsplit("#", 3)[1:])


def open_work_ports(table: Table, objects: ObjectStore, scratch_bucket: str) -> WorkPorts:
    """Return the work queue's ports on this table and bucket."""
    return WorkPorts(
        works=DynamoWorkStore(table, objects, scratch_bucket),
        results=DynamoResultStore(table, objects, scratch_bucket),
        mint_entropy=lambda: secrets.randbits(32),
    )
