"""Runs that an earlier version has begun are read, driven to their end, and shown, by this one.

What the stores held is kept in ``tests/fixtures/old/<version>``, as that version wrote it (see
``write_items.py``). A fixture is never changed: who cannot read it any more has broken somebody's
runs.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from chalicelib import calls, engine
from chalicelib.child_progress import Progress, key_of, partition_of
from chalicelib.core.costs import cost_of
from chalicelib.core.events import ResumeRequested
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import Run, RunState
from chalicelib.core.view import run_view
from chalicelib.core.why import why
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.local.schema import STEPS
from tests.flow import families
from tests.flow.aws_worlds import AwsWorld, _moto_jobs, aws_account
from tests.flow.worlds import World, a_demand

OLD = Path(__file__).parents[1] / "fixtures" / "old"
AWS = sorted(OLD.glob("*/aws-*.json"))
EMBEDDED = sorted(OLD.glob("*/embedded-*.json"))
ROUNDS = 20
ENDS = {"submitted", "executing", "retrying", "staging-out"}
"""Moments from which a run goes on by itself."""


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def moment_of(path: Path) -> str:
    return path.stem.partition("-")[2]


def test_there_is_something_to_read():
    assert len(AWS) == len(EMBEDDED) >= 5


# AWS: the items as DynamoDB has them.


@pytest.fixture
def world():
    with aws_account() as world:
        yield world


def bring_back(world: AwsWorld, found: dict[str, Any]) -> None:
    """Make the account as it was: items, objects, definitions, and the jobs under way."""
    world.now = datetime.fromisoformat(found["now"])
    for item in found["items"]:
        world.dynamodb.put_item(TableName=world.settings.table, Item=item)
    for key, text in found["objects"].items():
        world.s3.put_object(Bucket="falsework", Key=key, Body=text.encode())
    batch = world.clients.get("batch")
    for each in found["definitions"]:
        made = batch.register_job_definition(
            jobDefinitionName=each["name"],
            type="container",
            containerProperties=each["container"],
            tags=each["tags"],
        )
        assert made["jobDefinitionArn"] == each["arn"]
    for job_id, job in found["jobs"].items():
        _bring_back_job(world, job_id, dict(job), found["definitions"][0]["arn"])


def _bring_back_job(world: AwsWorld, job_id: str, job: dict[str, Any], arn: str) -> None:
    """moto gives every job an id of its own, so a new one is put under the old one's."""
    environment = [{"name": name, "value": text} for name, text in job["environment"].items()]
    new = world.clients.get("batch").submit_job(
        jobName=job["name"],
        jobQueue=job["queue"],
        jobDefinition=arn,
        containerOverrides={"environment": environment},
    )["jobId"]
    kept = _moto_jobs().pop(new)
    world.jobs.pop(new, None)
    kept.job_id, kept.status = job_id, job.pop("status")
    _moto_jobs()[job_id] = kept
    world.jobs[job_id] = job


def drive(world: AwsWorld) -> Run:
    for _ in range(ROUNDS):
        for job_id in world.waiting("e1"):
            world.finish(job_id)
            world.tell(job_id, "SUCCEEDED")
        run = world.run("e1")
        if run.settled_at is not None:
            return run
        world.pass_time()
        world.sweep()
    raise AssertionError(world.run("e1").state)


@pytest.mark.parametrize("path", AWS, ids=name_of)
def test_items_of_an_earlier_version_are_read_and_shown(world, path):
    bring_back(world, json.loads(path.read_text()))
    run = world.run("e1")
    assert run_view(run)["id"] == "e1"
    assert why(run, world.now)
    assert cost_of(run, world.settings.site.prices, world.now).run == "e1"
    shown = json.loads(world.http.get("/runs").body)
    assert [each["id"] for each in shown["runs"]] == ["e1"]


@pytest.mark.parametrize("path", [each for each in AWS if moment_of(each) in ENDS], ids=name_of)
def test_a_run_that_was_under_way_when_this_version_was_deployed_finishes(world, path):
    bring_back(world, json.loads(path.read_text()))
    before = world.run("e1")
    run = drive(world)
    assert run.state is RunState.SUCCESS, run.error
    assert run.outputs == {"out": {"uri": "s3://data/results/out/"}}
    own = [job.name for job in run.jobs if job.is_own]
    assert len(own) == len(set(own))
    assert {job.name for job in before.jobs if job.job_id} <= set(own)
    assert run.version > before.version


@pytest.mark.parametrize(
    "path", [each for each in AWS if moment_of(each) == "failed"], ids=name_of
)
def test_a_run_that_failed_under_an_earlier_version_can_be_resumed(world, path):
    bring_back(world, json.loads(path.read_text()))
    drive(world)
    assert world.run("e1").state is RunState.ERROR
    assert world.http.post("/runs/e1/resume").status_code == 202
    assert drive(world).state is RunState.SUCCESS


# The embedded home: the database as SQLite has it.


def bring_home(root: Path, found: dict[str, Any]) -> World:
    """Write the files as they were, and open them."""
    with closing(sqlite3.connect(root / "falsework.db")) as connection:
        connection.executescript("\n".join(found["sql"]))
        connection.execute(f"PRAGMA user_version={found['user_version']}")
        connection.commit()
    for name, text in found["objects"].items():
        place = root / "s3" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    world = World(root)
    world.now = datetime.fromisoformat(found["now"])
    world.batch._ids = itertools.count(len(found["jobs"]) + 1)
    for job_id, told in found["jobs"].items():
        seen = JobSeen.model_validate(told)
        world.batch.jobs[job_id] = seen
        world.batch.requests[job_id] = JobRequest.model_validate(
            {
                "name": seen.name,
                "queue": seen.queue,
                "definition_arn": "arn:old",
                "environment": found["environments"][job_id],
            }
        )
    return world


def drive_home(world: World) -> Run:
    for _ in range(ROUNDS):
        world.deliver("e1")
        run = world.runs.load("e1")
        if run.settled_at is not None:
            return run
        world.pass_time()
        engine.sweep(world.ports)
    raise AssertionError(world.runs.load("e1").state)


@pytest.mark.parametrize("path", EMBEDDED, ids=name_of)
def test_a_database_of_an_earlier_version_is_brought_up_to_date_and_read(tmp_path, path):
    found = json.loads(path.read_text())
    assert found["user_version"] <= len(STEPS)
    world = bring_home(tmp_path, found)
    run = world.runs.load("e1")
    assert run_view(run)["id"] == "e1"
    assert [each.id for each in world.runs.list().runs] == ["e1"]
    with closing(sqlite3.connect(tmp_path / "falsework.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert {"runs", "plans", "documents"} <= {name for (name,) in tables}


@pytest.mark.parametrize(
    "path", [each for each in EMBEDDED if moment_of(each) in ENDS], ids=name_of
)
def test_a_run_of_an_earlier_versions_database_finishes(tmp_path, path):
    world = bring_home(tmp_path, json.loads(path.read_text()))
    known = {job.job_id for job in world.runs.load("e1").jobs if job.job_id}
    if moment_of(path) == "executing":
        assert any(job.status is JobStatus.RUNNABLE for job in world.batch.jobs.values())
    run = drive_home(world)
    assert run.state is RunState.SUCCESS, run.error
    assert known <= {job.job_id for job in run.jobs}


@pytest.mark.parametrize(
    "path", [each for each in EMBEDDED if moment_of(each) == "failed"], ids=name_of
)
def test_a_failed_run_of_an_earlier_versions_database_can_be_resumed(tmp_path, path):
    world = bring_home(tmp_path, json.loads(path.read_text()))
    assert drive_home(world).state is RunState.ERROR
    engine.handle(ResumeRequested(run_id="e1", at=world.now), world.ports)
    for job in world.batch.finish():
        event = calls.job_changed(job, "e1", world.now)
        assert event is not None
        engine.handle(event, world.ports)
    assert drive_home(world).state is RunState.SUCCESS


# The other way round: while a deployment lasts, and when it is taken back.


BEFORE = json.loads((OLD / "257ccb4" / "fields.json").read_text())
"""What the version before this one knows of what is stored."""


def unknown_to_it(noun: BaseModel, told: dict[str, Any]) -> list[str]:
    """Return what is stored of the noun, in itself and in what it is made of, that is new."""
    name = type(noun).__name__
    found = [f"{name}.{each}" for each in told if each not in BEFORE[name]]
    for field, stored in told.items():
        value = getattr(noun, field)
        for part, form in zip(*_parts(value, stored), strict=True):
            found += unknown_to_it(part, form)
    return found


def _parts(value: Any, stored: Any) -> tuple[list[BaseModel], list[Any]]:
    if isinstance(value, BaseModel):
        return [value], [stored]
    if isinstance(value, tuple) and all(isinstance(each, BaseModel) for each in value):
        return list(value), list(stored)
    return [], []


@pytest.mark.parametrize("moment", ["waits", "is retried", "has succeeded", "has failed"])
def test_the_version_before_reads_a_run_that_uses_nothing_new(tmp_path, moment):
    world = World(tmp_path)
    world.submit(a_demand(options={"retry_policy": "STAGE", "max_attempts": 2}))
    world.batch.failing = {"execute"} if moment in {"is retried", "has failed"} else set()
    for _ in range({"waits": 0, "is retried": 2}.get(moment, ROUNDS)):
        world.deliver("e1")
        world.pass_time()
        engine.sweep(world.ports)
    run = world.runs.load("e1")
    assert unknown_to_it(run, json.loads(run.model_dump_json())) == []
    ends = {"has succeeded": RunState.SUCCESS, "has failed": RunState.ERROR}
    assert run.state is ends.get(moment, RunState.RUNNING)


def test_the_version_before_reads_how_far_a_runs_own_runs_are(tmp_path):
    family = families.Family(tmp_path)
    family.begin(families.each(request={"is_slow": True}), given=[1, 2])
    key = key_of("each", 1, 1)
    found = family.world.ports.documents.load(partition_of(family.parent), key)
    assert found is not None
    assert unknown_to_it(Progress.model_validate(found.content), found.content) == []
    assert unknown_to_it(family.parent, json.loads(family.parent.model_dump_json())) == []
