"""What the table is asked, as values, and DynamoDB's expressions for it.

In an expression ``#name`` stands for the attribute ``name`` and ``:name`` for a value: no name
can then be one of DynamoDB's 573 reserved words, and no value is ever part of the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from chalicelib.aws.attributes import to_attribute, to_item

Item = dict[str, Any]


class Index(NamedTuple):
    """Where a query looks, and the attributes that are the keys there."""

    name: str | None
    partition: str
    sort: str


BASE: Final = Index(None, "pk", "sk")


@dataclass(frozen=True)
class Query:
    """The items of one partition, in the order of their sort keys."""

    index: Index
    partition: str
    page: int
    """How many items are looked at in one call."""
    below: str | None = None
    """Only sort keys below this one."""
    is_newest_first: bool = True
    only: Mapping[str, str] = field(default_factory=dict)
    """Attributes that must equal; what does not is looked at, and paid for, all the same."""
    between: tuple[str, str] | None = None
    """Only sort keys from the first to the second; not together with ``below``."""
    first_page: int | None = None
    """As ``page``, for the first call."""
    is_local: bool = False
    """Whether the index is a local one, which can be read consistently."""


class Found(NamedTuple):
    """One page of a query. ``last`` is the sort key up to which it looked, None for the end."""

    items: list[Item]
    last: str | None


def query_arguments(query: Query, start: Item | None) -> dict[str, Any]:
    """Return the query in the form that boto3 takes; ``start`` is where the last page ended."""
    keys = f"#{query.index.partition} = :partition"
    if query.below is not None:
        keys += f" AND #{query.index.sort} < :below"
    if query.between is not None:
        keys += f" AND #{query.index.sort} BETWEEN :low AND :high"
    low, high = query.between or (None, None)
    only = " AND ".join(f"#{name} = :{name}" for name in query.only)
    told = {"partition": query.partition, "below": query.below, "low": low, "high": high}
    told |= query.only
    is_consistent = query.is_local or not query.index.name
    return {
        **({"IndexName": query.index.name} if query.index.name else {}),
        **({"ConsistentRead": True} if is_consistent else {}),
        "ScanIndexForward": not query.is_newest_first,
        "Limit": query.page if start or query.first_page is None else query.first_page,
        "KeyConditionExpression": keys,
        **({"FilterExpression": only} if only else {}),
        **({"ExclusiveStartKey": to_item(start)} if start else {}),
        **placeholders(told, keys, only),
    }


def placeholders(told: Mapping[str, object], *expressions: str) -> dict[str, Any]:
    """Return what the placeholders in the expressions stand for; DynamoDB refuses any other."""
    text = " ".join(expressions)
    names = {f"#{name}": name for name in re.findall(r"#(\w+)", text)}
    values = {f":{name}": to_attribute(told[name]) for name in re.findall(r":(\w+)", text)}
    return {
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": values} if values else {}),
    }


def is_key(text: str, limit_bytes: int) -> bool:
    """Tell whether an item can be named so at all; DynamoDB would not even look."""
    try:
        return len(text.encode()) <= limit_bytes
    except UnicodeEncodeError:
        return False
