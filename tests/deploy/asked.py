"""What CloudFormation asks of whoever deploys, for each type of resource, as its schemas say.

cfn-lint brings AWS's own schemas, whose ``handlers`` and ``tagging`` name the actions, and the
service authorization reference, which says what an action is on. A handler names also what it
would need for properties that our templates do not use: ``NOT_OURS`` says which.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

_HERE = "arn:aws:{}:eu-central-1:123456789012:{}"
_KINDS = {
    "batch": {
        "compute-environment": "compute-environment/SpotEnvironment-1a2b",
        "job-queue": "job-queue/falsework-dev-spot",
        "job-definition": "job-definition/falsework-dev-lambda",
        "job-definition-revision": "job-definition/falsework-dev-lambda:1",
        "scheduling-policy": "scheduling-policy/FairShares-1a2b",
    },
    "cloudwatch": {"alarm": "alarm:falsework-dev-dead-letters"},
    "dynamodb": {"table": "table/falsework-dev"},
    "ec2": {
        kind: f"{kind}/{kind}-0a1b"
        for kind in (
            "elastic-ip", "internet-gateway", "launch-template", "natgateway",
            "network-interface", "route-table", "security-group", "security-group-rule",
            "subnet", "vpc", "vpc-endpoint",
        )
    },
    "ecr": {"repository": "repository/falsework-dev-worker"},
    "elasticfilesystem": {
        "access-point": "access-point/fsap-0a1b",
        "file-system": "file-system/fs-0a1b",
    },
    "events": {"rule-on-default-event-bus": "rule/falsework-dev-OnSweepEvent-1a2b"},
    "kms": {"key": "key/0a1b"},
    "lambda": {
        "eventSourceMapping": "event-source-mapping:0a1b",
        "function": "function:falsework-dev-on_wake",
    },
    "logs": {
        "log-group": "log-group:/falsework/dev/jobs",
        "log-stream": "log-group:/falsework/dev/jobs:log-stream:x",
    },
    "ses": {"identity": "identity/lab@example.org"},
    "sns": {"topic": "falsework-dev-alarms"},
    "sqs": {"queue": "falsework-dev-wake"},
}  # fmt: skip
SAMPLES = {
    **{s: {k: _HERE.format(s, end) for k, end in ends.items()} for s, ends in _KINDS.items()},
    "apigateway": {
        kind: f"arn:aws:apigateway:eu-central-1::{path}"
        for kind, path in {
            "RestApis": "/restapis",
            "RestApi": "/restapis/a1",
            "Deployments": "/restapis/a1/deployments",
            "Deployment": "/restapis/a1/deployments/d1",
            "Stages": "/restapis/a1/stages",
            "Stage": "/restapis/a1/stages/api",
            "Tags": "/tags/arn%3Aaws%3Aapigateway",
        }.items()
    },
    "iam": {
        "role": "arn:aws:iam::123456789012:role/falsework-dev-OnWakeRole-1A2B",
        "instance-profile": "arn:aws:iam::123456789012:instance-profile/falsework-dev-m-1A2B",
    },
    "s3": {
        "bucket": "arn:aws:s3:::falsework-dev-data-123456789012-eu-central-1",
        "object": "arn:aws:s3:::falsework-dev-artifacts-123456789012-eu-central-1/packages/x",
    },
}
"""Service → kind of resource → one that a deployment of dev has."""
SAMPLES["cloudwatch"]["dashboard"] = "arn:aws:cloudwatch::123456789012:dashboard/falsework-dev"

BESIDES = {
    "AWS::EFS::MountTarget": {
        # EFS API reference, CreateMountTarget and DeleteMountTarget: the schema leaves them out.
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
    },
}
NOT_OURS = {
    "batch:SetCapacityTags": "an action that the reference does not know",
    "dynamodb:DescribeImport": "imports of tables",
    "ec2:AcceptAddressTransfer": "addresses from another account",
    "ec2:AssignPrivateNatGatewayAddress": "more addresses of a gateway",
    "ec2:AssociateAddress": "addresses of machines",
    "ec2:AssociateNatGatewayAddress": "more addresses of a gateway",
    "ec2:AssociateSubnetCidrBlock": "IPv6",
    "ec2:AttachVpnGateway": "VPNs",
    "ec2:CreateVpcEncryptionControl": "encryption controls of a VPC",
    "ec2:DetachVpnGateway": "VPNs",
    "ec2:DisassociateNatGatewayAddress": "more addresses of a gateway",
    "ec2:DisassociateSubnetCidrBlock": "IPv6",
    "ec2:ModifyVpcTenancy": "dedicated machines",
    "ec2:UnassignPrivateNatGatewayAddress": "more addresses of a gateway",
    "eks:*": "clusters of Kubernetes",
    "elasticfilesystem:CreateReplicationConfiguration": "replicas",
    "firehose:*": "logs that are delivered elsewhere",
    "iam:CreateServiceLinkedRole": "on roles of AWS's own; a test of its own",
    "iam:DeleteRolePermissionsBoundary": "nobody takes a boundary away",
    "kinesis:*": "streams of tables",
    "kms:CreateGrant": "AWS's keys for ECR, EFS, DynamoDB and Lambda, whose policies say so",
    "kms:Decrypt": "the same",
    "kms:Encrypt": "the same",
    "kms:GenerateDataKey": "the same",
    "kms:GenerateDataKeyWithoutPlaintext": "the same",
    "kms:ListAliases": "the same",
    "kms:RetireGrant": "the same",
    "kms:RevokeGrant": "the same",
    "lambda:AssociateRuntimeAlias": "runtimes of one's own choosing",
    "lambda:GetCodeSigningConfig": "signed code",
    "lambda:GetLayerVersion": "layers",
    "lambda:PassCapacityProvider": "functions on machines of one's own",
    "logs:CreateLogDelivery": "logs that are delivered elsewhere",
    "logs:DeleteIndexPolicy": "indexes of logs",
    "logs:DeleteResourcePolicy": "policies of logs for other services",
    "logs:PutIndexPolicy": "indexes of logs",
    "logs:PutResourcePolicy": "policies of logs for other services",
    "s3files:*": "S3 as a file system",
    "s3tables:*": "tables in S3",
    "ses:PutEmailIdentityConfigurationSetAttributes": "on the identity, which is asked, and a set",
    "vpc-lattice:*": "service networks",
    "vpce:*": "endpoints of other regions",
}
"""What handlers could do with properties that no template of ours has, and which those are."""


def actions(kind: str) -> set[str]:
    """Return what CloudFormation does with one resource of this type, in its whole life."""
    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind)
    told = schema.schema
    handlers = [each for name, each in told.get("handlers", {}).items() if name != "list"]
    asked = {
        action
        for each in [*handlers, told.get("tagging", {})]
        for action in each.get("permissions", [])
    }
    asked |= BESIDES.get(kind, set())
    return {each for each in map(_written, asked) if not _is_not_ours(each)}


def _written(action: str) -> str:
    service, _, name = action.partition(":")
    return f"{service.lower()}:{name}"


def _is_not_ours(action: str) -> bool:
    return action in NOT_OURS or f"{action.partition(':')[0]}:*" in NOT_OURS


@cache
def _reference() -> dict[str, Any]:
    path = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def resources(action: str) -> list[str]:
    """Return what of a deployment the action is on; ``*`` if it knows no resources at all.

    An action that no list knows is on everything that we have of its service.
    """
    service, _, name = action.partition(":")
    known = _reference().get(service, {}).get("Actions", {}).get(name.lower())
    ours = SAMPLES.get(service, {})
    if known is None:
        return list(ours.values())
    kinds = known.get("Resources", [])
    return [ours[kind] for kind in kinds if kind in ours] if kinds else ["*"]
