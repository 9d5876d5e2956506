"""Runs in DynamoDB: one RUN item each, every save one conditional write.

Before a run's first save its PLAN item is written, and its day is entered; before any save, what
the RUN item has no room for. All of that bears its content's digest in its name or never changes:
a crash in between leaves items that nobody names, and blocks nothing.

Each save carries a token of its own. When a save's answer is lost the SDK sends it again and
finds that the version has moved on; the token tells whether it was this very save that moved it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from chalicelib.aws.expressions import Item
from chalicelib.aws.run_indexes import day_of, sort_text
from chalicelib.aws.run_items import (
    Packed,
    keys_beside,
    pack,
    pack_plan,
    run_key,
    unpack,
    unpack_plan,
    unpack_run,
)
from chalicelib.aws.run_lists import (
    Filter,
    find_due,
    find_page,
    page_size,
    read_cursor,
    write_cursor,
)
from chalicelib.aws.run_removal import is_marked, refuse_marked, remove_run
from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.core.errors import NotFound, StaleRun
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run, RunRecord, RunState
from chalicelib.ports import ObjectStore, RunPage
from chalicelib.recent import Recent

_KNOWN: Final = 10_000
"""How many written things a process remembers, so as not to write them with every save."""


_PLANS: Final = 64
"""How many plans a process remembers: they never change, and every event needs its run's."""


class DynamoRunStore:
    """The RunStore of the AWS home."""

    def __init__(self, table: Table, objects: ObjectStore, scratch_bucket: str) -> None:
        self._table = table
        self._objects = objects
        self._bucket = scratch_bucket
        self._known: set[str] = set()
        self._plans: Recent[Key, Plan] = Recent(_PLANS)

    def load(self, run_id: str) -> Run:
        """Return the run with its plan, read consistently. Raises NotFound."""
        item = self._table.get(run_key(run_id))
        if item is None:
            raise NotFound(f"there is no run {run_id!r}")
        refuse_marked(run_id, item)
        plan_key, known, wanted = self._beside(item)
        beside = self._table.get_many(wanted)
        plan = known or self._plan(plan_key, beside)
        if plan is None:
            raise NotFound(f"the plan of run {run_id!r} is gone")
        return unpack_run(item, plan, beside, self._read)

    def load_many(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        """Return those that are there: two batches of reads for a hundred of them."""
        items = self._table.get_many(map(run_key, run_ids)).values()
        read = [(item, *self._beside(item)) for item in items if not is_marked(item)]
        beside = self._table.get_many(key for *_, wanted in read for key in wanted)
        planned = ((item, known or self._plan(key, beside)) for item, key, known, _ in read)
        return tuple(unpack_run(item, plan, beside, self._read) for item, plan in planned if plan)

    def save(self, run: Run) -> Run:
        """Save under the version condition. Raises StaleRun, and TooLarge with nothing changed."""
        saved = run.model_copy(update={"version": run.version + 1})
        packed = pack(saved, self._bucket)
        self._write_beside(saved, packed)
        token = secrets.token_hex(8)
        write = self._create if run.version == 0 else self._update
        try:
            write(saved, {**packed.values, "save_token": token})
        except ConditionFailed as exc:
            if exc.item is None or exc.item.get("save_token") != token:
                raise StaleRun(f"run {run.id!r} is no longer at version {run.version}") from exc
        return saved

    def list(
        self,
        *,
        group: str | None = None,
        state: RunState | None = None,
        cursor: str | None = None,
        limit: int = 50,
        created_before: datetime | None = None,
    ) -> RunPage:
        """Return a page, newest first; it may be short, or empty, and have a cursor."""
        wanted = Filter(group, state)
        place = None if cursor is None else read_cursor(cursor, wanted)
        if created_before is not None:
            place = min(sort_text(created_before), place or "9999")
        page = find_page(self._table, wanted, place, page_size(limit))
        following = None if page.place is None else write_cursor(page.place, wanted)
        items = self._table.get_many(page.keys)
        # An index lags behind: what it showed may have gone on, and is judged as it is now.
        found = [items[key] for key in page.keys if key in items]
        return RunPage(self._records([run for run in found if _is(run, wanted)]), following)

    def due(self, now: datetime, limit: int = 100, skip: Collection[str] = ()) -> tuple[str, ...]:
        """Return ids of unsettled runs whose time has come, earliest first."""
        keys = find_due(self._table, now, limit, {run_key(run_id) for run_id in skip})
        return tuple(key.pk.removeprefix("run#") for key in keys)

    def delete(self, run_id: str) -> None:
        """Remove the run's items and what overflowed them. Raises Conflict, StaleRun."""
        remove_run(run_id, self._table, self._objects, self._bucket)

    def _records(self, items: Sequence[Item]) -> tuple[RunRecord, ...]:
        beside = self._table.get_many(key for item in items for key in keys_beside(item))
        return tuple(unpack(item, beside, self._read) for item in items)

    def _beside(self, item: Item) -> tuple[Key, Plan | None, tuple[Key, ...]]:
        """Return the plan's key, the plan if it is remembered, and what else must be read."""
        plan_key = Key(item["pk"], item["plan"])
        plan = self._plans.get(plan_key)
        return plan_key, plan, (*(() if plan else (plan_key,)), *keys_beside(item))

    def _plan(self, key: Key, beside: Mapping[Key, Item]) -> Plan | None:
        if key not in beside:
            return None
        plan = unpack_plan(beside[key], self._read)
        self._plans.put(key, plan)
        return plan

    def _create(self, run: Run, values: Item) -> None:
        plan = pack_plan(run, self._bucket)
        self._write_payloads(run, plan.payloads)
        self._table.put_once(plan.key, plan.values)
        day = day_of(run)
        self._once(day, partial(self._table.put_once, Key("days", day), {}))
        present = {name: value for name, value in values.items() if value is not None}
        self._table.put(
            run_key(run.id), {**present, "plan": plan.key.sk}, "attribute_not_exists(pk)"
        )

    def _update(self, run: Run, values: Item) -> None:
        present = {name: value for name, value in values.items() if value is not None}
        sets = ", ".join(f"#{name} = :{name}" for name in present)
        removes = ", ".join(f"#{name}" for name in values.keys() - present.keys())
        change = f"SET {sets}" + (f" REMOVE {removes}" if removes else "")
        expected = run.version - 1
        self._table.update(
            run_key(run.id), change, "#version = :expected", **present, expected=expected
        )

    def _write_beside(self, run: Run, packed: Packed) -> None:
        self._write_payloads(run, packed.payloads)
        for key, values in packed.history.items():
            self._once(f"{run.uid} {key.sk}", partial(self._table.put_once, key, values))

    def _write_payloads(self, run: Run, payloads: Mapping[str, str]) -> None:
        for uri, text in payloads.items():
            self._once(f"{run.uid} {uri}", partial(self._objects.write, uri, text.encode()))

    def _once(self, name: str, write: Callable[[], None]) -> None:
        """Write what never changes, unless this process knows that it is there."""
        if name in self._known:
            return
        write()
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known.add(name)

    def _read(self, uri: str) -> str:
        return self._objects.read(uri).decode()


def _is(item: Item, wanted: Filter) -> bool:
    is_wanted = wanted.group in (None, item["group"]) and wanted.state in (None, item["state"])
    return is_wanted and not is_marked(item)
