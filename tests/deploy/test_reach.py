"""What a deployment is told of and has not made: buckets, keys, a restored table, a boundary."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from infra import deploy, policies
from infra.foundation import deploy as deploy_foundation
from infra.grants import FUNCTIONS
from infra.outputs import Place
from infra.reach import ARNS
from infra.stacks import StackFailed
from infra.templates import first, read
from tests.deploy.rights import ACCOUNT, REGION, inline
from tests.deploy.test_boundary import KEPT, OUTPUTS
from tests.deploy.test_first_stack import aws as _aws
from tests.deploy.weighing import allows, several

aws = _aws
LAB, HOME = "arn:aws:s3:::lab", "arn:aws:s3:::home"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b"
MORE = {"InputBucketArns": f"{LAB},arn:aws:s3:::more", "OutputBucketArns": HOME, "KmsKeyArns": KEY}
BY_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
BY_SQS = {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}
OWN = ("ReadingMore", "WritingMore", "UsingKeys", "ReadingSecretsWithKeys")


def pinned(function, **outputs):
    """The function's statements, of a place with these outputs beside the usual ones."""
    place = Place("dev", {**OUTPUTS, **outputs})
    return place.pin(policies.policy(function, "dev"), function)["Statement"]


@pytest.fixture(scope="module")
def worker():
    whole = first()
    kept = {name: whole["Resources"][name] for name in {*KEPT, *OWN}}
    told = {"TableName": "falsework-dev-restored", **MORE}
    return inline({**whole, "Resources": kept, "Outputs": {}}, EnvBase="dev", **told)


@pytest.mark.parametrize(
    ("action", "arn", "may"),
    [
        ("s3:GetObject", f"{LAB}/a/b", True),
        ("s3:GetObject", "arn:aws:s3:::more/a", True),
        ("s3:ListBucket", LAB, True),
        ("s3:PutObject", f"{LAB}/a", False),
        ("s3:GetObject", f"{HOME}/a", True),
        ("s3:PutObject", f"{HOME}/a", True),
        ("s3:DeleteObject", f"{HOME}/a", True),
        ("s3:ListBucket", HOME, True),
        ("s3:GetObject", "arn:aws:s3:::laboratory/a", False),
    ],
)
def test_the_worker_reaches_the_buckets_that_are_named(worker, action, arn, may):
    assert allows(worker["falsework-dev-job-worker"], action, arn) is may


def test_keys_are_used_through_the_services_that_encrypt_with_them(worker):
    role = worker["falsework-dev-job-worker"]
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert allows(role, action, KEY, BY_S3)
        assert not allows(role, action, KEY, BY_SQS)
    told = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
    assert allows(worker["falsework-dev-job-execution"], "kms:Decrypt", KEY, told)


def test_the_worker_claims_its_jobs_in_a_restored_table_and_no_longer_in_the_first(worker):
    tables = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
    claim = {"dynamodb:LeadingKeys": ["claim#1"]}
    role = worker["falsework-dev-job-worker"]
    assert allows(role, "dynamodb:PutItem", f"{tables}falsework-dev-restored", claim)
    assert not allows(role, "dynamodb:PutItem", f"{tables}falsework-dev", claim)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_work_with_a_restored_table_and_its_indexes(function):
    arn = f"{OUTPUTS['TableArn']}-restored"
    named = [
        each
        for statement in pinned(function, TableArn=arn)
        for each in statement["Resource"]
        if ":dynamodb:" in each
    ]
    assert all(each == arn or each.startswith(f"{arn}/index/") for each in named)
    assert named or function == "on_notice"


@pytest.mark.parametrize(
    ("function", "action", "arn", "may"),
    [
        ("api_handler", "s3:GetObject", f"{LAB}/a", True),
        ("api_handler", "s3:DeleteObject", f"{LAB}/a", False),
        ("api_handler", "s3:DeleteObject", f"{HOME}/a", True),
        ("api_handler", "s3:ListBucket", HOME, True),
        ("on_wake", "s3:PutObject", f"{HOME}/scratch/a", True),
        ("on_wake", "s3:PutObject", f"{HOME}/a", False),
        ("on_wake", "s3:GetObject", f"{LAB}/a", False),
        ("on_notice", "s3:GetObject", f"{HOME}/scratch/a", False),
    ],
)
def test_a_function_reaches_what_its_own_work_needs(function, action, arn, may):
    assert allows(pinned(function, **MORE), action, arn) is may
    assert not allows(pinned(function), action, arn)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_may_use_the_keys_of_what_it_reads(function):
    assert allows(pinned(function, **MORE), "kms:Decrypt", KEY, BY_S3)
    assert not allows(pinned(function, **MORE), "kms:Decrypt", KEY, BY_SQS)


@pytest.mark.parametrize("parameter", ARNS)
def test_a_name_where_an_arn_is_meant_is_refused_and_nothing_is_made(aws, parameter):
    with pytest.raises(StackFailed, match=f"parameter {parameter}=lab: an ARN is meant"):
        deploy_foundation(aws, "dev", {parameter: f"{LAB},lab"})
    assert aws.cloudformation.asked == []


def test_every_role_has_the_boundary_that_is_named():
    roles = [each for each in read()["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 3
    for role in roles:
        assert role["Properties"]["PermissionsBoundary"]["Fn::If"][:2] == [
            "HasBoundary", {"Ref": "PermissionsBoundary"},
        ]  # fmt: skip


def test_chalice_gives_no_boundary_and_so_does_not_deploy_where_one_is_asked_for(tmp_path):
    place = Place("dev", {**OUTPUTS, "PermissionsBoundary": "arn:aws:iam::1:policy/b"})
    with pytest.raises(StackFailed, match="Chalice gives its roles none"):
        deploy.deploy_with_chalice(SimpleNamespace(), place, tmp_path)


def test_what_is_not_named_adds_nothing():
    for function in FUNCTIONS:
        written = policies.policy(function, "dev")["Statement"]
        assert len(pinned(function)) - len(written) in {0, 3}  # the mount, in a network
        assert all(several(each["Resource"]) for each in pinned(function))
