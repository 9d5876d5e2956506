"""Runs in SQLite: two rows each, every save one statement under one condition.

A row is read with every load, but what it *means* is remembered: a plan by its digest, a run by
its text. A row that holds, letter for letter, what this process last read or wrote need not be
parsed again. (The text bears the uid, so that it cannot be another run's.) Values never change,
so that many may share one.

A page's cursor is the place after its last run: (creation time, id). It names the filter that it
was made with, for with another one it would silently leave runs out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from chalicelib.core.errors import InvalidRequest, NotFound, StaleRun
from chalicelib.core.flowserv.states import check_deletable
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run, RunRecord, RunState
from chalicelib.local.database import Database, to_optional_text, to_text
from chalicelib.ports import RunPage
from chalicelib.recent import Recent

_RUN = "SELECT body, plan_digest FROM runs WHERE id = ?"
_PLAN = "SELECT body FROM plans WHERE run_id = ? AND digest = ?"
_LISTED = "SELECT body, created_at, id FROM runs"
_PAGE_LIMIT = 1000
_REMEMBERED: Final = 64
"""Runs, and plans, of which a process keeps what they mean; a large one takes a megabyte."""


class _Understood(NamedTuple):
    """What a row said, and what it means."""

    body: str
    run: Run


class LocalRunStore:
    """The RunStore of the embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plans: Recent[str, Plan] = Recent(_REMEMBERED)
        self._runs: Recent[str, _Understood] = Recent(_REMEMBERED)

    def load(self, run_id: str) -> Run:
        """Return the run with its plan. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(_RUN, (run_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no run {run_id!r}")
        known = self._runs.get(run_id)
        if known is not None and known.body == row["body"]:
            return known.run
        record = RunRecord.model_validate_json(row["body"])
        plan = self._plan(run_id, row["plan_digest"])
        run = Run.model_validate({**dict(record), "plan": plan})
        self._runs.put(run_id, _Understood(row["body"], run))
        return run

    def load_many(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        """Return those that are there."""
        found = []
        for run_id in dict.fromkeys(run_ids):
            with suppress(NotFound):
                found.append(self.load(run_id))
        return tuple(found)

    def save(self, run: Run) -> Run:
        """Save under the version condition. Raises StaleRun."""
        saved = run.model_copy(update={"version": run.version + 1})
        body = saved.model_dump_json(exclude={"plan"})
        is_saved = (self._create if run.version == 0 else self._update)(saved, body)
        if not is_saved:
            raise StaleRun(f"run {run.id!r} is no longer at version {run.version}")
        known = self._runs.get(run.id)
        # The stored plan is the first one, whatever this run says.
        if run.version == 0 or (known is not None and known.run.plan is run.plan):
            self._runs.put(run.id, _Understood(body, saved))
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
        """Return a page, newest first."""
        wanted = [
            ("grp = ?", group),
            ("state = ?", state and state.value),
            ("created_at < ?", to_optional_text(created_before)),
        ]
        conditions = [(text, value) for text, value in wanted if value is not None]
        where = [text for text, _ in conditions]
        values = [value for _, value in conditions]
        if cursor is not None:
            where.append("(created_at, id) < (?, ?)")
            values.extend(_read_cursor(cursor, group, state))
        size = max(1, min(limit, _PAGE_LIMIT))
        filtered = f" WHERE {' AND '.join(where)}" if where else ""
        order = " ORDER BY created_at DESC, id DESC LIMIT ?"
        with self._database.reading() as connection:
            rows = connection.execute(_LISTED + filtered + order, (*values, size + 1))
            found = rows.fetchall()
        page = found[:size]
        following = _cursor(page[-1], group, state) if len(found) > size else None
        records = tuple(RunRecord.model_validate_json(row["body"]) for row in page)
        return RunPage(records, following)

    def due(self, now: datetime, limit: int = 100, skip: Collection[str] = ()) -> tuple[str, ...]:
        """Return ids of unsettled runs whose time has come, earliest first."""
        skipped = frozenset(skip)
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM runs WHERE next_check_at <= ? ORDER BY next_check_at, id LIMIT ?",
                (to_text(now), limit + len(skipped)),
            ).fetchall()
        wanted = (row["id"] for row in rows if row["id"] not in skipped)
        return tuple(islice(wanted, limit))

    def delete(self, run_id: str) -> None:
        """Remove the rows of a settled run, in one transaction. Raises Conflict."""
        with self._database.writing() as connection:
            row = connection.execute(_RUN, (run_id,)).fetchone()
            if row is None:
                return
            run = RunRecord.model_validate_json(row["body"])
            check_deletable(run.id, run.state, is_settled=run.settled_at is not None)
            connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            connection.execute("DELETE FROM plans WHERE run_id = ?", (run_id,))

    def _plan(self, run_id: str, digest: str) -> Plan:
        plan = self._plans.get(digest)
        if plan is None:
            with self._database.reading() as connection:
                row = connection.execute(_PLAN, (run_id, digest)).fetchone()
            if row is None:
                raise NotFound(f"the plan of run {run_id!r} is gone")
            plan = Plan.model_validate_json(row["body"])
            self._plans.put(digest, plan)
        return plan

    def _create(self, run: Run, body: str) -> bool:
        plan = run.plan.model_dump_json()
        digest = hashlib.sha256(plan.encode()).hexdigest()
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO plans (run_id, digest, body) VALUES (?, ?, ?)",
                (run.id, digest, plan),
            )
        with self._database.writing() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO runs"
                " (version, grp, state, created_at, next_check_at, body, id, plan_digest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*_columns(run, body), run.id, digest),
            )
        return done.rowcount == 1

    def _update(self, run: Run, body: str) -> bool:
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE runs SET version = ?, grp = ?, state = ?, created_at = ?,"
                " next_check_at = ?, body = ? WHERE id = ? AND version = ?",
                (*_columns(run, body), run.id, run.version - 1),
            )
        return done.rowcount == 1


def _columns(run: Run, body: str) -> tuple[object, ...]:
    return (
        run.version,
        run.group,
        run.state.value,
        to_text(run.created_at),
        to_optional_text(run.next_check_at),
        body,
    )


def _cursor(row: sqlite3.Row, group: str | None, state: RunState | None) -> str:
    place = [row["created_at"], row["id"], group, state]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_cursor(cursor: str, group: str | None, state: RunState | None) -> tuple[str, str]:
    try:
        created_at, run_id, *made_with = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        is_ours = isinstance(created_at, str) and isinstance(run_id, str)
        f"{created_at}{run_id}".encode()  # half a surrogate is no text to SQLite
    except (ValueError, TypeError):
        is_ours, made_with = False, []
    if not is_ours or made_with != [group, state]:
        raise InvalidRequest(
            "the cursor does not belong to this list",
            field="cursor",
            value=cursor,
            mend="take next_cursor of the page before, with the same filters, or leave it out",
        )
    return created_at, run_id
