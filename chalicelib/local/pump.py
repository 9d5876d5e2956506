"""Which job starts, and which job is lost: decided in transactions, so that many may pump.

First come, first served: the oldest waiting job that does not fit keeps the others waiting, so
that a wide job is never starved by narrow ones. A job that asks for more cores than there are
gets them all.

Between the commit that says STARTING and the wrapper's own claim lies a gap in which this process
may die. A job that stays in it too long is put back; its next start has another token, so that a
wrapper that was merely slow finds itself superseded.
"""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.core.errors import Refused
from chalicelib.core.job_state import JobStatus
from chalicelib.job_ports import JobRequest
from chalicelib.local.database import Database, to_text
from chalicelib.local.launcher import Launcher, Start
from chalicelib.local.lost_jobs import LostJobs

STARTING_SECONDS: Final = 20
"""Longer than a wrapper takes to start on a busy machine (some 0.1 s)."""

LOOK_SECONDS: Final = 1.0
"""How often the locks of running jobs are tried: one system call each."""


class Pump:
    """Starts jobs as long as the queue has room."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        lost: LostJobs,
        *,
        width: int | None = None,
        starting_seconds: float = STARTING_SECONDS,
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._lost = lost
        self._width = width or os.cpu_count() or 1
        self._starting = timedelta(seconds=starting_seconds)
        self._looked_at = -LOOK_SECONDS

    def turn(self) -> bool:
        """Do what can be done now; return whether anything was."""
        self._launcher.reap()
        has_done = False
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
            has_done = self._lost.settle() + self._put_back() > 0
        starts = self._take_starts() if self._is_any_waiting() else []
        for start in starts:
            self._start(start)
        return has_done or bool(starts)

    def _is_any_waiting(self) -> bool:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT 1 FROM jobs WHERE status = ? LIMIT 1", (JobStatus.RUNNABLE,)
            ).fetchone()
        return row is not None

    def _take_starts(self) -> list[Start]:
        starts = []
        with self._database.writing() as connection:
            (used,) = connection.execute(
                "SELECT coalesce(sum(min(cores, ?)), 0) FROM jobs WHERE status IN (?, ?)",
                (self._width, JobStatus.STARTING, JobStatus.RUNNING),
            ).fetchone()
            waiting = connection.execute(
                "SELECT job_id, request, min(cores, ?) AS cores FROM jobs WHERE status = ?"
                " ORDER BY number LIMIT ?",
                (self._width, JobStatus.RUNNABLE, self._width),
            ).fetchall()
            for row in waiting:
                used += row["cores"]
                if used > self._width:
                    break
                token = uuid.uuid4().hex
                connection.execute(
                    "UPDATE jobs SET status = ?, token = ?, starting_at = ? WHERE job_id = ?",
                    (JobStatus.STARTING, token, to_text(datetime.now(UTC)), row["job_id"]),
                )
                request = JobRequest.model_validate_json(row["request"])
                starts.append(Start(row["job_id"], token, request))
        return starts

    def _put_back(self) -> int:
        """Make jobs RUNNABLE again whose wrapper never came."""
        with self._database.reading() as connection:
            late = connection.execute(
                "SELECT job_id, token FROM jobs WHERE status = ? AND starting_at < ?",
                (JobStatus.STARTING, to_text(datetime.now(UTC) - self._starting)),
            ).fetchall()
        for row in late:
            with self._database.writing() as connection:
                connection.execute(
                    "UPDATE jobs SET status = ?, token = NULL"
                    " WHERE job_id = ? AND token = ? AND status = ?",
                    (JobStatus.RUNNABLE, row["job_id"], row["token"], JobStatus.STARTING),
                )
        return len(late)

    def _start(self, start: Start) -> None:
        try:
            self._launcher.start(start)
        except (Refused, OSError) as exc:
            self._fail(start, f"CannotStartContainerError: {exc}")

    def _fail(self, start: Start, reason: str) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET status = ?, reason = ?, stopped_at = ?"
                " WHERE job_id = ? AND token = ? AND status = ?",
                (
                    JobStatus.FAILED,
                    reason,
                    to_text(datetime.now(UTC)),
                    start.job_id,
                    start.token,
                    JobStatus.STARTING,
                ),
            )
