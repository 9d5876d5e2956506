"""Who runs in the queue's benchmark: Falsework's work queue, and huey's on SQLite from PyPI.

A sample is taken in a process of its own and an empty folder::

    python -m benchmarks.work_queue_contenders falsework --queued 10000 --workers 1 8 64

prints one JSON object: deposits and withdrawals per second, and how SQLite reads the queue. What a
worker withdraws is put back in number, untimed, after every ``CHUNK`` withdrawals at most, so that
the queue keeps its length.

huey loses what a worker held that died, for ``dequeue`` deletes it, and checks nothing. Ours
checks each work, keeps it as running under a version, and counts. So the two are not alike; the
like part is what a caller waits for: durably deposited, and handed to nobody else.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from benchmarks.peers import NotInstalled
from chalicelib.local.database import Database
from chalicelib.local.work_store import open_work_ports
from chalicelib.version import VERSION
from chalicelib.works import buckets

BATCH: Final = 500
CHUNK: Final = 500
_QUERY: Final = {"pipeline": {"$in": ["sample"]}, "site": "local"}
"""What ``workflow run`` sends."""


class Rate(NamedTuple):
    """How many of something happen in a second."""

    wall: float
    cpu: float
    """In a second of the processor's, in all threads: a busy machine changes it less."""


class Stopwatch:
    """Adds up the time between ``with`` and its end."""

    wall = 0.0
    cpu = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._began[0]
        self.cpu += time.process_time() - self._began[1]

    def rate(self, count: int) -> Rate:
        """Return the rate of so many in this time."""
        return Rate(count / self.wall, count / self.cpu)


class Contender(Protocol):
    """A queue in an empty folder."""

    version: str
    path: Path
    synchronous: str

    def deposit(self, count: int) -> None: ...

    def withdraw(self) -> bool: ...

    def plan(self) -> list[str]: ...

    def close(self) -> None: ...


class Falsework:
    """The embedded home's queue, below the HTTP server: validation and JSON are in it."""

    version = VERSION

    def __init__(self, root: Path) -> None:
        self._database = Database(root)
        self._ports = open_work_ports(self._database)
        self.path = root / "falsework.db"
        self.synchronous = "NORMAL"

    def deposit(self, count: int) -> None:
        """Deposit so many works at once."""
        works = [_work(number) for number in range(count)]
        assert len(buckets.deposit(works, self._ports, datetime.now(UTC))) == count

    def withdraw(self) -> bool:
        """Tell whether there was one."""
        return buckets.withdraw(_QUERY, self._ports, datetime.now(UTC)) is not None

    def plan(self) -> list[str]:
        """Return how SQLite reads the head of the queue."""
        asked: list[str] = []
        with self._database.reading() as connection:
            connection.set_trace_callback(asked.append)
        self.withdraw()
        with self._database.reading() as connection:
            connection.set_trace_callback(None)
            (read,) = [sql for sql in asked if "FROM works" in sql]
            return _plan(connection, read)

    def close(self) -> None:
        """Nothing to do: the process ends."""


class Huey:
    """huey's own queue: a task with the same arguments, pickled, deleted when it is dequeued."""

    def __init__(self, root: Path, *, is_relaxed: bool) -> None:
        try:
            import huey  # noqa: PLC0415 -- a peer may be missing
        except ImportError as exc:
            raise NotInstalled("huey is not installed: pip install '.[bench]'") from exc
        self.version = importlib.metadata.version("huey")
        self.path = root / "huey.db"
        self._huey = huey.SqliteHuey(filename=str(self.path), results=False)
        connection = self._huey.storage.conn
        if is_relaxed:
            connection.execute("PRAGMA synchronous=NORMAL")
        level = connection.execute("PRAGMA synchronous").fetchone()[0]
        self.synchronous = {1: "NORMAL", 2: "FULL"}[level]
        self._task = self._huey.task(name="sqrt")(_root)

    def deposit(self, count: int) -> None:
        """Enqueue so many tasks, one by one: it has no batches."""
        for number in range(count):
            self._huey.enqueue(self._task.s(number, priority=3))

    def withdraw(self) -> bool:
        """Tell whether there was one."""
        return self._huey.dequeue() is not None

    def plan(self) -> list[str]:
        """Return how SQLite reads the head of the queue."""
        sql = "SELECT id, data FROM task WHERE queue = 'huey' ORDER BY priority DESC, id LIMIT 1"
        return _plan(self._huey.storage.conn, sql)

    def close(self) -> None:
        """Close its one connection."""
        self._huey.storage.close()


CONTENDERS: Final[dict[str, Callable[[Path], Contender]]] = {
    "falsework": Falsework,
    "huey": lambda root: Huey(root, is_relaxed=True),
    "huey-as-delivered": lambda root: Huey(root, is_relaxed=False),
}
"""Name → what makes it. Relaxed, huey's connection has synchronous=NORMAL, as ours have."""


def take_sample(name: str, queued: int, workers: list[int], calls: int) -> dict[str, Any]:
    """Measure in this process. Raises NotInstalled."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
        contender = CONTENDERS[name](Path(folder))
        contender.deposit(1)
        assert contender.withdraw()
        rates = {
            "deposit 1": _deposits(calls, 1, contender.deposit),
            "deposit 500": _deposits(max(calls, BATCH), BATCH, contender.deposit),
        }
        while contender.withdraw():
            pass
        _fill(contender, queued)
        for each in workers:
            rates[f"withdraw {each}"] = _withdrawals(contender, queued, each, calls)
        told = {"rates": rates, "plan": contender.plan(), "version": contender.version}
        contender.close()
        return {**told, "journal": _journal(contender)}


def _withdrawals(contender: Contender, queued: int, workers: int, calls: int) -> Rate:
    """Return the rate of so many threads that withdraw together."""
    chunk = min(queued, CHUNK)
    watch, done = Stopwatch(), 0
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda _: time.sleep(0.01), range(workers)))  # let every thread begin
        while done < calls:
            with watch:
                found = list(pool.map(lambda _: contender.withdraw(), range(chunk)))
            assert all(found)
            done += chunk
            contender.deposit(chunk)
    return watch.rate(done)


def _deposits(count: int, at_once: int, deposit: Callable[[int], None]) -> Rate:
    watch = Stopwatch()
    with watch:
        for _ in range(count // at_once):
            deposit(at_once)
    return watch.rate(count // at_once * at_once)


def _fill(contender: Contender, queued: int) -> None:
    for start in range(0, queued, BATCH):
        contender.deposit(min(BATCH, queued - start))


def _work(number: int) -> dict[str, Any]:
    return {
        "pipeline": "sample",
        "site": "local",
        "user": "tester",
        "function": "sqrt",
        "parameters": {"x": number},
    }


def _root(number: int) -> float:
    return float(number**0.5)


def _plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


def _journal(contender: Contender) -> str:
    connection = sqlite3.connect(contender.path)
    try:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0].upper()
    finally:
        connection.close()
    return f"{mode}, {contender.synchronous}"


def main() -> None:
    """Print the sample, or ``{"missing": why}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--queued", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--calls", type=int, default=2000)
    told = parser.parse_args()
    try:
        answer = take_sample(told.name, told.queued, told.workers, told.calls)
    except NotInstalled as exc:
        answer = {"missing": str(exc)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
