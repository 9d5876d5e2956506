"""How many request units a call of DynamoDB consumes, computed from the sizes of items.

moto answers ``ReturnConsumedCapacity`` with a constant, so the rules are applied here to the items
as they stand before and after the call. Sources: Amazon DynamoDB developer guide, "DynamoDB read
and write operations" (a write unit for each started KB of the larger of old and new item, also
when the condition fails; a read unit for each started 4 KB read consistently, half of it
otherwise, one for an item that is not there), "Item sizes and formats", and "Using Global
Secondary Indexes" (an entry put or removed is a write of its size; a key that changes is both; an
update that leaves what is projected alone costs nothing).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from chalicelib.aws.attributes import size_bytes

WRITE_BYTES: Final = 1024
READ_BYTES: Final = 4096

Item = Mapping[str, Any]


class Index(NamedTuple):
    """What a secondary index takes from an item."""

    keys: tuple[str, ...]
    projected: tuple[str, ...]
    """All attributes of an entry: its own keys, the table's, and what is included."""


def item_bytes(item: Item) -> int:
    """Return the size of a whole item: its names and values."""
    return sum(len(name.encode()) + size_bytes(value) for name, value in item.items())


def write_units(before: Item | None, after: Item | None, indexes: Iterable[Index]) -> int:
    """Return what one write consumed, in the table and in its indexes.

    After a write whose condition failed, ``after`` is what was there before.
    """
    own = max(_write_size(before), _write_size(after))
    return own + sum(_index_units(before, after, index) for index in indexes)


def read_units(items: Iterable[Item | None], *, is_consistent: bool) -> float:
    """Return what reading the items by their keys consumed; None is one that is not there."""
    whole = sum(max(1, math.ceil(item_bytes(item or {}) / READ_BYTES)) for item in items)
    return whole if is_consistent else whole / 2


def query_units(items: Iterable[Item], *, is_consistent: bool) -> float:
    """Return what a query consumed: the items together, not each by itself."""
    whole = max(1, math.ceil(sum(item_bytes(item) for item in items) / READ_BYTES))
    return whole if is_consistent else whole / 2


def _index_units(before: Item | None, after: Item | None, index: Index) -> int:
    old, new = _entry(before, index), _entry(after, index)
    if old == new:
        return 0
    if old is None or new is None:
        return _write_size(old or new)
    if any(old[key] != new[key] for key in index.keys):
        return _write_size(old) + _write_size(new)
    return max(_write_size(old), _write_size(new))


def _entry(item: Item | None, index: Index) -> Item | None:
    """An item without one of the keys is not in the index."""
    if item is None or not all(key in item for key in index.keys):
        return None
    return {name: item[name] for name in index.projected if name in item}


def _write_size(item: Item | None) -> int:
    return max(1, math.ceil(item_bytes(item or {}) / WRITE_BYTES))
