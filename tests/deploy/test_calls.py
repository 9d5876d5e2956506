"""Least privilege, both ways: what the flows call is allowed, and what is allowed is called.

The flows run once more, in a process of their own, with every call recorded: of each function, and
of the worker's jobs. What all functions share (``ENGINE``) may be called by any of them, for each
performs what is owed, whoever left it; what is a function's own, it has to call itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict

import pytest

from infra import policies, templates
from infra.grants import ENGINE, FUNCTIONS, Grant
from infra.lambda_python import CHECKOUT
from tests.deploy.calls_recorder import WORKER
from tests.deploy.questions import HERE, NAME, Question
from tests.deploy.rights import inline
from tests.deploy.running import once
from tests.deploy.weighing import allows

pytestmark = pytest.mark.slow
FLOWS = (
    "aws_cleanups", "aws_configs", "aws_data_sync", "aws_events", "aws_functions", "aws_notices",
    "aws_pushed_works", "aws_redrive", "aws_request_files", "aws_run_management", "aws_runs",
    "aws_submissions", "aws_sweeps", "aws_workers", "aws_works", "batch_job_runs", "groups",
    "pipeline_crashes", "token_routes", "ways_in",
)  # fmt: skip
OF_THE_WORKER = {
    "s3:AbortMultipartUpload": "an upload that fails half way is taken back",
    "batch:DescribeJobs": "handlers ask which volumes their own job has; tests/contract does",
    "elasticfilesystem:DescribeAccessPoints": "and what the roots of these are",
    "elasticfilesystem:DescribeFileSystems": "the same",
}
"""What no flow's worker calls, and why it may all the same."""

Asked = dict[str, set[Question]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Asked:
    """Function, or worker → what its calls ask IAM for."""
    folder = once(tmp_path_factory, "calls", record)
    found: Asked = defaultdict(set)
    for path in folder.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            who, action, arn, context = json.loads(line)
            found[who].add(Question(action, arn, tuple((key, told) for key, told in context)))
    return found


def record(folder) -> None:
    """Run the flows; each has to pass, or it has not called what it should."""
    folder.mkdir()
    files = [f"tests/flow/test_{name}.py" for name in FLOWS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "-p", "tests.deploy.calls_recorder", f"--basetemp={folder}/t",
               "-k", "not death", *files]  # fmt: skip
    told = {"FALSEWORK_CALLS": str(folder), "PATH": "/usr/bin:/bin", "PYTHONPATH": "."}
    done = subprocess.run(
        command, cwd=CHECKOUT, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def statements(function: str):
    """Return the function's policy, pinned to the place that the questions are asked of."""
    region, account = HERE.split(":")
    policy = policies.policy(function, "dev", callable_names=("",))
    pinned = policies.pinned(policy, partition="aws", region=region, account=account, names={})
    return pinned["Statement"]


def statement_of(function: str, grant: Grant):
    (found,) = [each for each in statements(function) if each["Sid"] == grant.sid]
    return found


def is_answered(statement_or_more, question: Question) -> bool:
    return allows(statement_or_more, question.action, question.arn, dict(question.context))


def denied(questions, given):
    return sorted({each for each in questions if not is_answered(given, each)})


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_call_of_a_function_is_allowed(asked, function):
    assert asked[function]
    assert not denied(asked[function], statements(function))


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_what_is_a_functions_own_it_calls_or_says_why(asked, function):
    own = [each for each in FUNCTIONS[function] if each not in ENGINE]
    assert not unused(function, own, asked[function])


def test_what_all_functions_share_one_of_them_calls_or_says_why(asked):
    everybody = set().union(*(asked[each] for each in FUNCTIONS))
    assert not unused("on_wake", ENGINE, everybody)


def unused(function: str, grants, questions) -> set[tuple[str, str]]:
    """Return the actions and the resources that nothing asks for through their own statement."""
    found = set()
    for grant in grants:
        statement = statement_of(function, grant)
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                narrow = {**statement, "Action": [action], "Resource": [resource]}
                if not grant.why and not any(is_answered([narrow], each) for each in questions):
                    found.add((grant.sid, action, resource))
    every_action = {(sid, action) for sid, action, _ in found}
    return {
        (sid, action, resource)
        for sid, action, resource in found
        if (sid, action) in every_action
    }


@pytest.fixture(scope="module")
def worker():
    """What the foundation gives to our worker's jobs."""
    template = templates.read()
    role = template["Resources"]["WorkerRole"]
    told = {"Outputs": {}, "Resources": {"WorkerRole": role}}
    return inline({**template, **told})


def test_every_call_of_a_worker_is_allowed(asked, worker):
    assert asked[WORKER]
    assert not denied(asked[WORKER], worker)


def test_the_recorder_tells_functions_apart(asked):
    """The function of Batch's events never reads the requests bucket."""
    assert set(asked) == {*FUNCTIONS, WORKER}
    assert not [each for each in asked["on_job_change"] if "requests" in each.arn]
