"""A withdrawal costs the same at any length of the queue; what crashes and lost answers leave."""

from __future__ import annotations

from collections import Counter

import pytest

from chalicelib.aws.work_store import DynamoWorkStore
from chalicelib.core.work.filters import parse_filter
from chalicelib.core.work.ids import partition_of
from chalicelib.core.work.model import Work
from chalicelib.core.work.scopes import scope_of
from chalicelib.core.work.transitions import taken
from chalicelib.local.database import Database
from chalicelib.local.work_store import open_work_ports
from chalicelib.works import audits, buckets
from tests.clouds.clients import client
from tests.contract.faulty import Crash, Faulty
from tests.contract.openers import NOON

SQLITE = pytest.mark.parametrize("opener", ["local"], indirect=True)
DYNAMODB = pytest.mark.parametrize("opener", ["moto", "dynalite"], indirect=True)
MANY = pytest.mark.parametrize("queued", [500, pytest.param(50_000, marks=pytest.mark.campaign)])
QUERIES = {
    "pipeline": {"pipeline": {"$in": ["sample"]}},
    "site": {"pipeline": {"$in": ["sample"]}, "site": "near"},
    "priority": {"pipeline": {"$in": ["sample"]}, "priority": 2},
    "site and priority": {"pipeline": {"$in": ["sample"]}, "site": "near", "priority": 2},
}
BY = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)


def fill(ports, first, end):
    """Queue works of both sites and all priorities."""
    document = {"pipeline": "sample", "user": "u", "creation": 2.0, "status": "queued"}
    works = [
        Work.model_validate(
            {
                **document,
                "id": f"{number:020x}{partition_of('sample')}",
                "site": ("near", "far")[number % 2],
                "priority": 1 + number % 5,
            }
        )
        for number in range(first, end)
    ]
    for start in range(0, len(works), 500):
        ports.works.add(works[start : start + 500])


@SQLITE
@MANY
@BY
def test_a_withdrawal_takes_as_many_steps_from_a_long_queue(opener, queued, query):
    database = Database(opener.root)
    ports = open_work_ports(database)
    fill(ports, 0, 10)
    before = steps(database, ports, query)
    fill(ports, 10, queued)
    assert steps(database, ports, query) <= before * 1.2


def steps(database, ports, query):
    """How many instructions SQLite's machine takes, over all connections."""
    count = Counter()
    with database.reading() as connection:
        connection.set_progress_handler(lambda: count.update(steps=1), 1)
    assert buckets.withdraw(query, ports, NOON) is not None
    with database.reading() as connection:
        connection.set_progress_handler(None, 1)
    assert count["steps"] > 10
    return count["steps"]


@SQLITE
@BY
def test_the_queue_is_read_from_its_index_and_never_sorted(opener, query):
    database = Database(opener.root)
    ports = open_work_ports(database)
    asked = []
    with database.reading() as connection:
        connection.set_trace_callback(asked.append)
    buckets.withdraw(query, ports, NOON)
    with database.reading() as connection:
        connection.set_trace_callback(None)
        (read,) = [sql for sql in asked if "FROM works" in sql]
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {read}")]
    index = "works_by_site_turn" if "site" in query else "works_by_turn"
    assert len(plan) == 1
    assert plan[0].startswith(f"SEARCH works USING INDEX {index} (")


class Counting:
    """A client that tells what was asked of it and what that cost."""

    def __init__(self, client):
        self._client = client
        self.told = Counter()

    def __getattr__(self, name):
        def call(**asked):
            assert name != "query" or asked["ConsistentRead"], "an index that lags misses works"
            answer = getattr(self._client, name)(**asked, ReturnConsumedCapacity="TOTAL")
            used = answer["ConsumedCapacity"]
            self.told[name] += 1
            self.told[f"{name} units"] += used["CapacityUnits"] if isinstance(used, dict) else 0
            return answer

        return call


@DYNAMODB
@MANY
@BY
def test_a_withdrawal_is_one_read_one_claim_and_one_count_at_any_length(opener, queued, query):
    fill(opener.work_ports(), 0, 10)
    before = cost(opener, query)
    fill(opener.work_ports(), 10, queued)
    assert cost(opener, query) == before
    assert {name: before[name] for name in ("query", "put_item", "update_item")} == {
        "query": 1, "put_item": 1, "update_item": 1,
    }  # fmt: skip
    assert before["query units"] <= 1


def cost(opener, query):
    clients = []

    def wrap(client):
        clients.append(Counting(client))
        return clients[-1]

    assert buckets.withdraw(query, opener.work_ports(wrap), NOON) is not None
    return clients[0].told


def work(**fields):
    return {"pipeline": "sample", "site": "near", "user": "u", **fields}


@DYNAMODB
def test_a_claim_whose_answer_was_lost_is_recognised(opener):
    ports = opener.work_ports()
    (work_id,) = buckets.deposit([work()], ports, NOON)
    faulty = opener.work_ports(lambda c: Faulty(c, "put_item", is_repeated=True))
    assert buckets.withdraw(QUERIES["site"], faulty, NOON)["id"] == work_id
    assert buckets.view({"query": {}}, ports)[0]["attempt"] == 1


@DYNAMODB
def test_who_loses_a_work_looks_again_for_what_was_put_back_before_it(opener):
    ports = opener.work_ports()
    first, second = buckets.deposit([work(creation=1), work(creation=2)], ports, NOON)
    running = buckets.withdraw(QUERIES["site"], ports, NOON)

    def accept(document):
        if document["id"] == second:  # while we look at it, others take it and put back the first
            assert buckets.withdraw(QUERIES["site"], ports, NOON)["id"] == second
            assert buckets.update([{**running, "status": "queued"}], ports)
        return taken(Work.model_validate(document), NOON)

    scope = scope_of(parse_filter(QUERIES["site"]))
    assert ports.works.take(scope, accept).id == first


@DYNAMODB
def test_a_withdrawal_that_died_after_its_claim_runs_out_of_time_and_comes_back(opener):
    ports = opener.work_ports()
    (work_id,) = buckets.deposit([work(timeout=1)], ports, NOON)
    dying = opener.work_ports(lambda c: Faulty(c, "put_item", is_repeated=False))
    with pytest.raises(Crash):
        buckets.withdraw(QUERIES["site"], dying, NOON)
    later = NOON.replace(minute=1)
    assert buckets.withdraw(QUERIES["site"], ports, later) is None
    assert audits.audit_expired(ports, later) == 1
    assert audits.audit_failed(ports) == 1
    assert buckets.withdraw(QUERIES["site"], ports, later)["id"] == work_id


@DYNAMODB
def test_a_deposit_that_died_before_it_was_counted_is_there_and_recounted(opener):
    ports = opener.work_ports()
    dying = opener.work_ports(lambda c: Faulty(c, "batch_write_item", is_repeated=False))
    with pytest.raises(Crash):
        buckets.deposit([work()], dying, NOON)
    assert buckets.status(ports)["total"] == 0
    assert isinstance(ports.works, DynamoWorkStore)
    assert ports.works.recount() is True
    assert buckets.status(ports)["queued"] == 1
    assert buckets.withdraw(QUERIES["site"], ports, NOON) is not None
    assert tuple(buckets.status(ports).values()) == (1, 0, 1, 0, 0)


@DYNAMODB
def test_what_lay_in_the_object_store_goes_with_its_version(opener):
    ports = opener.work_ports()
    big = {"x": "y" * 100_000}
    buckets.deposit([work(results=big)], ports, NOON)
    folder = opener.root / "s3" / "scratch" / "works"
    taken = buckets.withdraw(QUERIES["site"], ports, NOON)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1
    buckets.update([{**taken, "results": None}], ports)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_the_table_has_its_local_indexes(moto_endpoint):
    from tests.clouds.foundation import create_table

    dynamodb = client("dynamodb", moto_endpoint)
    table = dynamodb.describe_table(TableName=create_table(dynamodb))["Table"]
    names = {index["IndexName"] for index in table["LocalSecondaryIndexes"]}
    assert names == {"by_work_state", "by_work_turn", "by_work_check"}
