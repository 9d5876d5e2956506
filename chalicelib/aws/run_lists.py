"""Pages of run ids from the indexes, at a cost that does not grow with the number of runs.

A group's list is one partition. The other lists are one partition for each day and shard; the
item ``days`` / ``<day>`` says that there is something to see on a day, so that a reader walks
only days that exist. Shards come sorted and are merged.

A cursor is a place, ``<created at>#<id>``: what sorts below it comes next. Where a filter finds
little, a page stops after ``EXAMINED`` runs or ``DAYS`` days, may then be short or even empty,
and its cursor leads on.
"""

from __future__ import annotations

import base64
import heapq
import json
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Final, NamedTuple

from chalicelib.aws.expressions import BASE, Item, Query, is_key
from chalicelib.aws.run_indexes import (
    BY_CHECK_TIME,
    BY_DAY,
    BY_GROUP,
    BY_STATE,
    day_partitions,
    due_partitions,
    group_partition,
    sort_text,
)
from chalicelib.aws.table import Key, Table
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import DYNAMODB_SORT_KEY_BYTES
from chalicelib.core.run import RunState

EXAMINED: Final = 1000
"""How many of a group's runs are looked at for a page of those in one state."""
DAYS: Final = 31
"""How many days are looked at for one page."""
_LARGEST_PAGE: Final = 1000
_PLACE: Final = re.compile(r"\d{4}-\d\d-\d\d(T.*)?", re.DOTALL)


class Filter(NamedTuple):
    """Which runs a list shows."""

    group: str | None
    state: RunState | None


class KeyPage(NamedTuple):
    """The keys of a page's RUN items, and the place where the next one begins."""

    keys: list[Key]
    place: str | None


def find_page(table: Table, wanted: Filter, place: str | None, size: int) -> KeyPage:
    """Return the page that begins below ``place``, newest first."""
    if wanted.group is not None:
        return _group_page(table, wanted.group, wanted.state, place, size)
    return _day_page(table, wanted.state, place, size)


def find_due(table: Table, now: datetime, limit: int, skip: Collection[Key]) -> Iterator[Key]:
    """Yield the keys of the runs whose time has come, earliest first, but for those in ``skip``.

    What is skipped is looked at all the same, some 200 bytes each.
    """
    below = f"{sort_text(now)}$"  # the character after "#": a key at ``now`` itself is below it
    page = max(1, min(limit + len(skip), _LARGEST_PAGE))
    asked = [
        Query(BY_CHECK_TIME, partition, page, below, is_newest_first=False)
        for partition in due_partitions()
    ]
    shards = [table.query(query) for query in asked]
    merged = heapq.merge(*shards, key=itemgetter(BY_CHECK_TIME.sort))
    wanted = (key for item in merged if (key := _key(item)) not in skip)
    return islice(wanted, limit)


def _group_page(
    table: Table, group: str, state: RunState | None, place: str | None, size: int
) -> KeyPage:
    only = {} if state is None else {"state": state.value}
    examined = max(EXAMINED, size + 1) if only else size + 1
    found = table.query_page(Query(BY_GROUP, group_partition(group), examined, place, only=only))
    return _page(found.items, size, found.last)


def _day_page(table: Table, state: RunState | None, place: str | None, size: int) -> KeyPage:
    found: list[Item] = []
    walked = None
    days = table.query(Query(BASE, "days", DAYS + 1, place))
    for number, day in enumerate(days):
        if number == DAYS:
            return _page(found, size, walked)
        walked = str(day["sk"])
        room = size + 1 - len(found)
        found += islice(_day_runs(table, walked, state, place, room), room)
        if len(found) > size:
            break
    return _page(found, size, None)


def _day_runs(
    table: Table, day: str, state: RunState | None, place: str | None, page: int
) -> Iterable[Item]:
    index = BY_DAY if state is None else BY_STATE
    shards = [
        table.query(Query(index, partition, page, place))
        for partition in day_partitions(day, state)
    ]
    return heapq.merge(*shards, key=itemgetter(index.sort), reverse=True)


def _page(found: list[Item], size: int, looked_up_to: str | None) -> KeyPage:
    """One more than fits was asked for, to know whether anything follows."""
    keys = [_key(item) for item in found[:size]]
    place = found[size - 1]["created_key"] if len(found) > size else looked_up_to
    return KeyPage(keys, place)


def _key(item: Item) -> Key:
    return Key(item["pk"], item["sk"])


def page_size(limit: int) -> int:
    """Return how many runs a page may have."""
    return max(1, min(limit, _LARGEST_PAGE))


def write_cursor(place: str, wanted: Filter) -> str:
    """Return the place in the form that is handed out; it is tied to its list."""
    return base64.urlsafe_b64encode(json.dumps([place, *wanted]).encode()).decode()


def read_cursor(cursor: str, wanted: Filter) -> str:
    """Return the place. Raises InvalidRequest for a cursor that is not of this list."""
    try:
        place, *made_with = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        is_ours = _PLACE.fullmatch(place) is not None and is_key(place, DYNAMODB_SORT_KEY_BYTES)
    except (ValueError, TypeError):
        is_ours, made_with = False, []
    if not is_ours or made_with != list(wanted):
        raise InvalidRequest(
            "the cursor does not belong to this list",
            field="cursor",
            value=cursor,
            mend="take next_cursor of the page before, with the same filters, or leave it out",
        )
    return str(place)
