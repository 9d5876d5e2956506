"""What the sweep reads does not grow with the number of runs that have ended."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from chalicelib.aws.attributes import to_item
from chalicelib.aws.run_items import pack, run_key
from chalicelib.core.run import RunState
from chalicelib.local.database import to_text
from tests.clouds.clients import client
from tests.contract.openers import NOON, a_run

LIVE = 10
LATER = NOON + timedelta(hours=1)
MANY = pytest.mark.parametrize(
    "finished", [2_000, pytest.param(100_000, marks=pytest.mark.campaign)]
)


def save_live(runs):
    """Ten runs that are due, and ten whose time has not come."""
    for number in range(LIVE):
        runs.save(a_run(f"due{number}", number, next_check_at=NOON))
        runs.save(a_run(f"waiting{number}", number, next_check_at=LATER))


def ended(number):
    state = list(RunState)[2 + number % 3]
    return a_run(f"ended{number}", number / 100, state=state, settled_at=NOON, ended_at=NOON)


SQLITE = pytest.mark.parametrize("opener", ["local"], indirect=True)
DYNAMODB = pytest.mark.parametrize("opener", ["moto", "dynalite"], indirect=True)


@SQLITE
@MANY
def test_looking_for_what_is_due_takes_as_many_steps_beside_many_ended_runs(opener, finished):
    home = opener.home()
    save_live(home.ports.runs)
    before = steps(home)
    body = ended(0).model_dump_json(exclude={"plan"})
    rows = ((f"ended{n}", to_text(NOON + timedelta(seconds=n)), body) for n in range(finished))
    with home.database.writing() as connection:
        connection.executemany(
            "INSERT INTO runs (id, version, grp, state, created_at, plan_digest, body)"
            " VALUES (?, 1, 'default', 'SUCCESS', ?, 'd', ?)",
            rows,
        )
    assert steps(home) == before


@SQLITE
def test_what_is_due_is_read_from_its_index(opener):
    home = opener.home()
    asked = []
    with home.database.reading() as connection:
        connection.set_trace_callback(asked.append)
    home.ports.runs.due(NOON)
    with home.database.reading() as connection:
        connection.set_trace_callback(None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {asked[-1]}").fetchall()
    assert "SEARCH runs USING INDEX runs_due (next_check_at<?)" in [each[3] for each in plan]
    assert not [each[3] for each in plan if each[3].startswith("SCAN")]


def steps(home):
    """How many instructions SQLite's machine takes; rows that it looks at cost some each."""
    count = Counter()
    with home.database.reading() as connection:
        connection.set_progress_handler(lambda: count.update(steps=1), 1)
    assert len(home.ports.runs.due(NOON)) == LIVE
    with home.database.reading() as connection:
        connection.set_progress_handler(None, 1)
    assert count["steps"] > LIVE
    return count["steps"]


@DYNAMODB
@MANY
def test_looking_for_what_is_due_costs_the_same_beside_many_ended_runs(opener, finished):
    save_live(opener.open().runs)
    before = cost(opener)
    put_ended(opener, finished)
    assert cost(opener) == before
    assert before["requests"] == 4
    assert before["items"] == LIVE
    assert before["read units"] <= 4


class Counting:
    """A client that tells what its queries cost."""

    def __init__(self, client):
        self._client = client
        self.told = Counter()

    def __getattr__(self, name):
        raise AssertionError(f"{name} is no query")

    def query(self, **asked):
        answer = self._client.query(**asked, ReturnConsumedCapacity="TOTAL")
        self.told["requests"] += 1
        self.told["items"] += answer["ScannedCount"]
        self.told["read units"] += answer["ConsumedCapacity"]["CapacityUnits"]
        return answer


def cost(opener):
    clients = []

    def wrap(client):
        clients.append(Counting(client))
        return clients[-1]

    assert len(opener.open(wrap).runs.due(NOON)) == LIVE
    (counting,) = clients
    return counting.told


def put_ended(opener, count):
    """As the store would write them, 25 at a time."""
    items = [item_of(ended(number)) for number in range(count)]
    for start in range(0, count, 25):
        asked = {opener.table: [{"PutRequest": {"Item": i}} for i in items[start : start + 25]]}
        while asked:
            answer = client("dynamodb", opener.endpoint).batch_write_item(RequestItems=asked)
            asked = answer["UnprocessedItems"]


def item_of(run):
    values = {name: value for name, value in pack(run, "b").values.items() if value is not None}
    return to_item({**run_key(run.id)._asdict(), **values, "plan": "plan#d"})
