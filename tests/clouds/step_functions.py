"""Step Functions in moto, which interprets state machines, with jobs and functions that are real.

moto's states call boto3. Hooks of botocore on its session do what moto leaves out: PascalCase in
the calls of ``aws-sdk`` states, objects as text. A job is run by a hook before it is submitted,
as the embedded home would run it, with the objects that it reads and writes copied there and
back; a function is answered by a hook.
"""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.response import StreamingBody
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.error_name import custom_error_name

from chalicelib.core.errors import StepFailed
from chalicelib.core.states.batch_forms import camel
from chalicelib.core.states.responses import error_of
from tests.contract.aws_places import REGION, make_queue

log = logging.getLogger(__name__)

HERE = str(Path(__file__).parents[2])
EXECUTES = {
    "stepfunctions": {"execute_state_machine": True},
    "batch": {"use_docker": False},
}
ROLE = "arn:aws:iam::123456789012:role/states"
SECONDS = 60
Function = Callable[[str, bytes], bytes]


class Ended(NamedTuple):
    """What became of an execution."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    visited: list[str]


@contextmanager
def step_functions(root: Path, function: Function) -> Iterator[StepFunctions]:
    """Lend Step Functions whose jobs find ``s3://`` below the root."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(config=EXECUTES):
        session = boto3.session.Session(region_name=REGION)
        patch.setattr(boto3, "DEFAULT_SESSION", session)
        # A state that fails hands on what it has caught, and that may be called States.…
        patch.setattr(custom_error_name, "ILLEGAL_CUSTOM_ERROR_PREFIX", "\0")
        yield StepFunctions(session, root, function)


class StepFunctions:
    """The account with a bucket and a queue, and the hooks."""

    def __init__(self, session: Any, root: Path, function: Function) -> None:
        own = boto3.session.Session(region_name=REGION)
        self.s3, self.batch, self.states = (
            own.client(name, region_name=REGION) for name in ("s3", "batch", "stepfunctions")
        )
        self.s3.create_bucket(Bucket="falsework")
        make_queue("default")
        self.jobs: list[dict[str, Any]] = []
        self._root = root
        self._function = function
        self._failed: set[str] = set()
        events = session.events
        events.register("provide-client-params.batch", _camel)
        events.register("after-call.s3.GetObject", _as_text)
        events.register("provide-client-params.batch.SubmitJob", self._work)
        events.register("after-call.batch.DescribeJobs", self._judge)
        events.register_last("after-call.batch", _pascal)
        events.register("before-call.lambda.Invoke", self._answer)

    def run(self, machine: dict[str, Any], given: Any = None, name: str = "e1") -> Ended:
        """Execute the machine."""
        number = len(self.states.list_state_machines()["stateMachines"])
        made = self.states.create_state_machine(
            name=f"m{number}", definition=json.dumps(machine), roleArn=ROLE
        )
        arn = self.states.start_execution(
            stateMachineArn=made["stateMachineArn"], name=name, input=json.dumps(given or {})
        )["executionArn"]
        end = time.monotonic() + SECONDS
        while (told := self.states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < end, told
            time.sleep(0.02)
        history = self.states.get_execution_history(executionArn=arn)["events"]
        entered = [each["stateEnteredEventDetails"]["name"] for each in history
                   if "stateEnteredEventDetails" in each]  # fmt: skip
        return Ended(
            told["status"],
            _value(told.get("output")),
            told.get("error"),
            told.get("cause"),
            entered,
        )

    def _work(self, params: dict[str, Any], **_: Any) -> None:
        told = camel(params)
        self.jobs.append(told)
        (arn, overrides) = (told["jobDefinition"], told["containerOverrides"])
        described = self.batch.describe_job_definitions(jobDefinitions=[arn])["jobDefinitions"]
        command = overrides.get("command") or described[0]["containerProperties"]["command"]
        environment = {each["name"]: each["value"] for each in overrides["environment"]}
        self._fetch([*environment.values(), *command])
        if _run(self._root, command, environment) != 0:
            self._failed.add(told["jobName"])
        self._bring([*environment.values(), *command])

    def _fetch(self, texts: list[str]) -> None:
        for bucket, key in _objects(texts, "/request.json"):
            path = self._root / "s3" / bucket / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def _bring(self, texts: list[str]) -> None:
        for bucket, key in _objects(texts, "/response.json"):
            path = self._root / "s3" / bucket / key
            if path.exists():
                self.s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    def _judge(self, parsed: dict[str, Any], **_: Any) -> None:
        for each in parsed["jobs"]:
            each["status"] = "FAILED" if each["jobName"] in self._failed else "SUCCEEDED"

    def _answer(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        name = params["url_path"].split("/")[-2]
        parsed: dict[str, Any] = {"StatusCode": 200}
        try:
            content = self._function(name, params["body"])
        except StepFailed as exc:
            parsed["FunctionError"] = "Unhandled"
            told = {"errorType": error_of(str(exc)), "errorMessage": str(exc)}
            content = json.dumps(told).encode()
        parsed["Payload"] = StreamingBody(io.BytesIO(content), len(content))
        return AWSResponse("", 200, {}, None), parsed


def _value(output: str | None) -> Any:
    """moto hands a text out as it is, not as JSON."""
    try:
        return None if output is None else json.loads(output)
    except ValueError:
        return output


def _run(root: Path, command: list[str], environment: dict[str, str]) -> int:
    if command[:1] == ["falsework-worker"]:
        command = [sys.executable, "-m", "chalicelib.worker", *command[1:]]
    told = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": HERE,
        "FALSEWORK_ROOT": str(root),
        "AWS_BATCH_JOB_ID": "job-1",
    }
    done = subprocess.run(
        command, env=told | environment, cwd="/", capture_output=True, timeout=SECONDS, check=False
    )
    log.info("%s ended with %s: %s", command, done.returncode, (done.stdout + done.stderr)[-2000:])
    return done.returncode


def _objects(texts: list[str], end: str) -> list[tuple[str, str]]:
    found = {text for text in texts if text.startswith("s3://") and text.endswith(end)}
    return [tuple(each.removeprefix("s3://").split("/", 1)) for each in sorted(found)]


def _camel(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Names of tags and parameters are the user's own."""
    own = {name: params.pop(name) for name in ("Tags", "Parameters") if name in params}
    return camel(params) | {name.lower(): value for name, value in own.items()}


def _pascal(parsed: dict[str, Any], **_: Any) -> None:
    """In both spellings: moto itself reads the SDK's."""
    for each in (parsed, *parsed.get("jobs", ())):
        each |= {name[0].upper() + name[1:]: value for name, value in list(each.items())}


def _as_text(parsed: dict[str, Any], **_: Any) -> None:
    if "Body" in parsed:
        parsed["Body"] = parsed["Body"].read().decode()
