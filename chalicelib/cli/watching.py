"""Following a run until it is settled: a live table on a terminal, else a line per change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from chalicelib.cli.connection import Connection, run_path
from chalicelib.cli.showing import cut, duration, live_table, printable, stage_rows

_LOOK_SECONDS: Final = {True: 1.0, False: 0.1}
"""How often a deployment is asked, and the embedded home."""

_ENDS: Final = frozenset({"COMPLETE", "ERROR"})
"""What a stage becomes when it is over, for reasons that its history tells."""


Note = Callable[[dict[str, Any]], str]
"""What else is to be said of a run."""


class Shown(Protocol):
    """Something that is shown how a run goes on."""

    def show(self, run: dict[str, Any]) -> None:
        """Show the run as it is now."""
        ...


def follow(connection: Connection, run_id: str, shown: Shown) -> dict[str, Any]:
    """Return the run once it is settled: its end is decided, its jobs are over and cleaned up."""
    while True:
        run: dict[str, Any] = connection.get(run_path(run_id))
        shown.show(run)
        if run["settled_at"]:
            return run
        time.sleep(_LOOK_SECONDS[connection.is_remote])


@contextmanager
def progress(note: Note | None = None) -> Iterator[Shown]:
    """Yield what suits standard output; a terminal shows the ``note`` under the table."""
    if not sys.stdout.isatty():
        yield _Lines()
        return
    with Live(console=Console(), auto_refresh=False, transient=True) as live:
        yield _Table(live, note)


class _Table:
    """A table that is drawn again and again in its place."""

    def __init__(self, live: Live, note: Note | None) -> None:
        self._live = live
        self._note = note

    def show(self, run: dict[str, Any]) -> None:
        note = self._note(run) if self._note else ""
        self._live.update(Group(live_table(run), Text(note)), refresh=True)


class _Lines:
    """One line for every change of a stage or of the run, and for every attempt that failed.

    The attempts are those of the history: between two looks one may fail and another begin.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._told: dict[str, int] = {}

    def show(self, run: dict[str, Any]) -> None:
        for stage in run["stages"]:
            self._tell_attempts(stage)
        for name, status, _, _, seconds, message in stage_rows(run):
            tail = f" after {seconds}: {message}" if status in _ENDS else ""
            self._tell(name, status, tail)
        self._tell(f"run {printable(run['id'])}", run["state"])

    def _tell_attempts(self, stage: dict[str, Any]) -> None:
        name, history = stage["stage_name"], stage["history"]
        before = len(history) - (stage["status"] == "RETRY")
        for entry in history[self._told.get(name, before) :]:
            if entry["end_status"] == "RETRY":
                took = duration(entry["run_time_seconds"])
                print(f"{name} RETRY after {took}: {cut(printable(entry['message']))}", flush=True)
        self._told[name] = len(history)

    def _tell(self, name: str, status: str, tail: str = "") -> None:
        if self._known.get(name) != status and status not in {"CREATED", "PENDING", "RETRY"}:
            print(f"{name} {status}{tail}", flush=True)
        self._known[name] = status
