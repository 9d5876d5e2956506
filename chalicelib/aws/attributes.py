"""Values as DynamoDB types them: ``{"S": "text"}``, ``{"N": "1"}``, ``{"M": {…}}``.

boto3's own serializer refuses floats. Here a float is written as its shortest ``repr``, which is
what it is read back as. A number that DynamoDB cannot hold (38 digits, about ±1e125) is written
as text; pydantic, which reads every item, takes numbers from text as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

Attribute = dict[str, Any]

_LARGEST: Final = 10**38
_SMALLEST: Final = 1e-120
"""Amazon DynamoDB developer guide, data types, Number; the float's digits are subtracted."""
_WHOLE: Final = re.compile(r"-?[0-9]+")


def to_attribute(value: object) -> Attribute:
    """Return the typed form of text, numbers, constants, and lists and objects of them."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N" if _is_number(value) else "S": repr(value)}
        case Mapping():
            return {"M": {name: to_attribute(each) for name, each in value.items()}}
        case list() | tuple():
            return {"L": [to_attribute(each) for each in value]}
        case _:
            raise TypeError(f"no attribute can hold a {type(value).__name__}")


def from_attribute(attribute: Attribute) -> Any:
    """Return the value; a whole number is an int, whatever it was written from."""
    ((kind, value),) = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(value) if _WHOLE.fullmatch(value) else float(value)
        case "M":
            return from_item(value)
        case "L":
            return [from_attribute(each) for each in value]
        case _:
            return value


def to_item(values: Mapping[str, object]) -> dict[str, Attribute]:
    """Return a whole item, or a part of one, typed."""
    return {name: to_attribute(value) for name, value in values.items()}


def from_item(item: Mapping[str, Attribute]) -> dict[str, Any]:
    """Return the item's values."""
    return {name: from_attribute(each) for name, each in item.items()}


def size_bytes(value: object) -> int:
    """Return what the value counts towards an item's limit, rounded up.

    Amazon DynamoDB developer guide, "Item sizes and formats": text in UTF-8; numbers a byte for
    two digits and one more; lists and maps three bytes and one for each member.
    """
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode())
        case int() | float():
            return len(repr(value)) + 1
        case Mapping():
            return 3 + sum(size_bytes(k) + size_bytes(v) + 1 for k, v in value.items())
        case list() | tuple():
            return 3 + sum(size_bytes(each) + 1 for each in value)
        case _:
            raise TypeError(f"no attribute can hold a {type(value).__name__}")


def _is_number(value: float) -> bool:
    is_in_range = math.isfinite(value) and abs(value) < _LARGEST
    return is_in_range and (value == 0 or abs(value) > _SMALLEST)
