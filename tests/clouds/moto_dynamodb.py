"""moto's DynamoDB, made to do an item at a time and to answer quickly.

It reads and writes without a lock: of 300 races 12 had a wrong winner. One lock around every
action makes it what the real one is.

What it keeps of an item is already as it is on the wire. Yet to answer, it looks each attribute
value up under every name that a value's ten types might have in Python: a third of all the time
that tests spend in it. Here plain values are answered as they are; of any other it is still asked.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from moto.core.serialize import SERVICE_SPECIFIC_SERIALIZERS, JSONSerializer
from moto.dynamodb.responses import DynamoHandler


def mend_dynamodb(patch: pytest.MonkeyPatch) -> None:
    """Put lock and serializer in, until the patch is undone."""
    patch.setattr(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action))
    patch.setitem(SERVICE_SPECIFIC_SERIALIZERS, "dynamodb", {"json": WireSerializer})


def _one_at_a_time(action: Any) -> Any:
    lock = threading.RLock()

    def call_action(handler: DynamoHandler) -> Any:
        with lock:
            return action(handler)

    return call_action


class WireSerializer(JSONSerializer):
    """Takes attribute values for what they are."""

    def _serialize_type_structure(self, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and is_plain(value):
            self._default_serialize(serialized, value, shape, key)
        else:
            super()._serialize_type_structure(serialized, value, shape, key)


def is_plain(value: Any) -> bool:
    """Whether it is an attribute value in JSON's own types, all the way down."""
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, held),) = value.items()
    match kind:
        case "S" | "N":
            return type(held) is str
        case "BOOL" | "NULL":
            return type(held) is bool
        case "M":
            return type(held) is dict and all(map(is_plain, held.values()))
        case "L":
            return type(held) is list and all(map(is_plain, held))
        case _:
            return False
