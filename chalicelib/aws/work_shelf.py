"""Works in DynamoDB: one item each, every change one conditional write. See ``work_items``.

Buckets and Results share this; how they differ stands in ``Keys``. What is put into the object
store is written before the item that names it, and removed after the item that named it is gone:
a crash in between leaves an object that nobody names, and nothing that misses one.

Each write carries a token of its own: when its answer is lost the SDK sends it again, and the
token in the item then tells that it was this very write that changed the version.
"""

from __future__ import annotations

import heapq
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final, Literal, NamedTuple

from chalicelib.aws.expressions import Index, Item, Query
from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.aws.work_counts import WorkCounts
from chalicelib.aws.work_items import (
    BY_STATE,
    Packed,
    is_complete,
    pack,
    state_prefix,
    time_text,
    unpack,
)
from chalicelib.core.errors import NotFound
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.scopes import Scope
from chalicelib.ports import ObjectStore
from chalicelib.work_ports import Kept

PAGE: Final = 100
_PRIORITIES: Final = range(5, 0, -1)
_LAST: Final = "~"
"""Sorts after every digit, and after ``#``."""


class Keys(NamedTuple):
    """How a work is found on a shelf."""

    shelf: Literal["works", "results"]
    key: Callable[[str, str], Key]
    """From pipeline and id."""
    partitions: Callable[[str], list[str]]
    """Of a pipeline."""
    sort_keys: Callable[[Work], Item]
    has_urgency: bool
    """Whether queued works are sorted by priority before creation."""


class DynamoShelf:
    """What the WorkStore and the ResultStore of the AWS home have in common."""

    def __init__(
        self, table: Table, objects: ObjectStore, scratch_bucket: str, keys: Keys
    ) -> None:
        self._table = table
        self._objects = objects
        self._home = f"s3://{scratch_bucket}/{keys.shelf}/"
        self._keys = keys
        self._counts = WorkCounts(table, keys.shelf)

    def replace(self, kept: Kept, work: Work | None) -> bool:
        """Replace or remove the item, if it is still at its version."""
        old = pack(kept.document, self._stem(kept.document["id"], kept.version))
        new = Packed({}, {}) if work is None else self._pack(work, kept.version + 1)
        self._write_payloads(new)
        if not self._replace(kept, work, new):
            return False
        for uri in old.payloads.keys() - new.payloads.keys():
            self._objects.remove(uri)
        pipeline, status = kept.document["pipeline"], WorkStatus(kept.document["status"])
        changes = Counter({(pipeline, status): -1})
        if work is not None:
            changes[pipeline, work.status] += 1
        self._counts.count(changes)
        return True

    def walk(self, scope: Scope) -> Iterator[Kept]:
        """Yield the works of the scope by creation, then id."""
        streams = [self._table.query(query) for query in self._streams(scope)]
        items = heapq.merge(*streams, key=_place)
        yield from self._kept(items, has_results=scope.has_results)

    def counts(self, scope: Scope | None = None) -> dict[str, dict[WorkStatus, int]]:
        """Return the counters, or what the scope's creation times leave of the works."""
        if scope is None:
            return self._counts.read()
        pipelines = self._counts.pipelines() if scope.pipelines is None else scope.pipelines
        return {
            pipeline: {status: self._count(pipeline, status, scope) for status in WorkStatus}
            for pipeline in pipelines
        }

    def pipelines(self) -> list[str]:
        """Return every pipeline that there ever was."""
        return self._counts.pipelines()

    def recount(self, pipelines: Iterable[str] | None = None) -> bool:
        """Put the counters right; False where something changed meanwhile, and they may be off."""
        done = [
            self._counts.recount(pipeline, partial(self._count, pipeline, scope=Scope()))
            for pipeline in (self.pipelines() if pipelines is None else pipelines)
        ]
        return all(done)

    def _pack(self, work: Work, version: int) -> Packed:
        packed = pack(work.document(), self._stem(work.id or "", version))
        values = {**packed.values, **self._keys.sort_keys(work), "version": version}
        return packed._replace(values=values)

    def _stem(self, work_id: str, version: int) -> str:
        """No two versions share an object, so that each can go when its version has gone."""
        return f"{self._home}{work_id}/{version}-"

    def _write_payloads(self, packed: Packed) -> None:
        for uri, text in packed.payloads.items():
            self._objects.write(uri, text.encode())

    def _replace(self, kept: Kept, work: Work | None, new: Packed) -> bool:
        key = self._keys.key(kept.document["pipeline"], kept.document["id"])
        token = secrets.token_hex(8)
        values = {**new.values, "save_token": token}
        try:
            if work is None:
                self._table.remove(key, "#version = :expected", expected=kept.version)
            else:
                self._table.put(key, values, "#version = :expected", expected=kept.version)
        except ConditionFailed as exc:
            return exc.item is not None and exc.item.get("save_token") == token
        return True

    def _count(self, pipeline: str, status: WorkStatus, scope: Scope) -> int:
        return sum(map(self._table.count, self._of_state(pipeline, status, scope)))

    def _streams(self, scope: Scope) -> Iterator[Query]:
        pipelines = self._counts.pipelines() if scope.pipelines is None else scope.pipelines
        for pipeline in pipelines:
            for status in WorkStatus if scope.statuses is None else scope.statuses:
                yield from self._of_state(pipeline, status, scope)

    def _of_state(self, pipeline: str, status: WorkStatus, scope: Scope) -> Iterator[Query]:
        for partition in self._keys.partitions(pipeline):
            if status is WorkStatus.QUEUED and self._keys.has_urgency:
                for priority in _PRIORITIES if scope.priority is None else [scope.priority]:
                    prefix = state_prefix(pipeline, status, priority)
                    yield created_within(scope, partition, prefix)
            else:
                yield created_within(scope, partition, state_prefix(pipeline, status))

    def _kept(self, items: Iterable[Item], *, has_results: bool) -> Iterator[Kept]:
        """Yield the works of items from an index, or of whole items, some at a time."""
        waiting = iter(items)
        while some := list(islice(waiting, PAGE)):
            for item in self._completed(some) if has_results else some:
                yield from self._unpacked(item, has_results=has_results)

    def _completed(self, items: Sequence[Item]) -> list[Item]:
        """Results of items from an index have to be fetched; some items are gone by then."""
        keys = [Key(item["pk"], item["sk"]) for item in items]
        lacking = [key for key, item in zip(keys, items, strict=True) if not is_complete(item)]
        fetched = self._table.get_many(lacking) if lacking else {}
        chosen = (
            item if is_complete(item) else fetched.get(key)
            for key, item in zip(keys, items, strict=True)
        )
        return [item for item in chosen if item is not None]

    def _unpacked(self, item: Item, *, has_results: bool) -> Iterator[Kept]:
        """Yield the work; a new version has other objects, and the old ones may be gone."""
        for _ in range(3):
            try:
                document = unpack(item, self._read, has_results=has_results)
            except NotFound:
                newer = self._table.get(Key(item["pk"], item["sk"]))
                if newer is None:
                    return
                item = newer
            else:
                yield Kept(document, item["version"])
                return
        raise NotFound(f"what belongs to {item['sk']} is gone from the object store")

    def _read(self, uri: str) -> str:
        return self._objects.read(uri).decode()


def within(index: Index, partition: str, low: str, high: str) -> Query:
    """Return the query for the sort keys from ``low`` to what begins with ``high``."""
    return Query(
        index,
        partition,
        page=PAGE,
        is_newest_first=False,
        between=(low, high + _LAST),
        is_local=True,
    )


def created_within(scope: Scope, partition: str, prefix: str) -> Query:
    """Return the query for the sort keys that begin so, in the scope's time."""
    low = "" if scope.created_from is None else time_text(scope.created_from)
    high = "" if scope.created_until is None else time_text(scope.created_until)
    return within(BY_STATE, partition, prefix + low, prefix + high)


def _place(item: Item) -> tuple[str, ...]:
    """Creation and id."""
    return tuple(item["work_state"].rsplit("#", 2)[1:])
