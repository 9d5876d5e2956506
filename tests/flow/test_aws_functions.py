"""Functions on AWS (moto): the real worker serves the contract, and Batch's definitions go."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import boto3
import pytest

from chalicelib import calls, engine, function_intake
from chalicelib.core.function_requests import BATCH_LAMBDA
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import RunState
from chalicelib.core.states.failures import failure_of, output_of
from chalicelib.job_ports import JobSeen
from tests.flow.aws_worlds import IMAGE, aws_account
from tests.flow.test_aws_workers import HERE, Account

LISTING = "aibs_informatics_aws_lambda.handlers.data_sync.list_data_paths_handler"


@pytest.fixture
def account(moto_endpoint, tmp_path, monkeypatch):
    return Account(moto_endpoint, tmp_path, monkeypatch)


def work(account) -> int:
    """Start the job that was accepted last as Batch would; return its exit code."""
    job = account.batch.accepted[-1]
    definition = account.batch.definitions[job.definition_arn]
    told = {"AWS_BATCH_JOB_ID": "job-1", "PATH": os.environ["PATH"], "PYTHONPATH": HERE}
    done = subprocess.run(
        [sys.executable, "-m", "chalicelib.worker", *definition.command[1:]],
        env={**told, **job.environment, **account.environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode


def ended(account, run, code):
    seen = JobSeen(
        job_id="job-1",
        name=account.batch.accepted[-1].name,
        queue="default",
        status=JobStatus.SUCCEEDED if code == 0 else JobStatus.FAILED,
        ended_attempts=1,
        exit_code=code,
    )
    event = calls.job_changed(seen, run.id, account.ports.clock())
    return engine.handle(event, account.ports)


@pytest.mark.parametrize(
    ("handler", "state"), [(LISTING, RunState.SUCCESS), ("nobody", RunState.ERROR)]
)
def test_our_worker_serves_the_contract_with_objects_in_s3(account, handler, state):
    account.s3.put_object(Bucket=account.data, Key="in/a", Body=b"a")
    document = {
        "image": account.ports.site.worker_image,
        "handler": handler,
        "payload": {"path": f"s3://{account.data}/in/"},
    }
    run = function_intake.submit_function(BATCH_LAMBDA, document, account.ports)
    run = ended(account, run, work(account))
    assert run.state is state, run.error
    if state is RunState.SUCCESS:
        assert output_of(run) == {"paths": ["in/", "in/a"]}
    else:
        assert failure_of(run).Error == "States.TaskFailed"
        assert json.loads(failure_of(run).Cause)["Status"] == "FAILED"


@pytest.mark.parametrize("is_good", [True, False], ids=["a good end", "a failure"])
def test_the_definition_is_registered_for_the_run_and_taken_back_after_it(is_good):
    with aws_account() as world:
        batch = boto3.client("batch", region_name="us-east-1")
        document = {"image": IMAGE, "handler": "h", "payload": {"n": 1}, "run_id": "f1"}
        run = function_intake.submit_function(BATCH_LAMBDA, document, world.home.ports)
        active = batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
        assert [each["jobDefinitionName"] for each in active] == [f"dev-batch-lambda-{run.uid}"]
        (job_id,) = world.waiting("f1")
        told = world.jobs[job_id]["environment"]
        assert told["AWS_LAMBDA_EVENT_PAYLOAD"].startswith("s3://falsework/scratch/f1/")
        place = told["AWS_LAMBDA_EVENT_RESPONSE_LOCATION"].removeprefix("s3://falsework/")
        world.s3.put_object(Bucket="falsework", Key=place, Body=b'{"n": 2}')
        world.finish(job_id, is_good=is_good)
        world.tell(job_id, "SUCCEEDED" if is_good else "FAILED")
        run = world.run("f1")
        assert run.state is (RunState.SUCCESS if is_good else RunState.ERROR)
        assert output_of(run) == ({"n": 2} if is_good else None)
        assert run.settled_at is not None
        assert batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"] == []
        batch.close()
