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
from infra.granting import Grant
from infra.grants import ENGINE, FUNCTIONS
from infra.lambda_python import CHECKOUT
from tests.deploy.calls_recorder import WORKER
from tests.deploy.questions import BUCKETS, DATA, HERE, NAME, Question
from tests.deploy.running import once
from tests.deploy.weighing import allows, several

pytestmark = pytest.mark.slow
FLOWS = (
    "aws_cleanups", "aws_configs", "aws_data_sync", "aws_events", "aws_functions", "aws_notices",
    "aws_pushed_works", "aws_redrive", "aws_request_files", "aws_run_management", "aws_runs",
    "aws_seldom", "aws_submissions", "aws_sweeps", "aws_workers", "aws_works", "batch_job_runs",
    "groups", "pipeline_crashes", "token_routes", "ways_in",
)  # fmt: skip
OF_THE_WORKER = {
    "dynamodb:GetItem": "works of a site that is given this role look whether they were claimed",
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


def is_answered(given, question: Question) -> bool:
    return allows(given, question.action, question.arn, dict(question.context))


def denied(questions, given):
    return sorted({each for each in questions if not is_answered(given, each)})


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_call_of_a_function_is_allowed(asked, function):
    assert asked[function]
    assert not denied(asked[function], statements(function))


SERVICES = {
    "batch", "dynamodb", "ecr", "elasticfilesystem", "events", "iam", "s3", "secretsmanager",
    "ses", "sns", "sqs",
}  # fmt: skip
"""Whose calls the flows make; tests/contract and the tests of policies have the others."""


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_policy_of_other_resources_would_be_seen(asked, service):
    """That the questions have the resources of this service in them at all."""
    for function in FUNCTIONS:
        questions = {each for each in asked[function] if each.action.startswith(f"{service}:")}
        told = statements(function)
        for each in told:
            if "*" not in each["Resource"]:
                each["Resource"] = [arn.replace(":", ":x", 5) for arn in each["Resource"]]
        if denied(questions, told):
            return
    pytest.fail(f"no function calls {service}, or nobody looks at what")


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_what_is_a_functions_own_it_calls_or_says_why(asked, function):
    own = [each for each in FUNCTIONS[function] if each not in ENGINE]
    assert not unused(function, own, asked[function])


def test_what_all_functions_share_one_of_them_calls_or_says_why(asked):
    everybody = set().union(*(asked[each] for each in FUNCTIONS))
    assert not unused("on_wake", ENGINE, everybody)


def unused(function: str, grants, questions) -> set[tuple[str, str]]:
    """Return the actions, and the resources, that nothing asks for through their own statement."""
    found = set()
    for grant in grants:
        statement = statement_of(function, grant)
        for part in ("Action", "Resource"):
            for one in () if grant.why else statement[part]:
                if not any(is_answered([{**statement, part: [one]}], each) for each in questions):
                    found.add((grant.sid, one))
    return found


REFERENCES = {
    "AWS::Partition": "aws",
    "DataBucket": DATA,
    "ScratchBucket.Arn": f"arn:aws:s3:::{BUCKETS['falsework']}",
    "Table.Arn": f"arn:aws:dynamodb:{HERE}:table/{NAME}",
}


def resolved(told, more=()):
    """Return what a part of the foundation's template becomes, of a stage that made it all."""
    known = {**REFERENCES, **dict(more)}
    found = told
    match told:
        case {"Ref": name}:
            found = known[name]
        case {"Fn::GetAtt": parts}:
            found = known[".".join(parts)]
        case {"Fn::If": [_, there, _]}:
            found = resolved(there)
        case {"Fn::Sub": [text, variables]}:
            found = resolved({"Fn::Sub": text}, resolved(variables).items())
        case {"Fn::Sub": text}:
            found = re.sub(r"\$\{([^}]+)\}", lambda match: known[match[1]], text)
        case dict():
            found = {key: resolved(each) for key, each in told.items()}
        case list():
            found = [resolved(each) for each in told]
    return found


@pytest.fixture(scope="module")
def worker():
    """The statements of our worker's role."""
    (policy,) = templates.read()["Resources"]["WorkerRole"]["Properties"]["Policies"]
    return resolved(policy["PolicyDocument"]["Statement"])


def test_what_a_worker_may_it_does_or_there_is_a_reason(asked, worker):
    idle = {
        action
        for statement in worker
        for action in several(statement["Action"])
        if not any(
            is_answered([{**statement, "Action": [action]}], each) for each in asked[WORKER]
        )
    }
    assert idle == set(OF_THE_WORKER)


def test_every_call_of_a_worker_is_allowed(asked, worker):
    assert asked[WORKER]
    assert not denied(asked[WORKER], worker)


def test_the_recorder_tells_functions_apart(asked):
    """The function of Batch's events never reads the requests bucket."""
    assert set(asked) == {*FUNCTIONS, WORKER}
    assert not [each for each in asked["on_job_change"] if "requests" in each.arn]
