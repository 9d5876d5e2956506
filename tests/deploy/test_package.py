"""``chalice package``: everything that ``app.py`` holds is in the CloudFormation template."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.web.api import OPEN

CHECKOUT = Path(__file__).parents[2]
HANDLERS = {
    "app.app": 60,
    "app.on_cleanup_time": 60,
    "app.on_job_change": 60,
    "app.on_object_created": 300,
    "app.on_submission": 300,
    "app.on_sweep": 300,
    "app.on_wake": 60,
}


@pytest.fixture(scope="module")
def resources(tmp_path_factory):
    """The template's resources. What the Lambda depends on is left out: it would be fetched."""
    project = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "deployments")
    for name in ("chalicelib", ".chalice"):
        shutil.copytree(CHECKOUT / name, project / name, ignore=ignored)
    shutil.copy(CHECKOUT / "app.py", project)
    (project / "requirements.txt").write_text("")
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(project),
        "PIP_NO_INDEX": "1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    code = "from chalice.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "package", "--stage", "dev", "out"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((project / "out/sam.json").read_text())["Resources"]


def properties(resources, kind):
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def functions(resources):
    found = properties(resources, "AWS::Serverless::Function")
    return {function["Handler"]: function for function in found}


def test_every_handler_is_a_function_with_time_enough(resources):
    timeouts = {name: each["Timeout"] for name, each in functions(resources).items()}
    assert timeouts == HANDLERS


def test_every_event_source_is_there(resources):
    found = functions(resources)

    def source(handler):
        (event,) = found[handler]["Events"].values()
        return event["Type"], event["Properties"]

    for handler, queue in (("on_submission", "submissions"), ("on_wake", "wake")):
        kind, about = source(f"app.{handler}")
        assert (kind, about["BatchSize"]) == ("SQS", 10)
        assert about["Queue"]["Fn::Sub"].endswith(f":falsework-{queue}")
    assert source("app.on_sweep") == ("Schedule", {"Schedule": "rate(1 minute)"})
    assert source("app.on_cleanup_time") == ("Schedule", {"Schedule": "cron(0 9 * * ? *)"})
    for handler, service in (("on_job_change", "aws.batch"), ("on_object_created", "aws.s3")):
        kind, about = source(f"app.{handler}")
        assert (kind, about["Pattern"]["source"]) == ("CloudWatchEvent", [service])


def test_every_route_asks_for_a_signature(resources):
    (api,) = properties(resources, "AWS::Serverless::Api")
    body = api["DefinitionBody"]
    methods = {
        (path, verb.upper()): told
        for path, verbs in body["paths"].items()
        for verb, told in verbs.items()
    }
    assert len(methods) >= 10
    asking = {name for name, told in methods.items() if told.get("security") == [{"sigv4": []}]}
    assert methods.keys() - asking == OPEN
    assert body["securityDefinitions"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_what_is_listened_to_comes_from_the_stages_environment(tmp_path):
    code = (
        "import json, app; print(json.dumps([[getattr(e, 'queue', ''),"
        " getattr(e, 'event_pattern', {}).get('detail')] for e in app.app.event_sources]))"
    )
    environment = {
        "FALSEWORK_SUBMISSIONS_QUEUE": "s-queue",
        "FALSEWORK_WAKE_QUEUE": "w-queue",
        "FALSEWORK_REQUESTS_BUCKET": "r-bucket",
        "FALSEWORK_PREFIX": "p",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.dumps(json.loads(done.stdout))
    for word in ('"s-queue"', '"w-queue"', '"r-bucket"', '"p-"'):
        assert word in told
