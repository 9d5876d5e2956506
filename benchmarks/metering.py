"""Counts what a client asks of AWS, through botocore's own event system.

moto cannot tell what a write consumes, so the meter reads the item before and after each write
through a client of its own, and applies the rules of ``dynamodb_units``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from benchmarks.dynamodb_units import Index, query_units, read_units, write_units
from chalicelib.aws.attributes import from_item

_WRITES: Final = {"PutItem", "UpdateItem", "DeleteItem"}


class Meter:
    """What was asked, by all the clients that it was put on."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        """``dynamodb`` is a client that is not metered."""
        self._dynamodb = dynamodb
        self._table = table
        self._indexes = _indexes_of(dynamodb.describe_table(TableName=table)["Table"])
        self.calls: Counter[str] = Counter()
        """``service.Operation`` → how often."""
        self.write_units = 0
        self.read_units = 0.0
        self._is_on = True

    def put_on(self, client: Any) -> Any:
        """Count what the client asks from now on; return it."""
        events = client.meta.events
        events.register("before-parameter-build.*.*", self._before)
        events.register_first("after-call.*.*", self._after)
        return client

    def stop(self) -> None:
        """Count no more."""
        self._is_on = False

    def _before(
        self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        if not self._is_on:
            return
        self.calls[f"{model.service_model.service_name}.{model.name}"] += 1
        context["asked"] = dict(params)
        if model.name in _WRITES and "TableName" in params:
            context["before"] = self._item(_key(params))

    def _after(self, model: Any, parsed: Any, context: dict[str, Any], **_: Any) -> None:
        asked = context.get("asked")
        if asked is None or model.service_model.service_name != "dynamodb":
            return
        if model.name in _WRITES:
            after = self._item(_key(asked))
            self.write_units += write_units(context["before"], after, self._indexes)
        elif model.name == "GetItem":
            item = from_item(parsed["Item"]) if "Item" in parsed else None
            self.read_units += read_units([item], is_consistent=asked.get("ConsistentRead", False))
        elif model.name == "BatchGetItem":
            self._batch(asked["RequestItems"][self._table], parsed["Responses"][self._table])
        elif model.name == "Query":
            items = [from_item(item) for item in parsed["Items"]]
            is_consistent = asked.get("ConsistentRead", False)
            self.read_units += query_units(items, is_consistent=is_consistent)

    def _batch(self, asked: dict[str, Any], found: list[Any]) -> None:
        missing = [None] * (len(asked["Keys"]) - len(found))
        items = [*(from_item(item) for item in found), *missing]
        self.read_units += read_units(items, is_consistent=asked.get("ConsistentRead", False))

    def _item(self, key: dict[str, Any]) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(TableName=self._table, Key=key)
        return from_item(answer["Item"]) if "Item" in answer else None


def _key(params: dict[str, Any]) -> dict[str, Any]:
    item = params.get("Key") or params["Item"]
    return {name: item[name] for name in ("pk", "sk")}


def _indexes_of(table: dict[str, Any]) -> list[Index]:
    own = [key["AttributeName"] for key in table["KeySchema"]]
    found = []
    for index in table.get("GlobalSecondaryIndexes", []):
        keys = [key["AttributeName"] for key in index["KeySchema"]]
        included = index["Projection"].get("NonKeyAttributes", [])
        found.append(Index(tuple(keys), tuple(dict.fromkeys([*keys, *own, *included]))))
    return found
