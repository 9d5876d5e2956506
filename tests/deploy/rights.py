"""The rights that a template gives, filled in as CloudFormation would; moto does it here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import yaml
from moto import mock_aws

from infra.templates import body

REGION = "eu-central-1"
ACCOUNT = "123456789012"
Statements = list[dict[str, Any]]


def managed(template: Mapping[str, Any], **parameters: str) -> dict[str, Statements]:
    """Return the statements of the template's managed policies, by their names."""
    with _made(template, parameters) as iam:
        found = {}
        for each in iam.list_policies(Scope="Local")["Policies"]:
            told = iam.get_policy_version(PolicyArn=each["Arn"], VersionId="v1")
            found[each["PolicyName"]] = told["PolicyVersion"]["Document"]["Statement"]
        return found


def inline(template: Mapping[str, Any], **parameters: str) -> dict[str, Statements]:
    """Return the statements of the policies in the template's roles, by the roles' names."""
    with _made(template, parameters) as iam:
        found: dict[str, Statements] = {}
        for role in (each["RoleName"] for each in iam.list_roles()["Roles"]):
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                told = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                document = yaml.safe_load(told) if isinstance(told, str) else told
                found.setdefault(role, []).extend(document["Statement"])
        return found


@contextmanager
def _made(template: Mapping[str, Any], parameters: Mapping[str, str]) -> Iterator[Any]:
    with mock_aws():
        session = boto3.Session("testing", "testing", region_name=REGION)
        told = [{"ParameterKey": key, "ParameterValue": each} for key, each in parameters.items()]
        known = {name: _known(each) for name, each in template["Resources"].items()}
        session.client("cloudformation").create_stack(
            StackName="falsework-dev-x",
            TemplateBody=body({**template, "Resources": known}),
            Parameters=told,
        )
        yield session.client("iam")


def _known(resource: dict[str, Any]) -> dict[str, Any]:
    """The same as moto knows it: it has no policies for one role, only for several."""
    if resource["Type"] != "AWS::IAM::RolePolicy":
        return resource
    about = dict(resource["Properties"])
    roles = [about.pop("RoleName")]
    return {**resource, "Type": "AWS::IAM::Policy", "Properties": {**about, "Roles": roles}}
