"""Configs and schedules in the AWS home: through ``app.py`` and its sweep, on moto."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.flow.aws_worlds import aws_account
from tests.flow.config_world import a_config, a_step
from tests.flow.test_aws_works import asking

BASE = "/pipelines/v2"


@pytest.fixture
def world():
    with aws_account() as world:
        yield world


@pytest.fixture
def ask(world):
    return asking(world)


def withdrawn(ask, bucket):
    return ask("POST", "/buckets/work/withdraw", {"pipeline": {"$in": [bucket]}})


def ended(ask, work):
    return ask("PUT", "/buckets/work", [{**work, "status": "success"}])


def pipelines(ask):
    return ask("GET", f"{BASE}/configs", query={"database": ["pipelines"]})


def test_a_config_goes_its_way(world, ask):
    steps = [a_step("one", matrix={"n": [1, 2]}), a_step("two", 2)]
    made = ask("POST", f"{BASE}/configs", a_config(*steps))
    assert world.sweep()["configs"] == 1
    assert ask("GET", "/buckets/status")["queued"] == 2
    for _ in range(2):
        assert ended(ask, withdrawn(ask, "one")) is True
    assert ended(ask, withdrawn(ask, "two")) is True
    (found,) = pipelines(ask)
    assert (found["id"], found["status"]) == (made["pipelines"][0], "success")
    assert ask("GET", f"{BASE}/configs/count") == {"sample": 1}
    assert ask("GET", "/buckets/status") == {
        "total": 3, "queued": 0, "running": 0, "success": 3, "failure": 0,
    }  # fmt: skip
    world.sweep()
    assert world.sweep()["configs"] == 0


def test_a_config_is_stopped_and_tried_again(world, ask):
    made = ask("POST", f"{BASE}/configs", a_config(a_step("one")))
    one = {"query": [f'{{"id": "{made["config"]}"}}']}
    stopped = ask("PUT", f"{BASE}/configs/cancel", query=one)
    assert stopped["stopped_pipelines"] == made["pipelines"]
    assert withdrawn(ask, "one") is None
    told = ask("POST", f"{BASE}/configs/retry", {"id": made["config"], "name": "sample"})
    assert told["message"].startswith("1 of 1")
    ended(ask, withdrawn(ask, "one"))
    assert [each["status"] for each in pipelines(ask)] == ["success"]


def test_the_sweep_lets_schedules_spawn(world, ask):
    sent = {"crontab": "* * * * *", "lives": 1, "config": a_config()}
    ask("POST", f"{BASE}/schedule", sent)
    assert world.sweep()["schedules"] == 0
    world.now += timedelta(minutes=10)
    assert world.sweep()["schedules"] == 1
    assert withdrawn(ask, "one")["pipeline"] == "one"
    (schedule,) = ask("GET", f"{BASE}/schedule")
    assert (schedule["status"], len(schedule["history"])) == ("expired", 1)
    assert world.sweep()["schedules"] == 0


def test_large_works_of_a_config_are_kept_as_others_are(world, ask):
    """Each bears the matrix's text three times, and has to lie in S3."""
    mark = "${{ matrix.text }}"
    step = a_step(
        "one", matrix={"text": ["x" * 30_000]}, work={"parameters": {"x": [mark, mark, mark]}}
    )
    sent = {"crontab": "* * * * *", "lives": 1, "config": a_config(step)}
    ask("POST", f"{BASE}/schedule", sent)
    world.now += timedelta(minutes=1)
    assert world.sweep()["schedules"] == 1
    work = withdrawn(ask, "one")
    assert work["parameters"] == {"x": ["x" * 30_000] * 3}
    ended(ask, work)
    assert [each["status"] for each in pipelines(ask)] == ["success"]
