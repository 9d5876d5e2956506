"""Whether each function's role allows what the function cannot do without, and not everything.

The statements are read and their actions compared; resources and conditions are not weighed. The
whole is what ``tests/deploy`` proves of the files that roles are made from; what is found here is
a policy that somebody has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from chalicelib.aws.checkup.deployment import Deployment
from chalicelib.aws.checkup.functions import FUNCTIONS
from chalicelib.core.findings import Finding, judged, warning

ENGINE: Final = (
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "batch:SubmitJob",
    "batch:DescribeJobs",
    "batch:ListJobs",
    "batch:TerminateJob",
    "batch:RegisterJobDefinition",
    "sqs:SendMessage",
)
"""What functions do that drive runs: whoever is woken performs what is owed."""
_TAKING: Final = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
MORE: Final = {
    "": ("dynamodb:Query", "dynamodb:DeleteItem"),
    "on_submission": _TAKING,
    "on_wake": _TAKING,
    "on_notice": _TAKING,
    "on_sweep": ("dynamodb:Query",),
}


def needed(handler: str) -> tuple[str, ...]:
    """Return what the function cannot do without; the one that only delivers drives no runs."""
    return (*(() if handler == "on_notice" else ENGINE), *MORE.get(handler, ()))


def check_policies(deployment: Deployment) -> Iterator[Finding]:
    """Compare the roles' statements with what is needed."""
    iam = deployment.clients.get("iam")
    for handler in FUNCTIONS:
        function = deployment.configuration(handler)
        if function is None:
            continue
        role = str(function["Role"]).rpartition("/")[2]
        allowed = set(_allowed(iam, role))
        missing = [each for each in needed(handler) if not _has(allowed, each)]
        about = f"policy of {deployment.function(handler)}"
        yield judged(
            about,
            not missing,
            f"role {role} allows what is needed",
            f"role {role} does not allow {', '.join(missing)}",
            deployment.deploy,
        )
        if wide := sorted(allowed & {"*", "*:*"}):
            yield warning(about, f"role {role} allows {wide[0]}", "give it the policy of infra/")


def _allowed(iam: Any, role: str) -> Iterator[str]:
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        told = iam.get_role_policy(RoleName=role, PolicyName=name)
        yield from _actions(told["PolicyDocument"])
    for each in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = each["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        told = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        yield from _actions(told["PolicyVersion"]["Document"])


def _actions(document: Any) -> Iterator[str]:
    statements = document.get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        if statement.get("Effect") == "Allow":
            actions = statement.get("Action", [])
            yield from [actions] if isinstance(actions, str) else actions


def _has(allowed: set[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), each.lower()) for each in allowed)
