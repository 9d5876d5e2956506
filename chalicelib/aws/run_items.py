"""A run as items, and back. Values only: the run store writes and reads them.

The RUN item is for the operator's eyes: times, states, stages with their histories, and jobs are
DynamoDB's own types. ``result`` and ``outputs`` may be any JSON and are JSON text, for what
DynamoDB gives back of a number is not always what it was given.

What an item has no room for lies beside it, under names that contain a digest of the content, so
that writing it again changes nothing and a lost save leaves nothing wrong behind::

    result, outputs  ──▶  s3://<scratch bucket>/runs/<id>/payloads/<digest>.json
    plan             ──▶  s3://<scratch bucket>/runs/<id>/plans/<digest>.json
    older history    ──▶  HISTORY items, named in their order by ``older_history``

The plan's digest is written with version 1 and never again: a later release may spell the same
plan otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import JsonValue

from chalicelib.aws.attributes import size_bytes
from chalicelib.aws.expressions import Item
from chalicelib.aws.run_indexes import index_keys
from chalicelib.aws.table import ITEM_BYTES, Key
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run, RunRecord, Stage

INLINE_BYTES: Final = 64 * 1024
"""Larger payloads go to the object store."""

_RUN_BYTES: Final = ITEM_BYTES - 1024
"""The store adds the name of the plan and a token."""


class Room(NamedTuple):
    """How much a RUN item takes in before it puts things beside itself."""

    payload_bytes: int
    history_entries: int
    """How many of a stage's entries stay in the item."""
    chunk_entries: int
    """How many of them go into one HISTORY item."""


ROOMS: Final = (Room(INLINE_BYTES, 50, 25), Room(1024, 5, 5))
"""Tried in this order; the second one when the first would make too large an item."""


class Packed(NamedTuple):
    """A run's RUN item, but for its plan, and what must be written before it."""

    values: Item
    """Those that are None are not in the item."""
    history: dict[Key, Item]
    payloads: dict[str, str]
    """``s3://`` location → text."""


class PackedPlan(NamedTuple):
    """A run's PLAN item, and what must be written before it."""

    key: Key
    values: Item
    payloads: dict[str, str]


def run_key(run_id: str) -> Key:
    """Return the key of the RUN item."""
    return Key(f"run#{run_id}", "run")


def pack(run: Run, scratch_bucket: str) -> Packed:
    """Return what saving the run means writing."""
    home = f"s3://{scratch_bucket}/runs/{run.id}/payloads/"
    tried = (_pack(run, _Beside(run_key(run.id).pk, home, room)) for room in ROOMS)
    packed = next(tried)
    return packed if size_bytes(packed.values) <= _RUN_BYTES else next(tried)


def pack_plan(run: Run, scratch_bucket: str) -> PackedPlan:
    """Return what creating the run means writing before it."""
    text = run.plan.model_dump_json()
    key = Key(run_key(run.id).pk, f"plan#{_digest(text)}")
    beside = _Beside(key.pk, f"s3://{scratch_bucket}/runs/{run.id}/plans/", ROOMS[0])
    return PackedPlan(key, beside.payload("body", text), beside.payloads)


def keys_beside(item: Item) -> list[Key]:
    """Return the keys of the HISTORY items that the RUN item names."""
    return [Key(item["pk"], name) for stage in item["stages"] for name in stage["older_history"]]


def unpack(item: Item, beside: Mapping[Key, Item], read: Callable[[str], str]) -> RunRecord:
    """Return the run that the RUN item and those beside it hold."""
    return RunRecord.model_validate(_fields(item, beside, read))


def unpack_plan(item: Item, read: Callable[[str], str]) -> Plan:
    """Return the plan that the PLAN item holds."""
    return Plan.model_validate_json(_read_payload("body", item, read) or "null")


def unpack_run(
    item: Item, plan: Plan, beside: Mapping[Key, Item], read: Callable[[str], str]
) -> Run:
    """Return the run with its plan."""
    return Run.model_validate({**_fields(item, beside, read), "plan": plan})


class _Beside:
    """Notes what must lie beside an item while the item is made."""

    def __init__(self, pk: str, home: str, room: Room) -> None:
        self._pk = pk
        self._home = home
        self._room = room
        self.history: dict[Key, Item] = {}
        self.payloads: dict[str, str] = {}

    def payload(self, name: str, text: str) -> Item:
        """Return the attribute that holds the text, or the one that says where it is."""
        if len(text.encode()) <= self._room.payload_bytes:
            return {name: text}
        uri = f"{self._home}{_digest(text)}.json"
        self.payloads[uri] = text
        return {f"{name}_uri": uri}

    def entries(self, entries: list[Item]) -> Item:
        """Return the attributes that hold the last entries, and the names of the older ones."""
        size = self._room.chunk_entries
        moved = -(-max(0, len(entries) - self._room.history_entries) // size) * size
        older = [self._chunk(entries[start : start + size]) for start in range(0, moved, size)]
        return {"history": entries[moved:], "older_history": older}

    def _chunk(self, entries: list[Item]) -> str:
        key = Key(self._pk, f"history#{_digest(_text(entries))}")
        self.history[key] = {"entries": entries}
        return key.sk


def _pack(run: Run, beside: _Beside) -> Packed:
    values = {
        **run.model_dump(mode="json", exclude={"plan", "stages", "jobs", "error", "outputs"}),
        **index_keys(run),
        "error": run.error and run.error.model_dump(mode="json"),
        "jobs": [job.model_dump(mode="json", exclude_none=True) for job in run.jobs],
        "announced": list(run.announced) or None,
        "left_over": [each.model_dump(mode="json") for each in run.left_over] or None,
        "stages": [_pack_stage(stage, beside) for stage in run.stages],
        "outputs": None,
        "outputs_uri": None,
        **beside.payload("outputs", _text(run.outputs)),
    }
    return Packed(values, beside.history, beside.payloads)


def _pack_stage(stage: Stage, beside: _Beside) -> Item:
    return {
        **stage.model_dump(mode="json", exclude={"result", "history"}, exclude_none=True),
        **({} if stage.result is None else beside.payload("result", _text(stage.result))),
        **beside.entries([entry.model_dump(mode="json") for entry in stage.history]),
    }


def _fields(item: Item, beside: Mapping[Key, Item], read: Callable[[str], str]) -> dict[str, Any]:
    known = {name: value for name, value in item.items() if name in RunRecord.model_fields}
    outputs = _read_payload("outputs", item, read)
    stages = [_unpack_stage(item["pk"], stage, beside, read) for stage in item["stages"]]
    return {**known, "stages": stages, "outputs": json.loads(outputs or "{}")}


def _unpack_stage(
    pk: str, stage: Item, beside: Mapping[Key, Item], read: Callable[[str], str]
) -> Item:
    known = {name: value for name, value in stage.items() if name in Stage.model_fields}
    result = _read_payload("result", stage, read)
    older = [entry for sk in stage["older_history"] for entry in beside[Key(pk, sk)]["entries"]]
    return {
        **known,
        "result": None if result is None else json.loads(result),
        "history": older + stage["history"],
    }


def _read_payload(name: str, item: Item, read: Callable[[str], str]) -> str | None:
    uri = item.get(f"{name}_uri")
    return item.get(name) if uri is None else read(uri)


def _text(value: JsonValue | list[Any] | dict[str, JsonValue]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
