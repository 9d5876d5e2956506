"""How far a sync is, as its worker last wrote it into its log: one line under the live table."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any, Final

from chalicelib.cli.complaints import Complaint
from chalicelib.cli.connection import Connection, run_path
from chalicelib.cli.showing import duration

STAGE: Final = "sync"
_LOOK_SECONDS: Final = 2.0
"""The worker writes every five."""
_MIB: Final = 1024**2
_BATCH: Final = re.compile(r": batch [0-9,]+, [0-9,]+ requests$")
"""As ``worker/sync_job`` says it."""


class TransferNote:
    """Called with the run as it is shown; asks for the log now and then."""

    def __init__(
        self, connection: Connection, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._next = clock()
        self._line = ""

    def __call__(self, run: dict[str, Any]) -> str:
        """Return the line; empty while there is nothing to tell."""
        is_running = any(
            (stage["stage_name"], stage["status"]) == (STAGE, "RUNNING") for stage in run["stages"]
        )
        if not is_running:
            return ""
        if self._clock() >= self._next:
            self._next = self._clock() + _LOOK_SECONDS
            self._line = note_of(self._log(run["id"])) or self._line
        return self._line

    def _log(self, run_id: str) -> str:
        try:
            return self._connection.text(run_path(run_id, "/logs"), stage=STAGE)
        except Complaint:  # nothing was written yet, or nobody answers now: the run goes on
            return ""


def note_of(log: str) -> str:
    """Return the last line of progress in the log, as people read it.

    A batch knows of its own part only, and the line says so.
    """
    lines = log.splitlines()
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith('{"event": "progress"'):
            try:
                written = _written(json.loads(lines[number]))
            except (ValueError, KeyError, TypeError):  # cut off, or not ours after all
                continue
            return f"one of the batches: {written}" if _is_batch(lines[:number]) else written
    return ""


def _is_batch(before: list[str]) -> bool:
    """Tell whether the job whose log these lines end in has said that it does a batch."""
    for line in reversed(before):
        if _BATCH.search(line):
            return True
        if line.startswith("==> "):
            break
    return False


def _written(entry: dict[str, Any]) -> str:
    left = entry["seconds_left"]
    return (
        f"{entry['files']:,} of {entry['files_total']:,} files, "
        f"{entry['bytes'] / _MIB:,.1f} of {entry['bytes_total'] / _MIB:,.1f} MiB, "
        f"{entry['bytes_per_second'] / _MIB:,.1f} MiB/s, "
        f"{'?' if left is None else duration(left)} left"
    )
