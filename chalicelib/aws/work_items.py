"""A work as an item, and the keys by which it is found. Values only.

==============  ============================================================  =====================
local index     sort key                                                      who asks
==============  ============================================================  =====================
by_work_state   ``<pipeline>#queued#<urgency>#<creation>#<id>``               withdrawals, views
                ``<pipeline>#<status>#<creation>#<id>``                       views
by_work_turn    ``<pipeline>#<digest of the site>#<urgency>#<creation>#<id>`` withdrawals of a site
by_work_check   ``expires#<deadline>#<id>``, ``retry#<creation>#<id>``        audits
==============  ============================================================  =====================

``urgency`` is 9 minus the priority; times are doubles in hexadecimal digits that sort as they do.
One item is the whole truth about a work, and its indexes change with it: that is what they are
local for. The price: a partition key's items and index entries together have 10 GB, and 1,000
writes a second.

``body`` is the work's JSON without its ``results``, which stand in an attribute of their own that
no index copies. What is larger than ``INLINE_BYTES``, results or the largest other fields, lies in
the object store under its version and a digest; ``beside`` says where.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from chalicelib.aws.expressions import Index, Item
from chalicelib.aws.table import Key
from chalicelib.core.work.ids import partition_of
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import json_text

INLINE_BYTES: Final = 64 * 1024
RESULT_SHARDS: Final = 4
"""Results stay for good, so that a pipeline's may outgrow the 10 GB. Never change this."""

BY_STATE: Final = Index("by_work_state", "pk", "work_state")
BY_TURN: Final = Index("by_work_turn", "pk", "work_turn")
BY_CHECK: Final = Index("by_work_check", "pk", "work_check")
_INLINE: Final = ""
"""In ``beside``: the results are in the item itself."""


class Packed(NamedTuple):
    """An item, and what must be written before it."""

    values: Item
    payloads: dict[str, str]
    """``s3://`` location → text."""


def work_key(work_id: str) -> Key:
    """Return the key of a work in the queue: its id names its partition."""
    return Key(f"works#{work_id[-4:]}", work_id)


def work_partitions(pipeline: str) -> list[str]:
    """Return where the pipeline's queued works are."""
    return [f"works#{partition_of(pipeline)}"]


def result_key(pipeline: str, work_id: str) -> Key:
    """Return the key of a result."""
    shard = int(hashlib.sha256(work_id.encode()).hexdigest()[:8], 16) % RESULT_SHARDS
    return Key(f"results#{pipeline}#{shard}", work_id)


def result_partitions(pipeline: str) -> list[str]:
    """Return where the pipeline's results are."""
    return [f"results#{pipeline}#{shard}" for shard in range(RESULT_SHARDS)]


def state_prefix(pipeline: str, status: WorkStatus, priority: int | None = None) -> str:
    """Return how the sort keys of that status begin; queued ones of one priority, if given."""
    prefix = f"{pipeline}#{status}#"
    return prefix if priority is None else f"{prefix}{_urgency(priority)}#"


def turn_prefix(pipeline: str, site: str, priority: int | None = None) -> str:
    """Return how the turns of a site begin, of one priority, if given."""
    prefix = f"{pipeline}#{hashlib.sha256(site.encode()).hexdigest()[:16]}#"
    return prefix if priority is None else f"{prefix}{_urgency(priority)}#"


def pack(document: dict[str, Any], stem: str) -> Packed:
    """Return the attributes of a work's document but for its keys.

    ``stem`` is how the locations of what must lie beside it begin: one for each version.
    """
    rest = {name: value for name, value in document.items() if name != "results"}
    beside: dict[str, str] = {}
    payloads: dict[str, str] = {}

    def move_out(name: str, text: str) -> None:
        beside[name] = f"{stem}{hashlib.sha256(text.encode()).hexdigest()}.json"
        payloads[beside[name]] = text

    values: Item = {}
    if document["results"] is not None:
        results = json_text(document["results"])
        if len(results.encode()) > INLINE_BYTES:
            move_out("results", results)
        else:
            values["results"], beside["results"] = results, _INLINE
    while len((body := json_text(rest)).encode()) > INLINE_BYTES:
        largest = max(rest, key=lambda name: len(json_text(rest[name])))
        move_out(largest, json_text(rest.pop(largest)))
    return Packed({**values, "body": body, **({"beside": beside} if beside else {})}, payloads)


def queue_keys(work: Work) -> Item:
    """Return the sort keys of a work of the queue."""
    turn = f"{_urgency(work.priority)}#{time_text(work.creation or 0.0)}#{work.id}"
    if work.status is WorkStatus.QUEUED:
        state = state_prefix(work.pipeline, work.status) + turn
        return {"work_state": state, "work_turn": turn_prefix(work.pipeline, work.site) + turn}
    return {**result_keys(work), **_check_keys(work)}


def result_keys(work: Work) -> Item:
    """Return the sort key of a result."""
    prefix = state_prefix(work.pipeline, work.status)
    return {"work_state": f"{prefix}{time_text(work.creation or 0.0)}#{work.id}"}


def is_complete(item: Item) -> bool:
    """Tell whether the item, perhaps from an index, has all there is beside the object store."""
    return "results" in item or item.get("beside", {}).get("results") != _INLINE


def unpack(item: Item, read: Callable[[str], str], *, has_results: bool) -> dict[str, Any]:
    """Return the document; with null for results that are there but not asked for."""
    document: dict[str, Any] = json.loads(item["body"])
    document["results"] = None
    if has_results and "results" in item:
        document["results"] = json.loads(item["results"])
    for name, uri in item.get("beside", {}).items():
        if uri != _INLINE and (has_results or name != "results"):
            document[name] = json.loads(read(uri))
    return document


def time_text(seconds: float) -> str:
    """Return 16 hexadecimal digits that sort as the numbers do, negative ones included."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", seconds + 0.0))
    return f"{bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 1 << 63):016x}"


def _check_keys(work: Work) -> Item:
    if work.deadline is not None:
        return {"work_check": f"expires#{time_text(work.deadline)}#{work.id}"}
    if work.is_retryable:
        return {"work_check": f"retry#{time_text(work.creation or 0.0)}#{work.id}"}
    return {}


def _urgency(priority: int) -> int:
    return 9 - priority
