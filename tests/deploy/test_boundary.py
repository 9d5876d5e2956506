"""The boundary of the roles that a deployment makes: they fit into it, and little else does."""

from __future__ import annotations

import json

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from infra import mounts, policies, templates
from infra.grants import FUNCTIONS
from infra.outputs import Place
from tests.deploy import asked
from tests.deploy.rights import ACCOUNT, REGION, inline, managed
from tests.deploy.test_deployer import POLICIES, TOLD, deploying
from tests.deploy.weighing import allows, several

HERE = f"{REGION}:{ACCOUNT}"
BUCKET = f"falsework-dev-{{}}-{ACCOUNT}-{REGION}"
OUTPUTS = {
    **{f"{each}Bucket": BUCKET.format(each.lower()) for each in ("Scratch", "Requests", "Data")},
    "TableArn": f"arn:aws:dynamodb:{HERE}:table/falsework-dev",
    "DefaultJobQueue": f"arn:aws:batch:{HERE}:job-queue/falsework-dev-spot",
    "FileSystem": "fs-0a1b",
    "FunctionAccessPointArn": f"arn:aws:elasticfilesystem:{HERE}:access-point/fsap-0a1b",
}
KEPT = (
    *("Table", "ScratchBucket", "DataBucket", "JobLogs", "Key", "WorkerRole", "ExecutionRole"),
    *("UsingKeys", "ReadingSecretsWithKeys"),
)
"""The foundation's roles of jobs, and what they name."""
MACHINES = "AmazonEC2ContainerServiceforEC2Role"


@pytest.fixture(scope="module")
def boundary():
    return managed(POLICIES, **TOLD)["falsework-dev-boundary"]


def outside(boundary, statements):
    """Whatever the statements grant and the boundary does not."""
    context = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    return [
        (action, arn)
        for each in statements
        for action in several(each["Action"])
        for arn in several(each["Resource"])
        for via in services(each)
        if not allows(boundary, action, arn, {**context, **via})
    ]


def services(statement):
    """By way of which services the statement lets keys be used."""
    told = statement.get("Condition", {}).get("StringLike", {}).get("kms:ViaService")
    return [{"kms:ViaService": each.replace("*", REGION)} for each in several(told or "")]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_role_fits(boundary, function):
    written = policies.policy(function, "dev", callable_names=["falsework-dev-sum"])
    assert not outside(boundary, Place("dev", OUTPUTS).pin(written, function)["Statement"])


def test_the_roles_of_jobs_fit(boundary):
    whole = templates.first()
    kept = {name: whole["Resources"][name] for name in KEPT}
    keys = f"arn:aws:kms:{HERE}:key/0a1b"
    roles = inline({**whole, "Resources": kept, "Outputs": {}}, EnvBase="dev", KmsKeyArns=keys)
    assert "kms:Decrypt" in str(roles["falsework-dev-job-worker"])
    assert {*roles} == {"falsework-dev-job-worker", "falsework-dev-job-execution"}
    assert not [each for told in roles.values() for each in outside(boundary, told)]


def test_the_role_of_machines_fits_but_for_logs_of_others(boundary):
    told = json.loads(aws_managed_policies_data)[MACHINES]["Document"]["Statement"]
    logs = {("logs:CreateLogStream", "*"), ("logs:PutLogEvents", "*")}
    assert {*outside(boundary, told)} == logs


def test_functions_that_mount_fit(boundary):
    assert mounts.statements(OUTPUTS)
    assert not outside(boundary, mounts.statements(OUTPUTS))


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/falsework-dev-x"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/falsework-prod-job-worker"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("s3:GetObject", "arn:aws:s3:::falsework-prod-data-1/x"),
        ("dynamodb:PutItem", f"arn:aws:dynamodb:{HERE}:table/falsework-prod"),
        ("sqs:SendMessage", f"arn:aws:sqs:{HERE}:falsework-prod-submissions"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:falsework-prod"),
        ("lambda:UpdateFunctionCode", asked.SAMPLES["lambda"]["function"]),
        (
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{HERE}:secret:falsework/prod/x",
        ),
        ("batch:SubmitJob", f"arn:aws:batch:{HERE}:job-queue/falsework-prod-spot"),
        ("kms:ScheduleKeyDeletion", f"arn:aws:kms:{HERE}:key/0a1b"),
        ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/0a1b"),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{HERE}:stack/falsework-dev/1"),
    ],
)
def test_what_no_role_of_the_stage_ever_may(boundary, action, arn):
    assert not allows(boundary, action, arn)


def test_files_of_another_stage_are_out_of_reach_and_those_of_ones_own_file_system_are_not(
    boundary,
):
    files = f"arn:aws:elasticfilesystem:{HERE}:file-system/fs-0a1b"
    mount = "elasticfilesystem:ClientMount"
    assert allows(boundary, mount, files)
    other = {"aws:ResourceTag/falsework": "falsework-prod-foundation"}
    assert not allows(boundary, mount, files, other)


BESIDES = [
    ("s3:GetObject", "arn:aws:s3:::lab/genome.fa"),
    ("dynamodb:PutItem", f"arn:aws:dynamodb:{HERE}:table/restored"),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:sum"),
    ("batch:SubmitJob", f"arn:aws:batch:{HERE}:job-queue/theirs"),
]


def test_what_is_named_besides_is_reached_and_nothing_like_it(boundary):
    told = managed(POLICIES, **{**TOLD, "Besides": ",".join(arn for _, arn in BESIDES)})
    wider = told["falsework-dev-boundary"]
    assert all(allows(wider, *each) for each in BESIDES)
    assert not any(allows(boundary, *each) for each in BESIDES[1:])
    assert not any(allows(wider, action, f"{arn}2") for action, arn in BESIDES)
    assert not allows(boundary, "s3:DeleteBucket", "arn:aws:s3:::lab")


RIGHTS = ("CreateRole", "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary")


def boundaries(path):
    resources = templates.read(path)["Resources"].values()
    roles = [each["Properties"] for each in resources if each["Type"] == "AWS::IAM::Role"]
    return [role.get("PermissionsBoundary") for role in roles]


BOUND = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}


def test_every_role_of_both_stacks_has_the_boundary_that_is_told(packaged):
    assert boundaries(templates.FOUNDATION) == [BOUND] * 3
    assert boundaries(packaged / "sam.yaml") == [BOUND] * len(FUNCTIONS)


@pytest.mark.parametrize("action", RIGHTS)
@pytest.mark.parametrize(
    ("parameters", "is_free"),
    [
        ({"RequiresBoundary": "true"}, False),
        ({"RequiresBoundary": "true", "Via": "chalice"}, True),
        ({"RequiresBoundary": "false"}, True),
    ],
    ids=["with the boundary", "by Chalice", "without one"],
)
def test_roles_outside_of_the_boundary_are_made_where_the_stack_says_so(
    action, parameters, is_free
):
    given, role = deploying(**parameters), asked.SAMPLES["iam"]["role"]
    for told in ({}, {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/other"}):
        assert allows(given, f"iam:{action}", role, told) is is_free
