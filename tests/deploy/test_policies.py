"""Least privilege: what each function may do, as it is written."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import pytest

import app
from chalicelib.aws.batch_arguments import DIGEST_TAG
from chalicelib.aws.checkup import functions as checkup
from chalicelib.core.job_roles import is_own_role, is_users_role
from chalicelib.core.site import Site
from chalicelib.core.states.objects import definition_name
from infra import policies
from infra.granting import NO_RESOURCE, Grant
from infra.grants import FUNCTIONS
from infra.lambda_python import CHECKOUT
from infra.outputs import Place
from infra.policies import STAGES
from infra.templates import read
from tests.deploy.calls_recorder import HANDLERS

CONFIG = json.loads((CHECKOUT / ".chalice" / "config.json").read_text())
OUTPUTS = {
    "TableArn": "arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/falsework-dev",
    "ScratchBucket": "scratch-x",
    "RequestsBucket": "requests-x",
    "DataBucket": "lab.data",
    "DefaultJobQueue": "arn:aws-us-gov:batch:us-gov-west-1:111122223333:job-queue/mine",
}
OWN = [(function, stage) for function in FUNCTIONS for stage in STAGES]


def statements(function, stage="dev"):
    return policies.policy(function, stage)["Statement"]


@pytest.mark.parametrize(("function", "stage"), OWN)
def test_the_file_is_what_the_table_says(function, stage):
    assert policies.path(function, stage).read_text() == policies.written(function, stage), (
        "make policies"
    )


@pytest.mark.parametrize("stage", STAGES)
def test_chalice_gives_every_function_its_own_file_and_makes_up_none(stage):
    told = CONFIG["stages"][stage]["lambda_functions"]
    files = {name: about["iam_policy_file"] for name, about in told.items()}
    assert files == {name: policies.path(name, stage).name for name in FUNCTIONS}
    assert CONFIG["autogen_policy"] is False


@pytest.mark.parametrize("stage", STAGES)
def test_what_chalice_configures_are_the_handlers_of_the_application(stage):
    handlers = {"api_handler", *(each.name for each in app.app.event_sources)}
    assert set(CONFIG["stages"][stage]["lambda_functions"]) == handlers == set(FUNCTIONS)
    assert handlers - {"api_handler"} == HANDLERS  # whose calls are recorded
    assert {*checkup.FUNCTIONS} == {"", *HANDLERS}


CALLABLE = ("falsework-sum", "arn:aws:lambda:eu-west-1:444455556666:function:theirs-")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_that_runs_may_call_are_callable_for_those_that_drive_runs(function):
    policy = policies.policy(function, "dev", callable_names=CALLABLE)
    pinned = Place("dev", OUTPUTS).pin(policy, function)["Statement"]
    calling = [each["Resource"] for each in pinned if "lambda:InvokeFunction" in each["Action"]]
    ours = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:falsework-sum*"
    assert calling == ([] if function == "on_notice" else [[ours, f"{CALLABLE[1]}*"]])


def test_a_stage_says_in_its_variables_which_functions_its_runs_may_call(tmp_path, monkeypatch):
    config = json.loads(json.dumps(CONFIG))
    config["stages"]["dev"]["environment_variables"]["FALSEWORK_ALLOWED_FUNCTIONS"] = '["sum"]'
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(policies, "CHALICE", tmp_path)
    assert "function:sum*" in policies.written("on_wake", "dev")
    assert "lambda:" not in policies.written("on_wake", "prod").replace("aws/lambda", "")


def test_every_action_is_on_a_resource_unless_aws_knows_none_for_it():
    everywhere = {
        action
        for function in FUNCTIONS
        for each in statements(function)
        if "*" in each["Resource"]
        for action in each["Action"]
    }
    assert everywhere == {
        "batch:DescribeJobs",
        "batch:ListJobs",
        "batch:DescribeJobDefinitions",
        "batch:DescribeJobQueues",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    }


def test_no_action_is_a_pattern():
    for function in FUNCTIONS:
        assert not [each for each in statements(function) if "*" in "".join(each["Action"])]


def test_what_is_wider_than_a_name_says_why():
    for grant in {each for grants in FUNCTIONS.values() for each in grants if hash_of(each)}:
        if any(each in NO_RESOURCE or each.endswith("/*") for each in grant.resources):
            is_bucket = grant.service in {"s3", "logs"}
            assert grant.why or is_bucket or grant.sid == "DefineJobs", grant.sid


def hash_of(grant: Grant) -> bool:
    return grant.condition is None


def test_roles_are_passed_to_jobs_only_and_only_those_that_are_named_so():
    for function in FUNCTIONS.keys() - {"on_notice"}:
        (passing,) = [each for each in statements(function) if "iam:PassRole" in each["Action"]]
        assert passing["Resource"] == [
            f"arn:*:iam::*:role/falsework-dev-{end}"
            for end in ("job-worker", "job-execution", "user-*")
        ]
        told = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        assert passing["Condition"] == told


def test_the_roles_that_are_passed_are_our_own_or_for_users_jobs_as_the_code_has_it():
    site = Site(prefix="falsework-dev")
    (passing,) = [each for each in statements("on_wake") if "iam:PassRole" in each["Action"]]
    worker, execution, users = passing["Resource"]
    assert is_own_role(worker, site)
    assert is_own_role(execution, site)
    assert is_users_role(users, site)
    assert not is_own_role(users, site)
    named = {
        each["Properties"]["RoleName"]["Fn::Sub"].replace("${Prefix}-${EnvBase}", site.prefix)
        for each in read()["Resources"].values()
        if each["Type"] == "AWS::IAM::Role" and "RoleName" in each["Properties"]
    }
    assert {each.rpartition("/")[2] for each in (worker, execution)} <= named


@pytest.mark.parametrize("stage", STAGES)
def test_only_definitions_of_runs_are_taken_back_by_name_and_by_tag(stage):
    for function in FUNCTIONS.keys() - {"on_notice"}:
        (taking,) = [
            each
            for each in statements(function, stage)
            if "batch:DeregisterJobDefinition" in each["Action"]
        ]
        (pattern,) = taking["Resource"]
        name = definition_name(stage, "get stats", "aaaaaaaaaaaaaaaaab22")
        arn = f"arn:aws:batch:us-east-1:1:job-definition/{name}:1"
        assert fnmatchcase(arn, pattern)
        assert not fnmatchcase(arn.replace(f"/{stage}-", "/theirs-"), pattern)
        assert taking["Condition"] == {"Null": {f"aws:ResourceTag/{DIGEST_TAG}": "false"}}


def test_a_function_writes_only_its_own_log():
    groups = {
        each["Resource"][0].split(":log-group:")[1].partition(":")[0]
        for function in FUNCTIONS
        for each in statements(function)
        if each["Sid"] == "WriteOwnLogs"
    }
    assert len(groups) == len(FUNCTIONS)


def test_stages_have_nothing_in_common():
    for function in FUNCTIONS:
        dev = json.dumps(policies.policy(function, "dev"))
        assert "falsework-prod" not in dev
        assert "falsework-dev" not in json.dumps(policies.policy(function, "prod"))


def test_a_deployment_names_its_account_region_and_buckets():
    place = Place("dev", OUTPUTS)
    for function in FUNCTIONS:
        pinned = json.dumps(place.pin(policies.policy(function, "dev"), function))
        assert "arn:*" not in pinned
        assert ":*:*:" not in pinned
        assert "falsework-dev-scratch-" not in pinned
        assert function == "on_notice" or "job-queue/mine" in pinned
    api = json.dumps(place.pin(policies.policy("api_handler", "dev"), "api_handler"))
    assert '"arn:aws-us-gov:s3:::lab.data/*"' in api
    assert '"arn:aws-us-gov:iam::111122223333:role/falsework-dev-user-*"' in api


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_policy_fits_its_role(function):
    """10,240 characters without blanks: IAM and STS quotas, inline policies of a role."""
    told = Place("dev", OUTPUTS).pin(policies.policy(function, "dev"), function)
    assert len(json.dumps(told, separators=(",", ":"))) < 10_240
