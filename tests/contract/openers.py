"""How each implementation of the ports is opened, here and in other processes.

An opener is a value that can be sent to a process. To put another home under the contract, write
one more class with ``open`` and name it in ``IMPLEMENTATIONS``.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pytest

from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run, RunState
from chalicelib.document_ports import Documents
from chalicelib.local.database import Database
from chalicelib.local.documents import LocalDocuments
from chalicelib.local.home import Home, open_home
from chalicelib.local.work_store import open_work_ports
from chalicelib.ports import Ports
from chalicelib.settings import Settings, host_environment
from chalicelib.work_ports import WorkPorts

T = TypeVar("T")
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class LocalOpener:
    """The embedded home on one folder."""

    root: Path

    def open(self) -> Ports:
        return self.home().ports

    def home(self, width: int | None = None, **settings: object) -> Home:
        told = Settings.model_validate({"root": self.root, **settings})
        return open_home(told, host_environment(), width=width)

    def work_ports(self) -> WorkPorts:
        """Open the work queue."""
        return open_work_ports(Database(self.root))

    def documents(self, now: datetime | Callable[[], datetime]) -> Documents:
        """Open the documents, at a time of the test's own."""
        clock = now if callable(now) else lambda: now
        return LocalDocuments(Database(self.root), clock)

    def fired(self, now: datetime) -> tuple[str, ...]:
        """Take the wake-up calls out whose time has come."""
        return self.home().timers.take_due(now)

    def crash_after_plan(self, run: Run) -> None:
        """Do the first of the two writes that create a run, and no more."""
        home = self.home()
        with home.database.writing() as connection:
            connection.execute(
                "CREATE TRIGGER crash BEFORE INSERT ON runs BEGIN SELECT RAISE(FAIL, 'crash'); END"
            )
        with pytest.raises(sqlite3.IntegrityError, match="crash"):
            home.ports.runs.save(run)
        with home.database.writing() as connection:
            (plans,) = connection.execute("SELECT count(*) FROM plans").fetchone()
            connection.execute("DROP TRIGGER crash")
        assert plans == 1

    def lose_plan(self, run_id: str) -> None:
        """Remove the run's plan, as no code of ours ever does."""
        with self.home().database.writing() as connection:
            connection.execute("DELETE FROM plans WHERE run_id = ?", (run_id,))


_IMPORTED_BEFORE = "tests.contract.aws_opener"
IMPLEMENTATIONS = {"local": LocalOpener}
HOMES_OF_STATE = ["local", "moto", "dynalite"]
"""Where runs, claims and pace are kept: SQLite, and DynamoDB on two servers."""


def in_processes(function: Callable[..., T], *arguments: tuple[object, ...]) -> list[T]:
    """Call the function once per tuple of arguments, each in a process of its own.

    They are forked off a process that has imported what openers need and opened nothing: to
    import it again in each took a second.
    """
    count = len(arguments)
    context = get_context("forkserver")
    context.set_forkserver_preload([_IMPORTED_BEFORE])
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        return list(pool.map(function, *zip(*arguments, strict=True)))


@contextmanager
def nimble_threads() -> Iterator[None]:
    """Let threads take turns after every few instructions, so that races are met."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def until(condition: Callable[[], T], what: str = "the condition") -> T:
    """Return what the condition returns as soon as it is true; fail when it never comes."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come within {DEADLINE_SECONDS} s")


def a_run(run_id: str = "r1", minutes: float = 0, **fields: object) -> Run:
    """Return a run that was never saved, created that many minutes after noon."""
    return Run.model_validate(
        {
            "id": run_id,
            "uid": "abcdefghijklmnopqrst",
            "kind": "demand-execution",
            "state": RunState.PENDING,
            "created_at": NOON + timedelta(minutes=minutes),
            "stages": (),
            "plan": Plan(stages=(), request_digest=f"digest of {run_id}"),
            **fields,
        }
    )
