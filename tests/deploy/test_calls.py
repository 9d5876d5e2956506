"""Least privilege, both ways: what the flows call is allowed, and what is allowed is called.

The flows run once more, in a process of their own, with every call recorded.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from infra import policies
from infra.grants import FUNCTIONS
from infra.lambda_python import CHECKOUT
from tests.deploy.running import once

pytestmark = pytest.mark.slow
FLOWS = (
    "aws_configs", "aws_data_sync", "aws_events", "aws_functions", "aws_notices",
    "aws_pushed_works", "aws_redrive", "aws_request_files", "aws_run_management", "aws_runs",
    "aws_submissions", "aws_sweeps", "aws_works", "batch_job_runs", "groups",
    "pipeline_crashes", "token_routes", "ways_in",
)  # fmt: skip
BUCKETS = {"requests": "falsework-dev-requests-1", "falsework": "falsework-dev-scratch-1"}
QUEUES = {
    "submissions": "submissions",
    "wake": "wake",
    "dead": "dead-letters",
    "notices": "notices",
    "notices-dead": "notice-dead-letters",
}
SAME_RIGHT = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
}
"""Operation → action, where they are not called the same (service authorization reference)."""
SERVICES = {"efs": "elasticfilesystem", "sesv2": "ses"}


@pytest.fixture(scope="module")
def calls(tmp_path_factory) -> dict[str, set[tuple[str, str]]]:
    """Function → actions and the ARN of each."""
    folder = once(tmp_path_factory, "calls", record)
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path in folder.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            function, service, operation, about = json.loads(line)
            found[function].add((action_of(service, operation, about), arn_of(service, about)))
    return found


def record(folder: Path) -> None:
    """Run the flows; what fails there is told there."""
    folder.mkdir()
    files = [f"tests/flow/test_{name}.py" for name in FLOWS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "-p", "tests.deploy.calls_recorder", f"--basetemp={folder}/t",
               "-k", "not death", *files]  # fmt: skip
    told = {"FALSEWORK_CALLS": str(folder), "PATH": "/usr/bin:/bin", "PYTHONPATH": "."}
    done = subprocess.run(
        command, cwd=CHECKOUT, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stdout[-500:]


def action_of(service: str, operation: str, about: dict[str, Any]) -> str:
    action = SAME_RIGHT.get(operation, operation)
    if action == "GetObject" and "VersionId" in about:
        action = "GetObjectVersion"
    return f"{SERVICES.get(service, service)}:{action}"


def arn_of(service: str, about: dict[str, Any]) -> str:
    """Return what is called upon, with a deployment's names; empty where nobody knows."""
    match service:
        case "s3":
            bucket = BUCKETS.get(about["Bucket"], "falsework-dev-data-1")
            return f"arn:aws:s3:::{bucket}" + (f"/{about['Key']}" if "Key" in about else "")
        case "sqs":
            queue = QUEUES[about["QueueUrl"].rsplit("/", 1)[-1]]
            return f"arn:aws:sqs:us-east-1:1:falsework-dev-{queue}"
        case "dynamodb":
            index = f"/index/{about['IndexName']}" if "IndexName" in about else ""
            return f"arn:aws:dynamodb:us-east-1:1:table/falsework-dev{index}"
        case _:
            return ""


def allowed(function: str) -> Iterator[tuple[str, str]]:
    for statement in policies.policy(function, "dev")["Statement"]:
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, resource


def is_within(arn: str, pattern: str) -> bool:
    return not arn or fnmatchcase(arn, pattern)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_call_of_a_function_is_allowed(calls, function):
    rights = set(allowed(function))
    denied = {
        (action, arn)
        for action, arn in calls.get(function, set())
        if not any(action == each and is_within(arn, pattern) for each, pattern in rights)
    }
    assert not denied


def test_every_action_that_is_allowed_is_called_by_some_function_or_says_why(calls):
    made = {action for each in calls.values() for action, _ in each}
    unexplained = {
        f"{grant.service}:{action}"
        for grants in FUNCTIONS.values()
        for grant in grants
        for action in grant.actions
        if f"{grant.service}:{action}" not in made and not grant.why
    }
    assert not unexplained


def test_a_function_that_does_not_list_or_refuse_may_neither(calls):
    """The recorder tells functions apart: the wake function never reads the requests bucket."""
    assert {"on_submission", "on_job_change", "on_sweep", "api_handler"} <= set(calls)
    assert not [arn for _, arn in calls["on_job_change"] if "requests" in arn]
