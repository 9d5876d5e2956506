"""The one table: a few calls, each on single items or one query. No scan, no transaction.

Its keys and indexes stand in ``infra/foundation.yaml``; what the items are:

==========================  =====================  ==============================================
pk                          sk                     what
==========================  =====================  ==============================================
``run#<id>``                ``run``                RUN: the only truth about a run
``run#<id>``                ``plan#<digest>``      PLAN: written once, before the RUN
``run#<id>``                ``history#<digest>``   HISTORY: entries that the RUN has no room for
``days``                    ``2026-05-01``         a day on which runs were created
``claim#<job name>``        ``<array index>``      who may touch the data of a job
``pace#submit#<second>``    ``pace``               how many jobs were submitted in that second
``works#<id's end>``        ``<id>``               a work of the queue: see ``work_items``
``results#<pipeline>#<n>``  ``<id>``               a work that is kept as a result
``works-pipelines``         ``<pipeline>``         a pipeline that works were deposited in
``works-count#<pipeline>``  ``count``              how many works have each status; results too
``documents#<partition>``   ``<key>``              a token, a quota, an answer, an audit's entry
==========================  =====================  ==============================================

A write happens under its condition or raises ``ConditionFailed``. The SDK repeats a request whose
answer was lost, and may then meet its own effect: whoever writes must be able to recognise it in
the item that the exception carries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from chalicelib.aws.attributes import from_item, size_bytes, to_item
from chalicelib.aws.client_errors import code_of, never, translated
from chalicelib.aws.expressions import Found, Item, Query, is_key, placeholders, query_arguments
from chalicelib.core.errors import TooLarge, Unavailable
from chalicelib.core.limits import (
    DYNAMODB_BATCH_GET_KEYS,
    DYNAMODB_BATCH_WRITE_BYTES,
    DYNAMODB_BATCH_WRITE_ITEMS,
    DYNAMODB_ITEM_BYTES,
    DYNAMODB_PARTITION_KEY_BYTES,
)

ITEM_BYTES: Final = DYNAMODB_ITEM_BYTES - 16 * 1024
"""The largest item that we write."""
TRIES: Final = 6
"""How often BatchGetItem may bring nothing new before we give up."""
PAUSE_SECONDS: Final = 0.05
"""Before the second of these tries; it doubles."""
_BATCH_BYTES: Final = DYNAMODB_BATCH_WRITE_BYTES // 2
"""Types and names take room in a request, too."""
_CONDITION: Final = "ConditionalCheckFailedException"


class Key(NamedTuple):
    """What names an item."""

    pk: str
    sk: str


class ConditionFailed(Exception):
    """The write's condition does not hold; ``item`` is what is stored, None if nothing is."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition does not hold")
        self.item = item


class Table:
    """A DynamoDB table through boto3's low-level client. Every method may raise Unavailable."""

    def __init__(
        self, client: Any, name: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._name = name
        self._pause = pause

    def get(self, key: Key) -> Item | None:
        """Return the item, read consistently."""
        if not is_key(key.pk, DYNAMODB_PARTITION_KEY_BYTES):
            return None
        with translated(f"reading {key.pk}", never):
            answer = self._client.get_item(
                TableName=self._name, Key=to_item(key._asdict()), ConsistentRead=True
            )
        return from_item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Return the items that exist, read consistently."""
        found: dict[Key, Item] = {}
        waiting = list(dict.fromkeys(keys))
        while some := waiting[:DYNAMODB_BATCH_GET_KEYS]:
            del waiting[: len(some)]
            found |= self._get_batch(some)
        return found

    def put(self, key: Key, values: Mapping[str, object], condition: str, **told: object) -> None:
        """Write the whole item. Raises ConditionFailed; TooLarge before anything is written.

        In the condition ``#name`` stands for an attribute and ``:name`` for the value told.
        """
        item = {**key._asdict(), **values}
        self._write(
            self._client.put_item,
            key,
            size_bytes(item),
            Item=to_item(item),
            ConditionExpression=condition,
            **placeholders(told, condition),
        )

    def put_once(self, key: Key, values: Mapping[str, object]) -> None:
        """Write an item that never changes, unless it is there."""
        with suppress(ConditionFailed):
            self.put(key, values, "attribute_not_exists(pk)")

    def update(self, key: Key, change: str, condition: str, **told: object) -> None:
        """Change the item by an update expression. Raises ConditionFailed, TooLarge."""
        self._write(
            self._client.update_item,
            key,
            size_bytes(told),
            Key=to_item(key._asdict()),
            UpdateExpression=change,
            ConditionExpression=condition,
            **placeholders(told, change, condition),
        )

    def put_new(self, items: Mapping[Key, Item]) -> None:
        """Write items under keys that were never used; some of them when it raises Unavailable."""
        sized = [(key, size_bytes({**key._asdict(), **values})) for key, values in items.items()]
        for key, size in sized:
            _check_size(key, size)
        for keys in _batches(sized):
            self._put_batch([to_item({**key._asdict(), **items[key]}) for key in keys])

    def remove(self, key: Key, condition: str, **told: object) -> None:
        """Remove the item. Raises ConditionFailed."""
        self._write(
            self._client.delete_item,
            key,
            0,
            Key=to_item(key._asdict()),
            ConditionExpression=condition,
            **placeholders(told, condition),
        )

    def count(self, query: Query) -> int:
        """Return how many items the query finds."""
        counted, asked = 0, query_arguments(query, None)
        while True:
            with translated(f"counting {query.partition}", never):
                answer = self._client.query(TableName=self._name, **asked, Select="COUNT")
            counted += int(answer["Count"])
            if not answer.get("LastEvaluatedKey"):
                return counted
            asked = query_arguments(query, from_item(answer["LastEvaluatedKey"]))

    def query(self, query: Query) -> Iterator[Item]:
        """Yield the items in order, fetched page by page as they are asked for."""
        start: Item | None = None
        while True:
            items, start = self._ask(query, start)
            yield from items
            if start is None:
                return

    def query_page(self, query: Query) -> Found:
        """Look at one page of items; return those that pass the filter."""
        items, start = self._ask(query, None)
        return Found(items, None if start is None else start[query.index.sort])

    def _ask(self, query: Query, start: Item | None) -> tuple[list[Item], Item | None]:
        if not is_key(query.partition, DYNAMODB_PARTITION_KEY_BYTES):
            return [], None
        with translated(f"listing {query.partition}", never):
            answer = self._client.query(TableName=self._name, **query_arguments(query, start))
        items = [from_item(item) for item in answer["Items"]]
        last = answer.get("LastEvaluatedKey")
        return items, from_item(last) if last else None

    def _get_batch(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """DynamoDB hands back the keys it did not get to: when busy, or past 16 MB."""
        found: dict[Key, Item] = {}
        waiting: Any = {"Keys": [to_item(key._asdict()) for key in keys], "ConsistentRead": True}
        idle = 0
        while waiting:
            with translated(f"reading {len(keys)} items", never):
                answer = self._client.batch_get_item(RequestItems={self._name: waiting})
            items = [from_item(item) for item in answer["Responses"].get(self._name, [])]
            found |= {Key(item["pk"], item["sk"]): item for item in items}
            waiting = answer.get("UnprocessedKeys", {}).get(self._name)
            idle = 0 if items else idle + 1
            if waiting and idle == TRIES:
                raise Unavailable(f"reading {len(keys)} items: DynamoDB is too busy")
            if waiting:
                self._pause(PAUSE_SECONDS * 2**idle)
        return found

    def _put_batch(self, items: list[Item]) -> None:
        """DynamoDB hands back what it did not get to."""
        waiting: Any = [{"PutRequest": {"Item": item}} for item in items]
        for attempt in range(TRIES):
            with translated(f"writing {len(items)} items", never):
                answer = self._client.batch_write_item(RequestItems={self._name: waiting})
            waiting = answer.get("UnprocessedItems", {}).get(self._name)
            if not waiting:
                return
            self._pause(PAUSE_SECONDS * 2**attempt)
        raise Unavailable(f"writing {len(items)} items: DynamoDB is too busy")

    def _write(self, call: Callable[..., object], key: Key, size: int, **about: object) -> None:
        _check_size(key, size)
        with translated(f"writing {key.pk}", never):
            try:
                call(TableName=self._name, ReturnValuesOnConditionCheckFailure="ALL_OLD", **about)
            except ClientError as exc:
                if code_of(exc) != _CONDITION:
                    raise
                old = exc.response.get("Item")
                raise ConditionFailed(from_item(old) if old else self.get(key)) from exc


def _check_size(key: Key, size: int) -> None:
    if size > ITEM_BYTES:
        raise TooLarge(
            f"{key.pk} {key.sk}: {size} bytes are more than the {ITEM_BYTES} of an item",
            mend="make the request, its results or its number of stages smaller",
        )


def _batches(sized: Iterable[tuple[Key, int]]) -> Iterator[list[Key]]:
    """Yield the keys in groups that one BatchWriteItem takes."""
    batch: list[Key] = []
    room = _BATCH_BYTES
    for key, size in sized:
        if batch and (len(batch) == DYNAMODB_BATCH_WRITE_ITEMS or size > room):
            yield batch
            batch, room = [], _BATCH_BYTES
        batch.append(key)
        room -= size
    if batch:
        yield batch
