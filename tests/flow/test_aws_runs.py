"""Whole runs through the AWS home, by each of its doors; and each door twice."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.run import RunState
from tests.flow.aws_worlds import a_request, assert_succeeded, aws_account, play

pytestmark = pytest.mark.filterwarnings("ignore:IAMAuthorizer is not a supported in local mode")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def account():
    with aws_account() as world:
        yield world


@pytest.fixture
def world(account):
    """The account as it is; every test names runs and files of its own."""
    account.restart(reports_batch_item_failures=False)
    account.dying.reset()
    return account


def test_a_run_by_rest(world):
    http = world.http
    body = json.dumps(a_request("rest")).encode()
    answer = http.post("/demand-executions", headers=JSON, body=body)
    assert answer.status_code == 202, answer.body
    assert_succeeded(world, play(world, "rest"))
    assert http.get("/runs/rest").json_body["state"] == "SUCCESS"
    listed = http.get("/runs?state=SUCCESS").json_body["runs"]
    assert "rest" in {run["id"] for run in listed}
    assert http.get("/health").json_body["home"] == "aws"


def test_a_run_by_the_queue(world):
    assert world.submit_by_queue(a_request("sqs")) is None
    assert_succeeded(world, play(world, "sqs"))


def test_a_run_by_a_request_file(world):
    dropped = world.drop("requests/team/a b.json", json.dumps(a_request("file")).encode())
    world.invoke("on_object_created", dropped)
    receipt = world.receipt("team/a b.json")
    assert receipt["object"] == "s3://requests/requests/team/a b.json"
    (entry,) = receipt["versions"]
    assert (entry["status"], entry["run_id"], entry["location"]) == (
        "accepted",
        "file",
        "/runs/file",
    )
    assert_succeeded(world, play(world, "file"))


def test_runs_by_one_message_of_many(world):
    lines = "\n".join(json.dumps(a_request(f"line{n}")) for n in range(2))
    world.submit_by_queue([a_request("list0"), a_request("list1")], lines)
    for run_id in ("list0", "list1", "line0", "line1"):
        assert_succeeded(world, play(world, run_id))


def test_runs_by_a_file_of_many(world):
    lines = [
        json.dumps(a_request("bulk0")),
        "",
        '{"execution_id": 1',
        json.dumps(a_request("bulk1")),
    ]
    dropped = world.drop("requests/many.jsonl", "\n".join(lines).encode())
    world.invoke("on_object_created", dropped)
    (entry,) = world.receipt("many.jsonl")["versions"]
    assert (entry["status"], entry["accepted"], entry["refused"]) == ("read", 2, 1)
    assert [(line["line"], line["status"]) for line in entry["lines"]] == [
        (1, "accepted"),
        (3, "refused"),
        (4, "accepted"),
    ]
    for run_id in ("bulk0", "bulk1"):
        assert_succeeded(world, play(world, run_id))


def test_a_job_that_fails_is_the_runs_error(world):
    world.submit_by_queue(a_request("fails"))
    (stage_in,) = world.waiting("fails")
    world.finish(stage_in)
    world.tell(stage_in, "SUCCEEDED")
    (execute,) = world.waiting("fails")
    world.finish(execute, is_good=False)
    world.tell(execute, "FAILED")
    run = world.run("fails")
    assert run.state is RunState.ERROR
    assert (run.error.stage, run.error.cause) == ("execute", "user")


def test_a_canceled_runs_job_is_stopped(world):
    world.submit_by_queue(a_request("canceled"))
    (stage_in,) = world.waiting("canceled")
    answer = world.http.post("/runs/canceled/cancel")
    assert answer.status_code == 202, answer.body
    assert world.dying.trace.count("batch.TerminateJob") == 1
    world.finish(stage_in, is_good=False)
    world.tell(stage_in, "FAILED")
    run = world.run("canceled")
    assert run.state is RunState.CANCELED
    assert run.settled_at is not None


def test_workers_are_told_where_the_state_is_and_the_users_job_is_not(world):
    world.submit_by_queue(a_request("told"))
    (stage_in,) = world.waiting("told")
    told = world.jobs[stage_in]["environment"]
    assert {name: told[name] for name in told if name in {"FALSEWORK_TABLE", "AWS_REGION"}} == {
        "FALSEWORK_TABLE": world.settings.table,
        "AWS_REGION": "us-east-1",
    }
    assert told["FALSEWORK_SCRATCH_BUCKET"] == "falsework"
    world.finish(stage_in)
    world.tell(stage_in, "SUCCEEDED")
    (execute,) = world.waiting("told")
    assert "FALSEWORK_TABLE" not in world.jobs[execute]["environment"]


@pytest.mark.parametrize("door", ["queue", "file", "bulk"])
def test_what_is_delivered_again_creates_and_changes_nothing(world, door):
    request = a_request(f"again-{door}")
    content = json.dumps(request)
    match door:
        case "queue":
            again = lambda: world.submit_by_queue(content)  # noqa: E731
        case "file":
            event = world.drop("requests/again.json", content.encode())
            again = lambda: world.invoke("on_object_created", event)  # noqa: E731
        case _:
            event = world.drop("requests/again.jsonl", content.encode())
            again = lambda: world.invoke("on_object_created", event)  # noqa: E731
    again()
    before = everything(world)
    again()
    world.restart()
    again()
    assert everything(world) == before
    assert_succeeded(world, play(world, f"again-{door}"))
    settled = everything(world)
    again()
    assert everything(world) == settled


def everything(world):
    """What the account holds, but for the wake-up calls."""
    items = world.dynamodb.scan(TableName=world.settings.table)["Items"]
    kept = {(item["pk"]["S"], item["sk"]["S"]): item for item in items}
    objects = {
        (bucket, each["Key"]): each["ETag"]
        for bucket in ("requests", "falsework")
        for each in world.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    }
    return kept, objects, dict(world.jobs)
