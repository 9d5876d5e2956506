"""What deploying may: all that CloudFormation asks for, and nothing of anybody else's."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from infra import templates
from infra.lambda_python import CHECKOUT
from tests.deploy import asked
from tests.deploy.rights import ACCOUNT, managed
from tests.deploy.weighing import allows, several

TEMPLATE = templates.read(CHECKOUT / "infra" / "deployer.yaml")
RESOURCES = {k: v for k, v in TEMPLATE["Resources"].items() if v["Type"].endswith("ManagedPolicy")}
POLICIES = {**TEMPLATE, "Resources": RESOURCES, "Outputs": {}}
TOLD = {"SenderAddress": "lab@example.org", "Besides": "arn:aws:s3:::lab,arn:aws:s3:::lab/*"}
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/falsework-dev-boundary"
TAG = "aws:ResourceTag/falsework"
BY_A_STACK = {
    "aws:CalledVia": ["cloudformation.amazonaws.com"],
    "iam:PermissionsBoundary": BOUNDARY,
    "iam:PassedToService": "lambda.amazonaws.com",
    "lambda:FunctionArn": asked.SAMPLES["lambda"]["function"],
}
"""What is told of a call that a stack of the deployment makes, but for its resource's tags."""
ONLY_OF_ONES_OWN = {
    "ec2:CreateLaunchTemplateVersion": "of a template that is there",
    "ec2:CreateRoute": "in a table that is there",
    "elasticfilesystem:CreateMountTarget": "for a file system that is there",
}
SAM = {
    "AWS::Serverless::Function": ["AWS::Lambda::Function", "AWS::Lambda::EventInvokeConfig"],
    "AWS::Serverless::Api": [
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::Stage",
    ],
    "SQS": ["AWS::Lambda::EventSourceMapping"],
    "CloudWatchEvent": ["AWS::Events::Rule", "AWS::Lambda::Permission"],
    "Schedule": ["AWS::Events::Rule", "AWS::Lambda::Permission"],
}
"""What SAM's types and its events become (SAM specification, generated resources)."""


@cache
def deploying(**parameters):
    told = managed(POLICIES, **TOLD, **parameters)
    names = [name for name in told if name.startswith("falsework-dev-deploy")]
    return [statement for name in names for statement in told[name]]


@pytest.fixture(scope="module")
def statements():
    return deploying(RequiresBoundary="true")


def of_stage(arn, stage="dev"):
    """The tag that a stack of the stage gives what it makes."""
    is_app = ":apigateway:" in arn or ":event-source-mapping:" in arn
    return {TAG: f"falsework-{stage}{'' if is_app else '-foundation'}"}


def denied(statements, kinds):
    return {
        (kind, action, arn)
        for kind in kinds
        for action in asked.actions(kind)
        for arn in asked.resources(action)
        if not allows(statements, action, arn, {**BY_A_STACK, **of_stage(arn)})
    }


FOUNDATION = {each["Type"] for each in templates.read()["Resources"].values()}


def test_all_that_cloudformation_does_with_the_foundation_is_allowed(statements):
    assert not denied(statements, FOUNDATION)


def test_all_that_cloudformation_does_with_the_application_is_allowed(statements, packaged):
    kinds = set()
    for each in templates.read(packaged / "sam.yaml")["Resources"].values():
        events = each["Properties"].get("Events", {}).values()
        for kind in (each["Type"], *(event["Type"] for event in events)):
            kinds |= {kind} if kind.startswith("AWS::") and kind not in SAM else {*SAM[kind]}
    assert "AWS::Lambda::EventSourceMapping" in kinds
    assert not denied(statements, kinds)


def test_of_every_action_that_a_schema_names_it_is_known_what_it_is_on():
    named = {action for kind in FOUNDATION for action in asked.actions(kind)}
    assert not {action for action in named if not asked.resources(action)}


def test_what_has_no_tags_before_it_is_there_can_be_made(statements):
    making = {
        action
        for kind in FOUNDATION
        for action in asked.actions(kind)
        if re.search(":(Create|Allocate|Register|Tag)", action)
    }
    refused = {
        action
        for action in making
        for arn in asked.resources(action)
        if not allows(statements, action, arn, BY_A_STACK)
    }
    assert refused == set(ONLY_OF_ONES_OWN)


LOOKING = re.compile(":(Describe|List|Get|GET$)")
HARMING = re.compile(":(Delete|DELETE|Modify|Put|Schedule|Detach|Release|Revoke|Disable|PATCH)")
BEARS_NO_TAGS = {
    asked.SAMPLES["ec2"]["security-group-rule"],
    asked.SAMPLES["ec2"]["network-interface"],
    asked.SAMPLES["apigateway"]["RestApis"],
    asked.SAMPLES["apigateway"]["Tags"],
}
UNNAMED = [
    (action, arn)
    for kind in sorted({*FOUNDATION, *SAM["AWS::Serverless::Api"]})
    for action in sorted(asked.actions(kind))
    for arn in asked.resources(action)
    if action.partition(":")[0] in {"batch", "ec2", "elasticfilesystem", "kms", "apigateway"}
    and not LOOKING.search(action)
    and "falsework-dev" not in arn
    and arn not in {"*", *BEARS_NO_TAGS}
]
"""Whatever is done to something that only its tags tell the owner of."""


def test_what_bears_the_tags_of_another_stage_is_out_of_reach(statements):
    context = {**BY_A_STACK, TAG: "falsework-prod-foundation"}
    assert len(UNNAMED) > 100
    assert not {each for each in UNNAMED if allows(statements, *each, context)}


@pytest.mark.parametrize("context", [BY_A_STACK, {}], ids=["by a stack", "by hand"])
def test_what_bears_no_tags_of_ours_is_neither_changed_nor_removed(statements, context):
    harm = [each for each in UNNAMED if HARMING.search(each[0])]
    reached = {arn for action, arn in harm if allows(statements, action, arn, context)}
    assert not reached


@pytest.mark.parametrize(
    "action",
    ["kms:TagResource", "ec2:CreateTags", "elasticfilesystem:TagResource", "apigateway:PUT"],
)
def test_nobody_makes_things_his_own_by_tagging_them_by_hand(statements, action):
    arns = [each for each in asked.resources(action) if not each.endswith("/a1")]
    context = {each: told for each, told in BY_A_STACK.items() if each != "aws:CalledVia"}
    assert not [arn for arn in arns if allows(statements, action, arn, context)]


HERE = f"eu-central-1:{ACCOUNT}"


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("s3:GetObject", "arn:aws:s3:::falsework-prod-data-1-eu-central-1/x"),
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{HERE}:table/falsework-prod"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:falsework-prod-on_wake"),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{HERE}:stack/falsework-prod/1"),
        (
            "cloudformation:UpdateStack",
            f"arn:aws:cloudformation:{HERE}:stack/falsework-dev-deployer/1",
        ),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/falsework-prod-OnWakeRole-1"),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/falsework-github-dev"),
        ("iam:CreatePolicyVersion", BOUNDARY),
        ("iam:DeleteRolePermissionsBoundary", asked.SAMPLES["iam"]["role"]),
        ("batch:DeleteJobQueue", f"arn:aws:batch:{HERE}:job-queue/falsework-prod-spot"),
        ("ses:DeleteEmailIdentity", f"arn:aws:ses:{HERE}:identity/theirs@example.org"),
    ],
)  # fmt: skip
def test_what_bears_another_name_is_out_of_reach(statements, action, arn):
    assert not allows(statements, action, arn, BY_A_STACK)


def test_a_mapping_of_another_stages_function_is_out_of_reach(statements):
    context = {"lambda:FunctionArn": f"arn:aws:lambda:{HERE}:function:falsework-prod-on_wake"}
    arn = asked.SAMPLES["lambda"]["eventSourceMapping"]
    assert not allows(statements, "lambda:UpdateEventSourceMapping", arn, context)


def test_a_role_is_passed_to_what_we_make_only(statements):
    role = asked.SAMPLES["iam"]["role"]
    passed = {"iam:PassedToService": "codebuild.amazonaws.com"}
    assert not allows(statements, "iam:PassRole", role, passed)


def test_an_api_that_chalice_made_has_no_tags_and_can_be_changed_there():
    arn = asked.SAMPLES["apigateway"]["RestApi"]
    assert allows(deploying(Via="chalice"), "apigateway:PATCH", arn)
    assert not allows(deploying(), "apigateway:PATCH", arn)
    assert not allows(deploying(Via="chalice"), "apigateway:PATCH", arn, of_stage(arn, "prod"))


def test_services_make_their_own_roles_and_no_others(statements):
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/AWSServiceRoleForX"
    for service in ("batch", "spot", "elasticfilesystem"):
        told = {"iam:AWSServiceName": f"{service}.amazonaws.com"}
        assert allows(statements, "iam:CreateServiceLinkedRole", role, told)
    told = {"iam:AWSServiceName": "guardduty.amazonaws.com"}
    assert not allows(statements, "iam:CreateServiceLinkedRole", role, told)


def test_a_policy_fits_what_iam_takes():
    """6,144 characters without blanks: IAM and STS quotas, managed policies."""
    for name, told in managed(POLICIES, **TOLD).items():
        whole = {"Version": "2012-10-17", "Statement": told}
        assert len(json.dumps(whole, separators=(",", ":"))) < 6_144, name


def test_the_role_at_github_and_both_projects_have_every_policy():
    names = [RESOURCES[each]["Properties"]["ManagedPolicyName"] for each in RESOURCES]
    given = {each["Fn::Sub"] for each in names} - {"falsework-${EnvBase}-boundary"}
    role = TEMPLATE["Resources"]["DeployRole"]["Properties"]["ManagedPolicyArns"]
    assert {
        RESOURCES[each["Ref"]]["Properties"]["ManagedPolicyName"]["Fn::Sub"] for each in role
    } == given
    pipeline = templates.read(CHECKOUT / "infra" / "pipeline.yaml")["Resources"]
    for stage in ("dev", "prod"):
        arns = several(
            pipeline[f"Deploy{stage.capitalize()}Role"]["Properties"]["ManagedPolicyArns"]
        )
        told = {each["Fn::Sub"].rpartition("/")[2] for each in arns if "Fn::Sub" in each}
        assert told == {each.replace("${EnvBase}", stage) for each in given}
