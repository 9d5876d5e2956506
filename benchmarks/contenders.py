"""Who runs in the benchmark: Falsework's engine twice, and two engines from PyPI.

Each runs a chain of so many stages that do nothing, one run after the other, and keeps its state
in SQLite. A sample is taken in a process of its own, so that no contender's threads, caches or
files are another's trouble::

    python -m benchmarks.contenders falsework-calls --stages 4 --runs 20

prints one JSON object. The first runs are not counted: they import, connect and make tables.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.falsework_chains import FalseworkCalls, FalseworkJobs
from benchmarks.peers import Dbos, NotInstalled, Redun

WARM_UP_RUNS: Final = 2
CONTENDERS: Final[dict[str, Callable[[Path], Any]]] = {
    "falsework-calls": FalseworkCalls,
    "falsework-jobs": FalseworkJobs,
    "dbos": lambda root: Dbos(root, is_relaxed=True),
    "dbos-as-delivered": lambda root: Dbos(root, is_relaxed=False),
    "redun": lambda root: Redun(root, is_relaxed=True),
    "redun-as-delivered": lambda root: Redun(root, is_relaxed=False),
}
"""Name → what makes it in an empty folder: ``run(stages)``, ``close()``, and its durability."""


class Sample(NamedTuple):
    """What one process measured of one contender."""

    seconds: list[float]
    """Of each run, in their order."""
    cpu_seconds: float
    """Of the processor, in all threads and all runs together: a busy machine changes it less."""
    durability: str
    """As SQLite itself reports it."""
    version: str


def take_sample(name: str, stages: int, runs: int) -> Sample:
    """Run the contender in this process. Raises NotInstalled."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
        contender = CONTENDERS[name](Path(folder))
        try:
            for _ in range(WARM_UP_RUNS):
                contender.run(stages)
            start = time.process_time()
            seconds = [_timed(contender, stages) for _ in range(runs)]
            cpu_seconds = time.process_time() - start
            told = f"{_journal(contender.path)}, synchronous={contender.synchronous}"
        finally:
            contender.close()
    return Sample(seconds, cpu_seconds, told, contender.version)


def _timed(contender: Any, stages: int) -> float:
    start = time.perf_counter()
    contender.run(stages)
    return time.perf_counter() - start


def _journal(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return f"journal_mode={connection.execute('PRAGMA journal_mode').fetchone()[0].upper()}"
    finally:
        connection.close()


def main() -> None:
    """Print the sample, or ``{"missing": why}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--stages", type=int, default=4)
    parser.add_argument("--runs", type=int, default=20)
    told = parser.parse_args()
    try:
        answer = take_sample(told.name, told.stages, told.runs)._asdict()
    except NotInstalled as exc:
        answer = {"missing": str(exc)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
