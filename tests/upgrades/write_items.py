"""Write down what a version's stores hold of runs that are under way.

Run it with that version's checkout as the working folder, for each version that is released::

    git worktree add /tmp/old VERSION && cd /tmp/old
    PYTHONPATH=. python …/tests/upgrades/write_items.py …/tests/fixtures/old/VERSION

It uses nothing but the worlds of that checkout's own tests. ``fields.json`` says which fields that
version knows of what is stored, so that a later one can be held to what both understand.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from chalicelib import engine
from chalicelib.child_progress import Progress
from chalicelib.core.run import Run
from tests.flow.aws_worlds import AwsWorld, a_request, aws_account
from tests.flow.worlds import World, a_demand

MOMENTS = ("submitted", "executing", "retrying", "staging-out", "failed")
"""Which stage of a demand waits for its job, or that it has failed and can be resumed."""
WAITING = {"submitted": 0, "executing": 1, "retrying": 1, "staging-out": 2, "failed": 1}
"""How many jobs have succeeded by then."""
OPTIONS = {"retry_policy": "STAGE", "max_attempts": 2}


def main(folder: Path) -> None:
    """Write a file for each moment and home."""
    folder.mkdir(parents=True, exist_ok=True)
    for moment in MOMENTS:
        _write(folder / f"aws-{moment}.json", of_aws(moment))
        _write(folder / f"embedded-{moment}.json", of_embedded(moment))
    _write(folder / "fields.json", fields_of(Run, Progress))


def fields_of(*stored: Any) -> dict[str, list[str]]:
    """Return name of a noun → its fields, of these and of all that they are made of."""
    found: dict[str, list[str]] = {}
    waiting = list(stored)
    while waiting:
        each = waiting.pop()
        waiting += get_args(each)
        is_noun = isinstance(each, type) and issubclass(each, BaseModel)
        if is_noun and each.__name__ not in found:
            found[each.__name__] = sorted(each.model_fields)
            waiting += [field.annotation for field in each.model_fields.values()]
    return found


def of_aws(moment: str) -> dict[str, Any]:
    """Return the table's items, the objects, the job definitions and the jobs."""
    with aws_account() as world:
        world.submit_by_queue(a_request("e1", **_options(moment)))
        for _ in range(WAITING[moment]):
            (job_id,) = world.waiting("e1")
            world.finish(job_id)
            world.tell(job_id, "SUCCEEDED")
        if moment == "executing":
            world.tell(*world.waiting("e1"), "RUNNING")
        if moment in {"retrying", "failed"}:
            (job_id,) = world.waiting("e1")
            world.finish(job_id, is_good=False)
            world.tell(job_id, "FAILED")
        return _account(world)


def _account(world: AwsWorld) -> dict[str, Any]:
    items = world.dynamodb.scan(TableName=world.settings.table)["Items"]
    listed = world.s3.list_objects_v2(Bucket="falsework").get("Contents", [])
    objects = {
        each["Key"]: world.s3.get_object(Bucket="falsework", Key=each["Key"])["Body"].read()
        for each in listed
    }
    batch = world.clients.get("batch")
    definitions = batch.describe_job_definitions()["jobDefinitions"]
    return {
        "now": world.now.isoformat(),
        "items": items,
        "objects": {key: content.decode() for key, content in objects.items()},
        "definitions": [
            {
                "name": each["jobDefinitionName"],
                "arn": each["jobDefinitionArn"],
                "container": each["containerProperties"],
                "tags": each.get("tags", {}),
            }
            for each in definitions
        ],
        "jobs": {
            job_id: {**job, "status": world.status(job_id)} for job_id, job in world.jobs.items()
        },
    }


def of_embedded(moment: str) -> dict[str, Any]:
    """Return the database as SQL, the objects and the jobs."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        world = World(root)
        world.submit(a_demand(**_options(moment)))
        for _ in range(WAITING[moment]):
            world.deliver("e1")
            engine.sweep(world.ports)
        if moment in {"retrying", "failed"}:
            world.batch.failing = {"execute"}
            world.deliver("e1")
        return _home(root, world)


def _home(root: Path, world: World) -> dict[str, Any]:
    with closing(sqlite3.connect(root / "falsework.db")) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        dump = list(connection.iterdump())
    below = root / "s3"
    return {
        "now": world.now.isoformat(),
        "user_version": version,
        "sql": dump,
        "objects": {
            str(path.relative_to(below)): path.read_text()
            for path in sorted(below.rglob("*"))
            if path.is_file()
        },
        "jobs": {job_id: job.model_dump(mode="json") for job_id, job in world.batch.jobs.items()},
        "environments": {
            job_id: dict(request.environment) for job_id, request in world.batch.requests.items()
        },
    }


def _options(moment: str) -> dict[str, Any]:
    return {"options": OPTIONS} if moment == "retrying" else {}


def _write(path: Path, found: dict[str, Any]) -> None:
    path.write_text(json.dumps(found, indent=1, sort_keys=True, default=str) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
