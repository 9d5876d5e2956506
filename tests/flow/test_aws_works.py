"""The work queue in the AWS home: through ``app.py``, on moto, and its counters mended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

import app
from chalicelib import tokens
from chalicelib.aws.work_counts import WorkCounts
from chalicelib.aws.work_recounts import minute_of
from chalicelib.core.grants import SHORT, Wanted
from chalicelib.core.principals import Scope
from chalicelib.core.work.model import WorkStatus
from chalicelib.works import buckets, results
from tests.flow.aws_worlds import aws_account


@pytest.fixture(scope="module")
def world():
    with aws_account() as world:
        yield world


@pytest.fixture
def ask(world):
    return asking(world)


def asking(world):
    """Return what asks through API Gateway, with a token; it returns a good answer's JSON."""
    wanted = Wanted("worker", frozenset({Scope.READ, Scope.SUBMIT}), {"default"}, SHORT)
    token = tokens.create(wanted, world.home.ports).text
    return partial(asked_with, token)


def asked_with(token, method, path, body=None, query=None):
    event = {
        "headers": {"Content-Type": "application/json; charset=utf-8", "x-access-token": token},
        "multiValueQueryStringParameters": query,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": path, "httpMethod": method, "identity": {}},
        "body": None if body is None else json.dumps(body),
    }
    answer = app.app(event, None)
    assert answer["statusCode"] == 200, answer["body"]
    return json.loads(answer["body"])


def a_work(pipeline, **changes):
    return {"pipeline": pipeline, "site": "local", "user": "tester", **changes}


def test_a_work_goes_through_buckets_into_results(ask):
    twice = {"return_ids": ["True", "True"]}
    (work_id,) = ask("POST", "/buckets/work", [a_work("sample")], twice)
    work = ask("POST", "/buckets/work/withdraw", {"pipeline": {"$in": ["sample"]}})
    assert work["id"] == work_id
    done = {**work, "status": "success", "results": {"text": "x" * 100_000}}
    assert ask("PUT", "/buckets/work", [done]) is True
    (found,) = ask("POST", "/buckets/view", {"query": {"id": work_id}, "projection": {}})
    assert found == done
    assert ask("POST", "/results-api/results", [found]) == {"sample": True}
    assert ask("DELETE", "/buckets/work", query={"ids": [work_id]}) is True
    assert ask("GET", "/buckets/status")["total"] == 0
    assert ask("POST", "/results-api/view/count", {"query": {"pipeline": "sample"}}) == 1


def test_the_sweep_counts_each_pipeline_again_in_its_minute(world):
    works, at = world.home.works, world.now
    ids = buckets.deposit([a_work("drifted") for _ in range(3)], works, at)
    ended = a_work("drifted", id=ids[0], status="success", creation=1.0)
    results.deposit_results([ended], works)
    spoil(world, "works")
    spoil(world, "results")
    set_minute(world, minute_of("drifted") - 1)
    assert world.sweep()["recounted"] == 0
    assert buckets.status_of("drifted", works)["queued"] == 10
    world.pass_time(60)
    assert world.sweep()["recounted"] == 2
    assert buckets.status_of("drifted", works)["queued"] == 3
    assert results.status_results(works)["drifted"] == 1


def test_what_ails_the_runs_does_not_keep_the_counters_wrong(world):
    works = world.home.works
    buckets.deposit([a_work("ailing")], works, world.now)
    spoil(world, "works", "ailing")
    set_minute(world, minute_of("ailing"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chalicelib.aws.home.engine.sweep", broken)
        with pytest.raises(ZeroDivisionError):
            world.sweep()
    assert buckets.status_of("ailing", works)["queued"] == 1


def broken(*_, **__):
    raise ZeroDivisionError


def spoil(world, shelf, pipeline="drifted"):
    """Leave the counters as a process does that died before it counted."""
    table = world.home.works.works._table
    WorkCounts(table, shelf).count({(pipeline, WorkStatus.QUEUED): 7})


def set_minute(world, minute):
    day = datetime(2026, 5, 1, tzinfo=UTC)
    while day < world.now:
        day += timedelta(days=1)
    world.now = day + timedelta(minutes=minute % (24 * 60))
