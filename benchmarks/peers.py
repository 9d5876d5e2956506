"""The peers: ``dbos`` and ``redun`` from PyPI, each on SQLite, with the same chain of no-ops.

Relaxed, a peer's connections get what ours have: WAL and synchronous=NORMAL. As delivered, they
have what the package chose. Nothing else of a peer is turned, but for its log, which is silent.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import logging
from pathlib import Path
from typing import Any, Final

_LEVELS: Final = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


class NotInstalled(Exception):
    """The peer's package is not here; the message says how to get it."""


class _Peer:
    """What both have: SQLAlchemy underneath."""

    package = ""

    def __init__(self, *, is_relaxed: bool) -> None:
        try:
            self.version = importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError as exc:
            raise NotInstalled(f"{self.package} is not installed: pip install '.[bench]'") from exc
        self.synchronous = ""
        self._is_relaxed = is_relaxed
        self._numbers = itertools.count(1)
        self._watch_connections()

    def _watch_connections(self) -> None:
        from sqlalchemy import event  # noqa: PLC0415 -- a peer may be missing
        from sqlalchemy.engine import Engine  # noqa: PLC0415

        event.listen(Engine, "connect", self._connected)

    def _connected(self, connection: Any, _record: object) -> None:
        if self._is_relaxed:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("PRAGMA synchronous=NORMAL")
        level = connection.execute("PRAGMA synchronous").fetchone()[0]
        self.synchronous = _LEVELS[level]


class Dbos(_Peer):
    """A workflow that calls a step so many times; each step's result is checked and recorded."""

    package = "dbos"

    def __init__(self, root: Path, *, is_relaxed: bool) -> None:
        super().__init__(is_relaxed=is_relaxed)
        from dbos import DBOS  # noqa: PLC0415

        self.path = root / "dbos.sqlite"
        self._dbos = DBOS
        DBOS(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{self.path}",
                "log_level": "ERROR",
            }
        )

        @DBOS.step()
        def noop(value: int) -> int:
            return value + 1

        @DBOS.workflow()
        def chained(stages: int) -> int:
            value = 0
            for _ in range(stages):
                value = noop(value)
            return value

        self._chained = chained
        DBOS.launch()

    def run(self, stages: int) -> None:
        """Call the workflow and wait for its result."""
        assert self._chained(stages) == stages

    def close(self) -> None:
        """End its threads."""
        self._dbos.destroy()


class Redun(_Peer):
    """A chain of tasks; every argument is new, so that nothing comes out of its cache."""

    package = "redun"

    def __init__(self, root: Path, *, is_relaxed: bool) -> None:
        super().__init__(is_relaxed=is_relaxed)
        from redun import Scheduler, task  # noqa: PLC0415
        from redun.config import Config  # noqa: PLC0415

        logging.getLogger("redun").setLevel(logging.ERROR)  # its import turns it on
        self.path = root / "redun.db"
        self._scheduler = Scheduler(
            config=Config({"backend": {"db_uri": f"sqlite:///{self.path}"}})
        )
        self._scheduler.load()

        @task(name="noop", namespace="bench", version="1")
        def noop(value: int) -> int:
            return value + 1

        self._noop = noop

    def run(self, stages: int) -> None:
        """Evaluate a chain whose first argument no run had before."""
        first = 1_000_000 * next(self._numbers)
        value: Any = first
        for _ in range(stages):
            value = self._noop(value)
        assert self._scheduler.run(value) == first + stages

    def close(self) -> None:
        """Close its session."""
        self._scheduler.backend.session.close()
