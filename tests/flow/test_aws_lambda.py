"""The application as Lambda has it: a process of its own, with AWS's environment and no other.

All handlers are invoked with AWS's own samples, against moto.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from chalicelib import bootstrap
from chalicelib.aws.clients import Clients
from chalicelib.aws.home import open_home
from chalicelib.settings import Settings, load
from tests.flow.doors import CHECKOUT, environment

LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "falsework-dev",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}
PROGRAM = """
import json, pathlib, sys
import boto3
from moto import mock_aws
import app
from tests.clouds.foundation import table_properties

def sample(name):
    return json.loads(pathlib.Path("tests/events", name + ".json").read_text("utf-8"))["event"]

with mock_aws():
    properties = table_properties()
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes",
             "LocalSecondaryIndexes", "BillingMode")
    boto3.client("dynamodb").create_table(
        TableName="table", **{name: properties[name] for name in names})
    boto3.client("s3").create_bucket(Bucket="requests")
    boto3.client("sqs").create_queue(QueueName="dead")
    for handler, name in (
        ("on_object_created", "object-created"), ("on_job_change", "batch-job-running"),
        ("on_wake", "sqs-wake"), ("on_sweep", "scheduled"), ("on_submission", "sqs-submissions"),
    ):
        getattr(app, handler)(sample(name), None)
    secret = sample("sqs-submissions")
    secret["Records"][0]["body"] = '{"execution_id": "e1", "execution_type": "s3cr3t"}'
    app.on_submission(secret, None)
    assert app.app(sample("rest-iam"), None)["statusCode"] == 401
    del boto3
print("MODULES", *sorted(m for m in sys.modules if m.startswith("chalicelib")))
"""


@pytest.fixture(scope="module")
def output():
    """What the process wrote: its log, and which modules it had imported in the end."""
    told = {
        **LAMBDA,
        "AWS_DEFAULT_REGION": "us-east-1",
        "FALSEWORK_TABLE": "table",
        "FALSEWORK_DEAD_LETTER_QUEUE_URL": "https://queue.amazonaws.com/123456789012/dead",
        "PYTHONWARNINGS": "ignore",  # moto's
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=CHECKOUT,
        env=environment(**told),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_lambda_never_imports_the_embedded_home_the_worker_or_the_command_line(output):
    modules = output[-1].split()[1:]
    assert "chalicelib.aws.home" in modules
    assert not [
        name
        for name in modules
        if name.startswith(("chalicelib.local", "chalicelib.worker.", "chalicelib.cli"))
    ]


def test_every_line_of_the_log_is_json_with_the_events_id(output):
    written = [json.loads(line) for line in output[:-1]]
    lines = [line for line in written if "_aws" not in line]  # those are metrics
    assert len(lines) >= 5
    assert all(line["event_id"] and line["service"] == "falsework" for line in lines)
    about_jobs = [line for line in lines if line.get("run_id") == "r1"]
    assert about_jobs[0]["message"].startswith("job falsework-abcdefghijklmnopqrst-execute-1 is")


def test_what_was_sent_is_not_in_the_log(output):
    assert not [line for line in output if "s3cr3t" in line or "Test message" in line]


def test_in_lambda_without_its_table_every_handler_raises():
    code = (
        "import app\n"
        "for name, handler in app.app.handler_map.items():\n"
        "    event = {'Records': [], **dict.fromkeys(('version', 'account', 'region', 'detail',"
        " 'detail-type', 'source', 'time', 'id', 'resources'))}\n"
        "    try: print(name, handler(event, None))\n"
        "    except Exception as exc: print(name, type(exc).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=environment(**LAMBDA),
        capture_output=True,
        text=True,
        check=True,
    )
    told = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    assert sorted(told) == [
        f"{handler} Misconfigured"
        for handler in (
            "on_cleanup_time",
            "on_job_change",
            "on_notice",
            "on_object_created",
            "on_submission",
            "on_sweep",
            "on_wake",
        )
    ]


def test_a_worker_job_of_the_aws_home_gets_its_state_from_its_environment():
    told = {"FALSEWORK_TABLE": "t", "AWS_REGION": "eu-west-1", "ENV_BASE": "prod"}
    try:
        bootstrap.use(load({}, told))
        ports = bootstrap.worker_ports()
    finally:
        bootstrap.use(Settings())
    kinds = (type(ports.objects).__name__, type(ports.claims).__name__)
    assert kinds == ("S3ObjectStore", "DynamoClaims")


def test_jobs_are_submitted_by_a_client_that_sends_every_request_once():
    clients = Clients("us-east-1")
    attempts = {
        name: client.meta.config.retries["total_max_attempts"]
        for name, client in (("submit", clients.submitting()), ("batch", clients.get("batch")))
    }
    assert attempts == {"submit": 1, "batch": 3}


def test_clients_are_made_once_and_not_before_they_are_needed():
    made = []

    def remember(client):
        made.append(client.meta.service_model.service_name)
        return client

    clients = Clients("us-east-1", prepare=remember)
    open_home(Settings(table="t"), clients)
    assert made == []
    assert clients.get("sqs").meta is clients.get("sqs").meta
    assert made == ["sqs"]
