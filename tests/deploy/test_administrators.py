"""Whoever deploys first gets in: its role is an admin of what is deployed, and stays one."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

import app
from chalicelib import settings
from chalicelib.core.identities import principal_of
from infra import administrators, foundation, site_files
from infra.account import Aws
from infra.lambda_python import CHECKOUT
from infra.stacks import StackFailed
from tests.deploy.fake_aws import FakeCloudFormation, FakeS3
from tests.flow.aws_worlds import SITE, aws_account
from tests.flow.test_token_routes import called, exchange_event, run_event

OPS = "arn:aws:iam::111122223333:role/Ops"
SESSION = "arn:aws:sts::111122223333:assumed-role/Ops/alice"
OWN = {"arn:aws:iam::111122223333:role/Lab": {"scopes": ["read"], "groups": ["lab"]}}
ADMIN = {"scopes": ["admin"], "groups": None}


def aws_of(arn, cloudformation=None):
    sts = SimpleNamespace(
        get_caller_identity=lambda: {"Arn": arn, "Account": "111122223333"},
        meta=SimpleNamespace(region_name="eu-west-1"),
    )
    fake = cloudformation or FakeCloudFormation()
    fake.outputs = {"ArtifactBucket": "a", "TableArn": "arn:aws:dynamodb:eu-west-1:1:table/t"}
    return Aws(fake, FakeS3(), None, None, lambda _: sts)


@pytest.fixture(autouse=True)
def _nothing_left(monkeypatch):
    monkeypatch.setattr(foundation.leftovers, "find", lambda *_: [])


def told(aws):
    asked = aws.cloudformation.asked[-1][1]["Parameters"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in asked}


@pytest.mark.parametrize(
    ("arn", "named"),
    [
        (SESSION, OPS),
        (SESSION.replace("aws", "aws-cn"), OPS.replace("aws", "aws-cn")),
        ("arn:aws:iam::111122223333:user/lab/bob", "arn:aws:iam::111122223333:user/lab/bob"),
        ("arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root"),
    ],
    ids=["a role", "China", "a user", "the account's root"],
)  # fmt: skip
def test_the_caller_is_named_as_the_site_names_identities(arn, named):
    assert administrators.caller(aws_of(arn)) == named
    found = administrators.identities({"Administrators": named})
    assert principal_of(arn, settings.load(environ={
        "FALSEWORK_IDENTITIES": json.dumps(found)
    }).site.identities).scopes == {"admin"}  # fmt: skip


def test_whoever_deploys_first_is_the_admin_and_the_next_one_is_not():
    first = aws_of(SESSION)
    foundation.deploy(first, "dev", {})
    assert told(first)["Administrators"] == OPS
    other = aws_of(SESSION.replace("Ops", "github"), first.cloudformation)
    foundation.deploy(other, "dev", {"LogDays": "30"})
    assert "github" not in told(other).get("Administrators", "")


def test_the_parameter_names_others():
    aws = aws_of(SESSION)
    foundation.deploy(aws, "dev", {"Administrators": "nobody"})
    assert told(aws)["Administrators"] == "nobody"
    assert administrators.identities(told(aws)) == {}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source" / ".chalice").mkdir(parents=True)
    return tmp_path / "source"


@pytest.fixture
def project(tmp_path):
    shutil.copytree(CHECKOUT / ".chalice", tmp_path / "project" / ".chalice")
    (tmp_path / "project" / "vendor").mkdir()
    return tmp_path / "project"


def variables(project, **more):
    path = project / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    found = config["stages"]["dev"]["environment_variables"]
    found |= more
    path.write_text(json.dumps(config))
    return found


def test_without_identities_of_its_own_a_stage_has_the_admin(source, project):
    assert site_files.pack(source, project, "dev", {OPS: ADMIN}) is None
    assert json.loads(variables(project)["FALSEWORK_IDENTITIES"]) == {OPS: ADMIN}


def test_a_variable_keeps_what_it_says(source, project):
    own = {**OWN, OPS: {"scopes": ["read"], "groups": []}}
    variables(project, FALSEWORK_IDENTITIES=json.dumps(own))
    assert site_files.pack(source, project, "dev", {OPS: ADMIN}) is None
    assert json.loads(variables(project)["FALSEWORK_IDENTITIES"]) == own


def test_the_admin_goes_into_the_site_file_which_a_variable_would_win_over(source, project):
    (source / ".chalice" / "site-dev.json").write_text(json.dumps({"identities": OWN}))
    assert site_files.pack(source, project, "dev", {OPS: ADMIN}) is None
    assert "FALSEWORK_IDENTITIES" not in variables(project)
    packed = json.loads((project / "vendor" / site_files.NAME).read_text())
    assert packed["identities"] == {**OWN, OPS: ADMIN}


@pytest.mark.parametrize("text", ["{", "[]", '{"identities": 1}'])
def test_a_site_file_that_is_none_is_said_and_not_changed(source, project, text):
    (source / ".chalice" / "site-dev.json").write_text(text)
    assert "would not start" in site_files.pack(source, project, "dev", {OPS: ADMIN})


def test_who_has_deployed_gets_a_token_and_lists_runs_with_it(source, project):
    """What `make deploy` says is next, as far as it goes without API Gateway."""
    assert site_files.pack(source, project, "dev", {OPS: ADMIN}) is None
    named = settings.load(environ=variables(project)).site.identities
    with aws_account() as world:
        world.restart(site=SITE.model_copy(update={"identities": named}))
        status, document = called(exchange_event(SESSION))
        assert status == 201
        shown = {"Authorization": f"Bearer {document['token']}"}
        event = run_event("x", shown, {"sourceIp": "192.0.2.1", "userArn": None})
        path = {"resource": "/runs", "path": "/runs", "httpMethod": "GET"}
        context = {**event["requestContext"], "resourcePath": "/runs", "httpMethod": "GET"}
        asked = {**event, **path, "pathParameters": None, "requestContext": context}
        answer = app.app(asked, None)
        assert (answer["statusCode"], json.loads(answer["body"])["runs"]) == (200, [])


@pytest.mark.parametrize(
    ("before", "now", "queue", "refused"),
    [
        ("true", "false", "", True),
        ("false", "true", "", True),
        ("true", "true", "", False),
        ("true", "false", "arn:q", False),
    ],
    ids=["fair no more", "fair from now on", "as it was", "the queue is somebody's own"],
)
def test_queues_keep_how_they_share(before, now, queue, refused):
    aws = aws_of(SESSION)
    foundation.deploy(aws, "dev", {"FairShare": before, "JobQueueArn": queue})
    count = len(aws.cloudformation.asked)
    if refused:
        with pytest.raises(StackFailed, match=f"FairShare={now}.*made with {before}"):
            foundation.deploy(aws, "dev", {"FairShare": now})
        assert len(aws.cloudformation.asked) == count
    else:
        foundation.deploy(aws, "dev", {"FairShare": now})
