"""What a deployment seldom does, and has to be allowed all the same: each by its own handler."""

from __future__ import annotations

import json

import pytest

from chalicelib.aws import dropped_files, queues
from chalicelib.aws.submissions import AT_ONCE
from chalicelib.core.run import RunState
from chalicelib.core.states.failures import output_of
from tests.contract.aws_places import client
from tests.flow.aws_worlds import IMAGE, a_request, aws_account, messages
from tests.flow.receiver import Receiver
from tests.flow.test_aws_notices import Deployment
from tests.flow.test_aws_submissions import run_ids
from tests.flow.test_groups import post

MANIFEST = json.dumps(
    {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
)
LONG = "{" + "x" * 70_000


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr(queues, "WAIT_SECONDS", 0)
    with aws_account() as world:
        yield world


def drop_many(world):
    """A request file that is taken in by parts, in a bucket that keeps versions."""
    world.s3.put_bucket_versioning(
        Bucket="requests", VersioningConfiguration={"Status": "Enabled"}
    )
    lines = [json.dumps(a_request(f"e{number}")) for number in range(AT_ONCE + 1)]
    return world.drop("requests/m.jsonl", "\n".join(lines).encode())


def parts_of(world):
    return [message["Body"] for message in world.received("submissions")]


def test_parts_are_read_from_the_version_that_they_are_of(world):
    world.invoke("on_object_created", drop_many(world))
    world.drop("requests/m.jsonl", b"{}")
    world.submit_by_queue(*parts_of(world))
    assert len(run_ids(world)) == AT_ONCE + 1


def test_a_file_of_very_many_that_was_missed_is_sent_on_by_the_sweep(world):
    drop_many(world)
    world.pass_time(dropped_files.AT_REST.total_seconds())
    assert world.sweep()["request_files"] == 1
    assert len(parts_of(world)) == 2


def test_a_long_letter_is_put_aside_and_goes_back_over_rest(world):
    world.submit_by_queue(LONG)
    world.pass_time()
    told = post(world.http, "/dead-letters/redrive", {}).json_body
    assert told["sent_back"] == {"submissions": 1}
    assert parts_of(world) == [LONG]


def put_aside(world, dead):
    (letter,) = world.received(dead)
    uri = json.loads(letter["Body"])["body_uri"]
    return world.home.ports.objects.read(uri).decode()


def test_a_long_wake_up_that_cannot_be_read_is_put_aside(world):
    world.invoke("on_wake", messages(LONG))
    assert put_aside(world, "dead") == LONG


def test_a_long_notice_that_cannot_be_read_is_put_aside(world):
    with Receiver() as receiver:
        Deployment(world, receiver)
        world.invoke("on_notice", messages(LONG))
        assert put_aside(world, "notices-dead") == LONG


def test_a_function_may_exchange_its_request_in_the_data_bucket(world):
    world.s3.create_bucket(Bucket="data")
    document = {"kind": "batch-lambda", "image": IMAGE, "handler": "h", "payload": 1,
                "bucket_name": "data", "job_queue": "default", "run_id": "f1"}  # fmt: skip
    world.submit_by_queue(document)
    (job_id,) = world.waiting("f1")
    place = world.jobs[job_id]["environment"]["AWS_LAMBDA_EVENT_RESPONSE_LOCATION"]
    key = place.removeprefix("s3://data/")
    assert key.startswith("scratch/f1/")
    world.s3.put_object(Bucket="data", Key=key, Body=b"2")
    world.finish(job_id)
    world.tell(job_id, "SUCCEEDED")
    run = world.run("f1")
    assert (run.state, output_of(run)) == (RunState.SUCCESS, 2)


def test_all_runs_are_listed_and_all_works_looked_through(world):
    world.submit_by_queue(a_request("r1"))
    listed = world.http.get("/runs").json_body["runs"]
    assert [each["id"] for each in listed] == ["r1"]
    work = {"pipeline": "sample", "site": "local", "user": "tester"}
    assert post(world.http, "/buckets/work", [work]).status_code == 200
    for path in ("failed", "expired", "stale/7"):
        assert world.http.get(f"/buckets/audit/{path}").json_body == 0


ROLE = "arn:aws:iam::123456789012:role/falsework-"


def test_a_job_has_the_role_that_it_names_and_our_worker_its_own(world):
    site = world.settings.site.model_copy(update={"worker_role_arn": f"{ROLE}job-worker"})
    world.restart(site=site, job_execution_role_arn=f"{ROLE}job-execution")
    platform = {"aws_batch": {"job_queue_name": "default", "job_role": f"{ROLE}user-lab"}}
    world.submit_by_queue(a_request("r1", execution_platform=platform))
    told = client("batch").describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    roles = {
        tuple(each["containerProperties"][role] for role in ("jobRoleArn", "executionRoleArn"))
        for each in told
    }
    execution = f"{ROLE}job-execution"
    assert roles == {(f"{ROLE}user-lab", execution), (f"{ROLE}job-worker", execution)}


def test_images_and_file_systems_are_looked_for_in_the_account(world):
    ecr, efs = client("ecr"), client("efs")
    ecr.create_repository(repositoryName="tool")
    ecr.put_image(repositoryName="tool", imageManifest=MANIFEST, imageTag="1")
    there = efs.create_file_system(CreationToken="one", Tags=tags("lab"))["FileSystemId"]
    for role in ("scratch", "shared"):
        root = {"Path": f"/{role}"}
        efs.create_access_point(
            ClientToken=role, FileSystemId=there, RootDirectory=root, Tags=tags(role)
        )
    world.restart(file_systems=None)
    world.submit_by_queue({**a_request("r1"), "execution_image": "tool"})
    assert len(world.waiting("r1")) == 1


def tags(name):
    return [{"Key": "Name", "Value": name}, {"Key": "env_base", "Value": "dev"}]
