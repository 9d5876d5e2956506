"""What a page of a group's runs costs beside few runs and beside very many: it must be the same.

::

    python -m benchmarks.store                     # 100 and 100,000 runs; some minutes, for moto
    python -m benchmarks.store --runs 100 2000     # does it run at all?

For SQLite it counts the steps of its machine and takes the time; for DynamoDB it counts requests
and consumed read units, on moto, by the rules of ``dynamodb_units``. The pages: the newest of a
group, the newest of a group in one state, and those before a time in the middle, as obsolete runs
are looked for. It stops when a page of many costs more than one of few,
but for what ``EXAMINED_UNITS`` says.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import boto3
from moto import mock_aws

from benchmarks.metering import Meter
from chalicelib.aws.object_store import S3ObjectStore
from chalicelib.aws.run_items import pack, run_key
from chalicelib.aws.run_store import DynamoRunStore
from chalicelib.aws.table import Table
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run, RunState
from chalicelib.local.database import Database, to_text
from chalicelib.local.run_store import LocalRunStore
from chalicelib.ports import RunStore
from tests.clouds.foundation import create_table

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
PAGE: Final = 50
BATCH: Final = 1000
REPEATS: Final = 5
PAGES: Final = ("newest", "newest in SUCCESS", "before a time")
EXAMINED_UNITS: Final = {PAGES[0]: 0, PAGES[1]: 13, PAGES[2]: 0}
"""By group *and* state DynamoDB looks at up to a thousand entries of the group's index, however
few the page has: 13 units, and no more with more runs (``run_lists.EXAMINED``)."""


class Cost(NamedTuple):
    """What one page took."""

    steps: int
    """SQLite's instructions, or DynamoDB's requests."""
    units: float
    milliseconds: float


def main() -> None:
    """Fill each store with few and with many runs, and print what their pages cost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 100_000])
    sizes = sorted(parser.parse_args().runs)
    print(f"{'store':9} {'runs':>8} {'page':18} {'steps':>7} {'units':>6} {'ms':>8}")
    for name, measure in (("SQLite", sqlite), ("DynamoDB", dynamodb)):
        costs = [measure(size) for size in sizes]
        for size, found in zip(sizes, costs, strict=True):
            for page, cost in found.items():
                told = f"{cost.steps:7} {cost.units:6} {cost.milliseconds:8.2f}"
                print(f"{name:9} {size:8} {page:18} {told}")
        for page in PAGES:
            few, many = costs[0][page], costs[-1][page]
            assert many.steps <= 1.1 * few.steps, (name, page)
            assert many.units <= 1.1 * few.units + EXAMINED_UNITS[page], (name, page)


def sqlite(size: int) -> dict[str, Cost]:
    """Measure the embedded home's store."""
    with TemporaryDirectory() as folder:
        database = Database(Path(folder))
        store = LocalRunStore(database)
        store.list()  # which makes the tables
        with database.writing() as connection:
            connection.executemany(
                "INSERT INTO runs (id, version, grp, state, created_at, plan_digest, body)"
                " VALUES (?, 1, ?, ?, ?, 'd', ?)",
                (
                    (r.id, r.group, r.state.value, to_text(r.created_at), body(r))
                    for r in map(a_run, range(size))
                ),
            )

        def steps(page: str) -> tuple[int, float]:
            counted = 0

            def count() -> None:
                nonlocal counted
                counted += 1

            with database.reading() as connection:
                connection.set_progress_handler(count, 1)
            ask(store, page, size)
            with database.reading() as connection:
                connection.set_progress_handler(None, 1)
            return counted, 0.0

        found = {page: measured(store, page, size, steps) for page in PAGES}
        database.close()
        return found


def dynamodb(size: int) -> dict[str, Cost]:
    """Measure the AWS home's store."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        name = create_table(client)
        table = Table(client, name)
        for start in range(0, size, BATCH):
            runs = map(a_run, range(start, min(size, start + BATCH)))
            table.put_new({run_key(run.id): dict(item(run)) for run in runs})
        objects = S3ObjectStore(boto3.client("s3", region_name="us-east-1"))

        def metered(page: str) -> tuple[int, float]:
            asking = boto3.client("dynamodb", region_name="us-east-1")
            meter = Meter(client, name)
            store = DynamoRunStore(Table(meter.put_on(asking), name), objects, "scratch")
            ask(store, page, size)
            return sum(meter.calls.values()), meter.read_units

        store = DynamoRunStore(table, objects, "scratch")
        return {page: measured(store, page, size, metered) for page in PAGES}


def measured(
    store: RunStore, page: str, size: int, count: Callable[[str], tuple[int, float]]
) -> Cost:
    """Count once, and take the time of several."""
    steps, units = count(page)
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        ask(store, page, size)
        taken.append(1000 * (time.perf_counter() - begun))
    return Cost(steps, units, median(taken))


def ask(store: RunStore, page: str, size: int) -> None:
    """Ask for the page, and look whether it is one."""
    asked: dict[str, Any] = {"group": "lab", "limit": PAGE}
    if page == PAGES[1]:
        asked["state"] = RunState.SUCCESS
    if page == PAGES[2]:
        asked["created_before"] = a_run(size // 2 + PAGE // 2).created_at
    found = store.list(**asked).runs
    assert len(found) == PAGE, (page, len(found))


def a_run(number: int) -> Run:
    """Return one that ended; nearly all of them in SUCCESS."""
    return Run(
        id=f"run-{number:07}",
        uid="abcdefghijklmnopqrst",
        kind="demand-execution",
        group="lab",
        state=RunState.ERROR if number % 20 == 0 else RunState.SUCCESS,
        created_at=AT + timedelta(seconds=number),
        settled_at=AT + timedelta(seconds=number + 60),
        version=1,
        stages=(),
        plan=Plan(stages=()),
    )


def body(run: Run) -> str:
    """Return what SQLite keeps of it."""
    return run.model_dump_json(exclude={"plan"})


def item(run: Run) -> Iterator[tuple[str, Any]]:
    """Yield what DynamoDB keeps of it."""
    values = {**pack(run, "scratch").values, "plan": "plan#d"}
    return ((name, value) for name, value in values.items() if value is not None)


if __name__ == "__main__":
    main()
