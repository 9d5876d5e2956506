"""AWS Batch on one machine: jobs are rows, and each runs under a wrapper process of its own.

::

    submit → RUNNABLE → STARTING → RUNNING → SUCCEEDED
                 ↑ ↓        │          └──→ FAILED
                 │ └─ stop ─┼─────────────────↑
                 └──────────┘ the wrapper never came: another token

Submitting only inserts. Whoever holds the engine's lock calls ``pump``, which starts what there
is room for; that it is called by two does no harm. Nothing here waits for a job: what became of
it stands in its row, written by its wrapper, or by whoever finds that the wrapper is gone.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.core.job_state import ENDED_JOBS, JobStatus
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.local.child_records import children
from chalicelib.local.database import Database, to_text
from chalicelib.local.definitions import Definitions
from chalicelib.local.facilities import is_queue
from chalicelib.local.job_rules import check_definition, check_job, cores
from chalicelib.local.pump import Pump
from chalicelib.local.sandbox import Sandbox

_SELECT = (
    "SELECT job_id, name, queue, status, run_id, exit_code, reason, started_at, stopped_at, seq"
    " FROM jobs "
)


class LocalJobRunner:
    """The JobRunner of the embedded home, and what its event loop needs besides."""

    def __init__(
        self,
        root: Path,
        database: Database,
        definitions: Definitions,
        sandbox: Sandbox,
        pump: Pump,
    ) -> None:
        self._jobs_folder = root.resolve() / "jobs"
        self._database = database
        self._definitions = definitions
        self._sandbox = sandbox
        self._pump = pump

    def define(self, definition: JobDefinition) -> str:
        """Return the ARN of the definition. Raises Refused for one that could not be run."""
        check_definition(definition)
        self._sandbox.check(definition)
        return self._definitions.register(definition)

    def submit(self, job: JobRequest) -> str:
        """Insert the job; every call is a job of its own. Raises Refused."""
        check_job(job)
        definition = self._definitions.get(job.definition_arn)
        self._sandbox.check(definition)
        job_id = str(uuid.uuid4())
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO jobs (job_id, name, queue, run_id, request, cores, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id,
                    job.name,
                    job.queue,
                    job.environment.get("FALSEWORK_RUN_ID"),
                    job.model_dump_json(),
                    cores(job, definition),
                    JobStatus.RUNNABLE,
                ),
            )
        return job_id

    def find(self, queue: str, name: str) -> tuple[JobSeen, ...]:
        """Return every job of exactly that name, newest first; none in an unknown queue."""
        if not is_queue(queue):
            return ()
        return self._select("WHERE name = ? ORDER BY number DESC", name)

    def describe(self, job_ids: Sequence[str]) -> tuple[JobSeen, ...]:
        """Return the jobs of these ids; of children, what their wrapper has noted."""
        own = [each for each in job_ids if ":" not in each]
        of_arrays = (each for each in job_ids if ":" in each)
        found = self._select(f"WHERE job_id IN ({', '.join('?' * len(own))})", *own)
        return (*found, *children(self._jobs_folder, of_arrays))

    def stop(self, job_id: str, reason: str) -> None:
        """End a waiting job at once; a running one is ended by its wrapper, which is asked."""
        now = to_text(datetime.now(UTC))
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET status = ?, reason = ?, token = NULL, stopped_at = ?"
                " WHERE job_id = ? AND status IN (?, ?)",
                (JobStatus.FAILED, reason, now, job_id, JobStatus.RUNNABLE, JobStatus.STARTING),
            )
            connection.execute(
                "UPDATE jobs SET stop_reason = ?"
                " WHERE job_id = ? AND status = ? AND stop_reason IS NULL",
                (reason, job_id, JobStatus.RUNNING),
            )

    def log(self, log_stream: str, limit_bytes: int) -> bytes:
        """Return the last bytes of the job's output; empty for an unknown stream."""
        try:
            path = self._jobs_folder / str(uuid.UUID(log_stream)) / "output.log"
            with path.open("rb") as file:
                size = path.stat().st_size
                file.seek(max(0, size - limit_bytes))
                return file.read(limit_bytes)
        except (ValueError, FileNotFoundError):
            return b""

    def pump(self) -> bool:
        """Start what there is room for, find out what was lost; return whether it did any."""
        return self._pump.turn()

    def changes(self, after_seq: int) -> tuple[list[JobSeen], int]:
        """Return the jobs whose status changed after that number, and the last number."""
        with self._database.reading() as connection:
            rows = connection.execute(
                _SELECT + "WHERE seq > ? ORDER BY seq", (after_seq,)
            ).fetchall()
        return [_seen(row) for row in rows], rows[-1]["seq"] if rows else after_seq

    def acknowledged(self, reader: str = "engine") -> int:
        """Return the number up to which the reader has said that it saw the changes."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT seq FROM acknowledged WHERE reader = ?", (reader,)
            ).fetchone()
        return int(row["seq"]) if row else 0

    def acknowledge(self, seq: int, reader: str = "engine") -> None:
        """Remember that the reader saw the changes up to that number."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO acknowledged (reader, seq) VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET seq = excluded.seq",
                (reader, seq),
            )

    def _select(self, where: str, *values: str) -> tuple[JobSeen, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(_SELECT + where, values).fetchall()
        return tuple(_seen(row) for row in rows)


def _seen(row: sqlite3.Row) -> JobSeen:
    status = JobStatus(row["status"])
    has_output = row["started_at"] is not None
    return JobSeen(
        job_id=row["job_id"],
        name=row["name"],
        queue=row["queue"],
        status=status,
        run_id=row["run_id"],
        ended_attempts=1 if status in ENDED_JOBS else 0,
        exit_code=row["exit_code"],
        reason=row["reason"],
        log_stream=row["job_id"] if has_output else None,
        started_at=_time(row["started_at"]),
        stopped_at=_time(row["stopped_at"]),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
