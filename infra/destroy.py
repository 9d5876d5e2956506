"""``make destroy STAGE=dev``: the application goes, the foundation with its data stays.

With ``DELETE_DATA=falsework-dev`` the foundation goes as well, and with it everything that it
retains: table, buckets and every version in them, queues, file system, images, logs. The name has
to be told, so that nobody deletes a stage whose name he did not mean to type. A backup of the file
system, if AWS Backup made one, stays in its vault.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from infra import function_logs, leaving, leftovers, records, stacks, templates
from infra.account import Aws
from infra.build import build
from infra.deploy import chalice, stage_name
from infra.failures import exit_code
from infra.outputs import Place
from infra.stacks import StackFailed

KEPT: Final = "the table, the buckets, the queues and the file system stay"


def destroy_app(aws: Aws, stage: str, into: Path | None = None) -> None:
    """Delete the application, whichever way it was deployed. Raises StackFailed.

    Chalice's record of what it made is the foundation's: without one, its functions stay.
    """
    name = f"falsework-{stage}"
    if stacks.has(aws.cloudformation, f"{name}-foundation"):
        place = Place(stage, stacks.outputs(aws.cloudformation, f"{name}-foundation"))
        bucket = place.outputs["ArtifactBucket"]
        if records.has(aws.s3, bucket, stage):
            project = build(stage, place, into=into)
            with records.kept(aws.s3, bucket, project, stage):
                chalice(project, "delete", "--stage", stage)
            function_logs.remove(aws.client("logs"), name)
            records.forget(aws.s3, bucket, stage)
    if stacks.has(aws.cloudformation, name):
        stacks.remove(aws.cloudformation, name)


def destroy_foundation(aws: Aws, stage: str) -> list[str]:
    """Delete the stack and what it retains; return what could not be deleted, with the reason.

    Where there is no stack, what one before it has left is deleted. Raises StackFailed where
    there is nothing at all.
    """
    left = []
    for kind, resource in _resources(aws, stage):
        if kind in _REMOVERS and resource:
            service, remove = _REMOVERS[kind]
            try:
                remove(aws.client(service), resource)
            except Exception as exc:  # noqa: BLE001  (the others are to go all the same)
                left.append(f"{kind} {resource}: {exc}")
    return left


def _resources(aws: Aws, stage: str) -> list[tuple[str, str]]:
    """Return type and name of what is to go; the stack itself is gone then."""
    name = f"falsework-{stage}-foundation"
    if not stacks.has(aws.cloudformation, name):
        told = leftovers.find(aws, templates.first(), {"EnvBase": stage})
        if not told:
            raise StackFailed(f"there is no stack {name!r} here, and none has left anything")
        return [(each["ResourceType"], *each["ResourceIdentifier"].values()) for each in told]
    pages = aws.cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    found = [each for page in pages for each in page["StackResourceSummaries"]]
    leaving.wait(aws, stacks.outputs(aws.cloudformation, name))
    stacks.remove(aws.cloudformation, name)
    return [(each["ResourceType"], each.get("PhysicalResourceId", "")) for each in found]


def _remove_table(dynamodb: Any, name: str) -> None:
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb.get_waiter("table_exists").wait(TableName=name)  # UPDATING takes no deletion
    dynamodb.delete_table(TableName=name)
    dynamodb.get_waiter("table_not_exists").wait(TableName=name)  # else the name is still taken


def _remove_bucket(s3: Any, name: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
        if keys:
            s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
    s3.delete_bucket(Bucket=name)


def _remove_file_system(efs: Any, name: str) -> None:
    """Its mount targets went with the stack; access points of groups have stacks of their own."""
    pages = efs.get_paginator("describe_access_points").paginate(FileSystemId=name)
    for each in [point for page in pages for point in page["AccessPoints"]]:
        efs.delete_access_point(AccessPointId=each["AccessPointId"])
    efs.delete_file_system(FileSystemId=name)


_REMOVERS: Final[Mapping[str, tuple[str, Callable[[Any, str], Any]]]] = {
    "AWS::DynamoDB::Table": ("dynamodb", _remove_table),
    "AWS::S3::Bucket": ("s3", _remove_bucket),
    "AWS::SQS::Queue": ("sqs", lambda sqs, url: sqs.delete_queue(QueueUrl=url)),
    "AWS::EFS::FileSystem": ("efs", _remove_file_system),
    "AWS::ECR::Repository": (
        "ecr",
        lambda ecr, name: ecr.delete_repository(repositoryName=name, force=True),
    ),
    "AWS::Logs::LogGroup": ("logs", lambda logs, name: logs.delete_log_group(logGroupName=name)),
    "AWS::KMS::Key": (
        "kms",
        lambda kms, key: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
    ),
}
"""Whatever the template retains: type of resource → service, and what removes one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Destroy the stage that is named."""
    told = _parser().parse_args(argv)
    name = f"falsework-{told.stage}"
    if told.delete_data not in {"", name}:
        print(f"destroy: DELETE_DATA={told.delete_data}: {name} is meant", file=sys.stderr)
        return 2
    return exit_code("destroy", lambda: _destroy(told, name))


def _destroy(told: argparse.Namespace, name: str) -> int:
    aws = Aws.of_environment()
    destroy_app(aws, told.stage, told.into)
    again = f"make destroy STAGE={told.stage} DELETE_DATA={name}"
    if not told.delete_data:
        print(f"{name} is gone; {KEPT} ({again})")
        return 0
    left = destroy_foundation(aws, told.stage)
    if left:
        print("\n".join([*(f"left: {each}" for each in left), f"once that is mended: {again}"]))
        return 1
    print(f"{name} is gone with its data; SQS gives a queue's name away after a minute")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make destroy", description="Delete a deployment.")
    parser.add_argument("stage", type=stage_name)
    parser.add_argument("--into", type=Path, help="where to build, instead of build/<stage>")
    parser.add_argument("--delete-data", default="", metavar="NAME", help="delete the state, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
