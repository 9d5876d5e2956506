"""Documents in DynamoDB: one item each, saved under its version by one conditional write.

The SDK repeats a request whose answer was lost, and may meet its own effect: each save leaves a
mark of its own in the item, by which it is known.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from chalicelib.aws.expressions import BASE, Item, Query, is_key
from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.core.limits import DYNAMODB_SORT_KEY_BYTES
from chalicelib.document_ports import Document, StaleDocument

_NEW: Final = "attribute_not_exists(pk) OR #expires_at <= :now"
_SAME: Final = "#version = :expected AND (attribute_not_exists(#expires_at) OR #expires_at > :now)"
_LAST: Final = "\U0010ffff"
"""Sorts behind every key of ours."""


class DynamoDocuments:
    """The Documents of the AWS home."""

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._clock = clock

    def load(self, partition: str, key: str) -> Document | None:
        """Return the document, unless it has expired and was not removed yet."""
        item = self._table.get(_key(partition, key))
        return None if item is None or self._has_expired(item) else _document(item)

    def save(
        self,
        partition: str,
        key: str,
        content: dict[str, Any],
        *,
        version: int = 0,
        expires_at: datetime | None = None,
    ) -> Document:
        """Save it under its version."""
        mark = secrets.token_hex(8)
        values: Item = {"version": version + 1, "body": json.dumps(content), "mark": mark}
        if expires_at is not None:
            values["expires_at"] = int(expires_at.timestamp())
        told = {"now": self._now(), "expected": version}
        condition = _SAME if version else _NEW
        try:
            self._table.put(_key(partition, key), values, condition, **told)
        except ConditionFailed as exc:
            if exc.item is None or exc.item["mark"] != mark:
                raise StaleDocument(f"{partition} {key} is not at version {version}") from exc
        return Document(key, content, version + 1)

    def remove(self, partition: str, key: str) -> None:
        """Remove it."""
        self._table.remove(
            _key(partition, key), "attribute_exists(pk) OR attribute_not_exists(pk)"
        )

    def list(self, partition: str, *, after: str = "", limit: int = 100) -> tuple[Document, ...]:
        """Return those behind ``after``."""
        if after >= _LAST or not is_key(after, DYNAMODB_SORT_KEY_BYTES):
            return ()  # DynamoDB would refuse to look
        query = Query(
            BASE,
            f"documents#{partition}",
            limit + 1,
            is_newest_first=False,
            between=(after or " ", _LAST),
        )
        found: list[Document] = []
        for item in self._table.query(query):
            if item["sk"] > after and not self._has_expired(item):
                found.append(_document(item))
            if len(found) == limit:
                break
        return tuple(found)

    def _has_expired(self, item: Item) -> bool:
        return "expires_at" in item and int(item["expires_at"]) <= self._now()

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _key(partition: str, key: str) -> Key:
    return Key(f"documents#{partition}", key)


def _document(item: Item) -> Document:
    return Document(item["sk"], json.loads(item["body"]), item["version"])
