"""Jobs whose wrapper died: found by its lock, which the kernel set free.

A row that says RUNNING while nobody holds the lock is either a job that ended and whose wrapper
could not write the row any more (then ``end.json`` says how), or a job that nobody watches. Of
the second kind every process is ended before the row says FAILED, for the engine may start the
job again as soon as it does.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.core.job_state import JobStatus
from chalicelib.local.database import Database, to_text
from chalicelib.local.leftovers import kill_carriers

HOST_LOST = (
    "Host lost: the process that kept watch over the job is gone"
    " (it was killed, or the machine was restarted)"
)


class LostJobs:
    """Tells the living from the dead."""

    def __init__(self, root: Path, database: Database) -> None:
        self._folder = root / "jobs"
        self._database = database

    def settle(self) -> int:
        """Give every running job without a wrapper its end; return how many there were."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT job_id, token FROM jobs WHERE status = ?", (JobStatus.RUNNING,)
            ).fetchall()
        return sum(
            self._end(row["job_id"], row["token"])
            for row in rows
            if not self._is_watched(row["job_id"])
        )

    def _is_watched(self, job_id: str) -> bool:
        try:
            with (self._folder / job_id / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def _end(self, job_id: str, token: str) -> bool:
        if not self._is_running(job_id, token):
            return False
        ending = self._read(job_id, "end.json")
        if ending is None:
            self._end_processes(job_id)
            ending = {"is_success": False, "exit_code": None, "reason": HOST_LOST}
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE jobs SET status = ?, exit_code = ?, reason = ?, stopped_at = ?"
                " WHERE job_id = ? AND token = ? AND status = ?",
                (
                    JobStatus.SUCCEEDED if ending["is_success"] else JobStatus.FAILED,
                    ending["exit_code"],
                    ending["reason"],
                    ending.get("stopped_at", to_text(datetime.now(UTC))),
                    job_id,
                    token,
                    JobStatus.RUNNING,
                ),
            )
        return done.rowcount == 1

    def _is_running(self, job_id: str, token: str) -> bool:
        """Look again: the wrapper writes the row before it lets go of the lock."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT 1 FROM jobs WHERE job_id = ? AND token = ? AND status = ?",
                (job_id, token, JobStatus.RUNNING),
            ).fetchone()
        return row is not None

    def _end_processes(self, job_id: str) -> None:
        kill_carriers(job_id)
        launch = self._read(job_id, "launch.json")
        if launch and launch["tidy_argv"]:
            subprocess.run(
                launch["tidy_argv"],
                env=launch["environment"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )

    def _read(self, job_id: str, name: str) -> dict[str, Any] | None:
        try:
            text = (self._folder / job_id / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return dict(json.loads(text))
