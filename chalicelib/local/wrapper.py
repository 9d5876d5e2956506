"""The process that keeps watch over one local job: it outlives the server that started it.

::

    python -m chalicelib.local.wrapper JOB_FOLDER TOKEN

    lock the folder → claim the row with the token → run → end.json → the row → exit (unlocks)

The lock is its identity: as long as ``lock`` is held the job is being watched, and when it is
free while the row says RUNNING, the wrapper died. The token makes a job start once: a wrapper
that comes too late finds another token in the row and goes away. A stop is asked for in the row,
which it reads twice a second, so that it does not matter whether the asker still lives.

Standard library only, and no site packages: it must start fast, once per job.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from chalicelib.local.leftovers import is_sandbox, kill_carriers, signal_carriers

GRACE_SECONDS: Final = 10
"""Between SIGTERM and SIGKILL, unless the launch says otherwise. Batch gives 30."""
LOOK_SECONDS: Final = 0.5
CANNOT_START: Final = 127
"""What a shell says of a command that it cannot find."""


class Ending(NamedTuple):
    """How a job ended."""

    exit_code: int
    reason: str
    is_success: bool


class Row:
    """The job's row, seen and changed only under the token."""

    def __init__(self, database: str, job_id: str, token: str) -> None:
        self._uri = f"{Path(database).as_uri()}?mode=rw"
        self._key = (job_id, token)

    def change(self, old: str, new: str, **columns: object) -> bool:
        """Change the status if it is ``old`` and the token is ours; return whether it was."""
        assignments = ", ".join(f"{name} = ?" for name in ("status", *columns))
        with closing(self._connect()) as connection:
            done = connection.execute(
                f"UPDATE jobs SET {assignments}"  # noqa: S608 - our own column names
                " WHERE job_id = ? AND token = ? AND status = ?",
                (new, *columns.values(), *self._key, old),
            )
        return done.rowcount == 1

    def stop_reason(self) -> str | None:
        """Return why the job is to be stopped, if it is; a busy database says nothing."""
        with suppress(sqlite3.OperationalError), closing(self._connect()) as connection:
            row = connection.execute(
                "SELECT stop_reason FROM jobs WHERE job_id = ? AND token = ?", self._key
            ).fetchone()
            return str(row[0]) if row and row[0] is not None else None
        return None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, timeout=30, isolation_level=None)


def main(folder: Path, token: str) -> int:
    """Run the job of that folder, if the token is still good."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # whatever the server's own parent had open
    launch = json.loads((folder / "launch.json").read_text(encoding="utf-8"))
    row = Row(launch["database"], launch["job_id"], token)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started_at = _now()
        if not row.change("STARTING", "RUNNING", started_at=started_at):
            return 0
        ending = _run_all(folder, launch, row)
        stopped_at = _now()
        _record(folder, {**ending._asdict(), "stopped_at": stopped_at})
        row.change(
            "RUNNING",
            "SUCCEEDED" if ending.is_success else "FAILED",
            exit_code=ending.exit_code,
            reason=ending.reason,
            stopped_at=stopped_at,
        )
    return 0


def _run_all(folder: Path, launch: dict[str, Any], row: Row) -> Ending:
    """Run the command; of an array once for each child, one after the other, whatever fails."""
    if launch["array_size"] is None:
        return _run(folder, launch, row)
    failed = []
    for index in range(launch["array_size"]):
        environment = {**launch["environment"], "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
        started_at = _now()
        ending = _run(folder, {**launch, "environment": environment}, row)
        _note_child(folder, {"index": index, **ending._asdict(), "started_at": started_at})
        if row.stop_reason() is not None:
            return ending
        if not ending.is_success:
            failed.append(index)
    if failed:
        return Ending(1, f"{len(failed)} of {launch['array_size']} children failed", False)
    return Ending(0, "Array Job succeeded", is_success=True)


def _run(folder: Path, launch: dict[str, Any], row: Row) -> Ending:
    descriptor = os.open(folder / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with os.fdopen(descriptor, "ab") as output:
            process = subprocess.Popen(
                launch["argv"],
                env=launch["environment"],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except (OSError, ValueError) as exc:
        return Ending(CANNOT_START, f"CannotStartContainerError: {exc}", is_success=False)
    reason = _watch(process, launch, row)
    _kill(process, launch["job_id"])
    code = process.wait()
    code = code if code >= 0 else 128 - code
    if reason is not None:
        _tidy(launch)
        return Ending(code, reason, is_success=False)
    return Ending(code, "Essential container in task exited", is_success=code == 0)


def _watch(process: subprocess.Popen[bytes], launch: dict[str, Any], row: Row) -> str | None:
    """Wait until the command has ended or was told to, and return why it was told to.

    It is not reaped yet: until it is, its process group cannot be anybody else's.
    """
    has_ended = threading.Event()

    def wait() -> None:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        has_ended.set()

    threading.Thread(target=wait, daemon=True).start()
    while not has_ended.wait(LOOK_SECONDS):
        reason = row.stop_reason()
        if reason is not None:
            _terminate(process, launch)
            has_ended.wait(launch["grace_seconds"])
            return reason
    return None


def _terminate(process: subprocess.Popen[bytes], launch: dict[str, Any]) -> None:
    """Ask every process of the job to end.

    Bubblewrap itself is left out: with it the whole sandbox would end without any grace.
    """
    if launch["is_sandboxed"]:
        signal_carriers(launch["job_id"], signal.SIGTERM, lambda pid: not is_sandbox(pid))
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    signal_carriers(launch["job_id"], signal.SIGTERM, lambda pid: os.getpgid(pid) != process.pid)


def _kill(process: subprocess.Popen[bytes], job_id: str) -> None:
    """Leave nothing running, as when a container ends."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    kill_carriers(job_id)


def _tidy(launch: dict[str, Any]) -> None:
    """Remove what outlives its processes: a container."""
    if launch["tidy_argv"]:
        subprocess.run(
            launch["tidy_argv"],
            env=launch["environment"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )


def _note_child(folder: Path, told: dict[str, Any]) -> None:
    """Add a line to ``children.jsonl``: how long each ran is asked for when all have ended."""
    with suppress(OSError), (folder / "children.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**told, "stopped_at": _now()}) + "\n")


def _record(folder: Path, ending: dict[str, Any]) -> None:
    """Write ``end.json``: it says how the job ended where the row cannot be changed now."""
    partial = folder / ".end.json.partial"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(ending, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / "end.json")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
