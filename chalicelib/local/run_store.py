"""Runs in SQLite: two rows each, every save one statement under one condition.

A page's cursor is the place after its last run: (creation time, id). It names the filter that it
was made with, for with another one it would silently leave runs out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from datetime import datetime

from chalicelib.core.errors import InvalidRequest, NotFound, StaleRun
from chalicelib.core.run import Run, RunRecord, RunState
from chalicelib.local.database import Database, to_optional_text, to_text
from chalicelib.ports import RunPage

_WITH_PLAN = """
SELECT runs.body AS body, plans.body AS plan
FROM runs JOIN plans ON plans.run_id = runs.id AND plans.digest = runs.plan_digest
"""
_LISTED = "SELECT body, created_at, id FROM runs"
_PAGE_LIMIT = 1000


class LocalRunStore:
    """The RunStore of the embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, run_id: str) -> Run:
        """Return the run with its plan. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(f"{_WITH_PLAN} WHERE runs.id = ?", (run_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no run {run_id!r}")
        return _run(row)

    def save(self, run: Run) -> Run:
        """Save under the version condition. Raises StaleRun."""
        saved = run.model_copy(update={"version": run.version + 1})
        is_saved = self._create(saved) if run.version == 0 else self._update(saved)
        if not is_saved:
            raise StaleRun(f"run {run.id!r} is no longer at version {run.version}")
        return saved

    def list(
        self,
        *,
        group: str | None = None,
        state: RunState | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """Return a page, newest first."""
        wanted = [("grp = ?", group), ("state = ?", state and state.value)]
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

    def due(self, now: datetime, limit: int = 100) -> tuple[str, ...]:
        """Return ids of unsettled runs whose time has come, earliest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM runs WHERE next_check_at <= ? ORDER BY next_check_at, id LIMIT ?",
                (to_text(now), limit),
            ).fetchall()
        return tuple(row["id"] for row in rows)

    def _create(self, run: Run) -> bool:
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
                (*_columns(run), run.id, digest),
            )
        return done.rowcount == 1

    def _update(self, run: Run) -> bool:
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE runs SET version = ?, grp = ?, state = ?, created_at = ?,"
                " next_check_at = ?, body = ? WHERE id = ? AND version = ?",
                (*_columns(run), run.id, run.version - 1),
            )
        return done.rowcount == 1


def _columns(run: Run) -> tuple[object, ...]:
    return (
        run.version,
        run.group,
        run.state.value,
        to_text(run.created_at),
        to_optional_text(run.next_check_at),
        run.model_dump_json(exclude={"plan"}),
    )


def _run(row: sqlite3.Row) -> Run:
    return Run.model_validate({**json.loads(row["body"]), "plan": json.loads(row["plan"])})


def _cursor(row: sqlite3.Row, group: str | None, state: RunState | None) -> str:
    place = [row["created_at"], row["id"], group, state]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_cursor(cursor: str, group: str | None, state: RunState | None) -> tuple[str, str]:
    try:
        created_at, run_id, *made_with = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        is_ours = isinstance(created_at, str) and isinstance(run_id, str)
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
