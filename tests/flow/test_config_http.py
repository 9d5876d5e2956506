"""Configs and schedules through ``falsework serve``, asked as the ``workflow`` client asks."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from tests.flow.config_world import a_config, a_step
from tests.flow.doors import eventually
from tests.flow.work_client import Pipelines, as_texts

MISSING = "0123456789abcdef01230000"


def of(config, **more):
    return as_texts({"query": {"id": config}, **more})


@pytest.fixture
def client(queue_url):
    with Pipelines.at(queue_url) as client:
        yield client


@pytest.fixture
def name(pipeline):
    """A config that no other test has; there is room for the names of its steps."""
    return pipeline[:80]


def run(buckets, bucket, status="success"):
    """What ``workflow run`` does with a work."""
    work = eventually(lambda: buckets.withdraw(bucket, site="local"), 10)
    assert buckets.update([{**work, "status": status, "stop": time.time()}]) is True
    return work


def test_a_config_goes_its_way(client, buckets, name):
    made = client.deploy(a_config(a_step(f"{name}-1"), a_step(f"{name}-2", 2), name=name))
    assert list(made) == ["config", "pipelines"]
    (pipeline,) = made["pipelines"]
    (shown,) = client.configs(name=name, projection={"yaml": 0, "deployments": 0})
    assert (shown["id"], shown["name"], shown["version"]) == (made["config"], name, "2")
    assert (shown["pipelines"], shown["user"], shown["status"]) == ([pipeline], "tester", "queued")
    assert not {"yaml", "deployments"} & set(shown)
    (parent,) = client.configs(query={"pipelines": pipeline}, projection={"name": 1})
    assert parent == {"name": name}
    for number in (1, 2):
        work = run(buckets, f"{name}-{number}")
        assert (work["config"]["parent"], work["user"]) == (pipeline, "tester")
    query = {"id": {"$in": [pipeline]}}
    (ended,) = client.pipelines(name=name, query=query, projection={"id": 1, "status": 1})
    assert ended == {"id": pipeline, "status": "success"}
    (whole,) = client.pipelines(name=name)
    assert [each["status"] for each in whole["steps"]] == ["success", "success"]
    assert whole["current_stage"] == 2
    assert whole["creation"] <= whole["start"] <= whole["stop"]
    assert client.told("GET", "/status", params={"name": name}) == {
        "total": 1, "created": 0, "queued": 0, "running": 0, "success": 1, "failure": 0,
        "cancelled": 0,
    }  # fmt: skip
    one = as_texts({"name": name, "query": {"status": "success"}, "projection": {"total": 1}})
    assert client.told("GET", "/status", params=one) == {"total": 1}


def test_the_engine_looks_without_being_asked(client, buckets, name):
    client.deploy(a_config(a_step(f"{name}-1"), a_step(f"{name}-2", 2), name=name))
    work = eventually(lambda: buckets.withdraw(f"{name}-1", site="local"))
    parentless = {**work["config"], "parent": None}
    buckets.update([{**work, "status": "success", "config": parentless}])
    assert run(buckets, f"{name}-2")["pipeline"] == f"{name}-2"


def test_the_yaml_of_a_config_is_what_was_sent(client, name):
    sent = a_config(name=name)
    made = client.deploy(sent)
    (shown,) = client.configs(name=name, query={"id": made["config"]}, projection={})
    assert json.loads(shown["yaml"]) == sent
    assert shown["deployments"] == []


def test_counts_are_by_name(client, name):
    for _ in range(2):
        client.deploy(a_config(name=name, plan={"matrix": {"n": [1, 2, 3]}}))
    for database, count in (("configs", 2), ("pipelines", 6)):
        told = client.told("GET", "/configs/count", params={"database": database})
        assert told[name] == count


def test_lists_are_newest_first_and_can_be_paged(client, name):
    made = [client.deploy(a_config(name=name))["config"] for _ in range(3)]
    assert {each["id"] for each in client.configs(name=name, limit=3)} == set(made)
    pages = [client.configs(name=name, limit=1, skip=number)[0]["id"] for number in range(3)]
    assert sorted(pages) == sorted(made)


def test_stop_retry_and_rm(client, buckets, name):
    config = client.deploy(a_config(a_step(name), name=name))["config"]
    (pipeline,) = client.pipelines(name=name)
    assert client.ask("DELETE", "/configs", params=of(config, name=name)).status_code == 409
    told = client.told("PUT", "/configs/cancel", params=of(config, name=name))
    assert told == {"stopped_config": config, "stopped_pipelines": [pipeline["id"]]}
    assert client.ask("PUT", "/configs/cancel", params=of(config, name=name)).status_code == 304
    assert buckets.withdraw(name) is None
    assert client.pipelines(name=name)[0]["status"] == "cancelled"
    body = {"id": config, "name": name}
    assert client.told("POST", "/configs/retry", json=body)["message"].startswith("1 of 1")
    run(buckets, name, status="failure")
    assert client.pipelines(name=name)[0]["status"] == "failure"
    client.told("POST", "/configs/retry", json=body)
    run(buckets, name)
    assert client.configs(name=name)[0]["status"] == "success"
    answer = client.ask("DELETE", "/configs", params=of(config, name=name))
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.configs(name=name) == []
    assert client.ask("DELETE", "/configs", params=of(config, name=name)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "parts", "status"),
    [
        ("PUT", "/configs/cancel", {"params": of(MISSING)}, 404),
        ("POST", "/configs/retry", {"json": {"id": MISSING, "name": "x"}}, 404),
        ("GET", "/schedule", {"params": of(MISSING)}, 404),
        ("DELETE", "/schedule", {"params": of(MISSING)}, 404),
        ("DELETE", "/configs", {"params": {"query": "{'id': 1}"}}, 400),
        ("DELETE", "/configs", {"params": {"query": "{}"}}, 400),
        ("GET", "/configs", {"params": {"query": '{"$where": "1"}'}}, 400),
        ("GET", "/configs", {"params": {"database": "other"}}, 400),
        ("POST", "/configs", {"json": {"name": "x"}}, 400),
        ("POST", "/configs", {"json": a_config(a_step("one", work={"config": "x"}))}, 400),
        ("GET", "/schedule/count", {"params": {"query": '{"name": {"$in": ["x"]}}'}}, 400),
        ("POST", "/configs/migrate", {"json": {"name": "x"}}, 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_there_or_no_request_is_told(client, method, path, parts, status):
    answer = client.ask(method, path, **parts)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_a_schedule_is_kept_shown_counted_and_removed(client, name):
    sent = {"crontab": "0 0 29 2 *", "lives": -1, "config": a_config(name=name)}
    made = client.told("POST", "/schedule", json=sent)
    keep = ("id", "status", "lives", "has_spawned", "next_time", "crontab", "config.name")
    projection = dict.fromkeys(keep, True)
    (shown,) = client.schedules(query={"config.name": name}, projection=projection)
    assert shown.pop("next_time") is not None
    assert shown == {
        "id": made["id"], "status": "active", "lives": -1, "has_spawned": 0,
        "crontab": "0 0 29 2 *", "config": {"name": name},
    }  # fmt: skip
    assert made["id"] in [each["id"] for each in client.schedules(projection=projection)]
    (whole,) = client.schedules(query={"id": made["id"]})
    assert (whole["config"], whole["history"]) == (sent["config"], [])
    count = client.told("GET", "/schedule/count", params=as_texts({"query": {"name": name}}))
    assert count == {name: 1}
    assert client.told("GET", "/schedule/count")[name] == 1
    assert client.told("DELETE", "/schedule", params=of(made["id"]))["id"] == made["id"]
    assert client.schedules(query={"config.name": name}) == []
    assert client.ask("DELETE", "/schedule", params=of(made["id"])).status_code == 404


def test_what_is_wrong_with_a_schedule_is_its_message(client, name):
    sent = {"crontab": "61 * * * *", "lives": 1, "config": a_config(name=name)}
    answer = client.ask("POST", "/schedule", json=sent)
    assert answer.status_code == 400
    assert answer.json()["message"] == answer.json()["detail"] == "no crontab: Bad minute"


@pytest.mark.slow
def test_a_schedule_spawns_by_itself(client, name):
    sent = {"crontab": "* * * * *", "lives": 1, "config": a_config(name=name)}
    made = client.told("POST", "/schedule", json=sent)
    eventually(lambda: client.configs(name=name), 65)
    (shown,) = client.schedules(query={"id": made["id"]})
    assert (shown["status"], shown["has_spawned"], shown["lives"]) == ("expired", 1, 0)
    ((at, config),) = shown["history"]
    assert datetime.fromisoformat(at).second == 0
    assert client.configs(query={"id": config})[0]["name"] == name


def test_an_idempotency_key_deploys_once(client, name):
    headers = {"Idempotency-Key": name}
    client._session.headers.update(headers)
    first, second = (client.deploy(a_config(name=name)) for _ in range(2))
    del client._session.headers["Idempotency-Key"]
    assert first == second
    assert len(client.configs(name=name)) == 1
