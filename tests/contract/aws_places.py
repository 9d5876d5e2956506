"""The AWS home's ports over moto, in this process, for the suites that need one process only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.aws.batch_jobs import BatchJobRunner, submitting_client
from chalicelib.aws.facilities import AwsFacilities
from chalicelib.aws.object_store import S3ObjectStore
from chalicelib.core.site import Mount

REGION = "us-east-1"
ACCOUNT = "123456789012"


SESSION = boto3.session.Session(region_name=REGION)
"""One for all accounts: it keeps the services' models, which take half a second to read."""


@contextmanager
def moto_account(**more: Any) -> Iterator[None]:
    """An empty account; Batch jobs in it have succeeded as soon as they are submitted.

    ``more`` is moto's configuration of other services.
    """
    told = {"batch": {"use_docker": False}, **more}
    with pytest.MonkeyPatch.context() as patch, mock_aws(config=told):
        patch.setattr(boto3, "DEFAULT_SESSION", SESSION)
        yield


def object_store(*buckets: str) -> S3ObjectStore:
    s3 = boto3.client("s3", region_name=REGION)
    for bucket in buckets:
        s3.create_bucket(Bucket=bucket)
    return S3ObjectStore(s3)


def job_runner() -> BatchJobRunner:
    """A runner with a queue ``default``."""
    make_queue("default")
    return BatchJobRunner(client("batch"), submitting_client(REGION), client("logs"))


def facilities(file_system: Path, mounted_as: str) -> AwsFacilities:
    """The queue ``default``, and a file system with an access point for every role."""
    make_queue("default")
    efs = client("efs")
    file_system_id = efs.create_file_system(CreationToken="one")["FileSystemId"]
    for role in ("scratch", "shared", "tmp"):
        efs.create_access_point(
            ClientToken=role,
            FileSystemId=file_system_id,
            RootDirectory={"Path": f"/{role}"},
            Tags=[{"Key": "Name", "Value": role}, {"Key": "env_base", "Value": "dev"}],
        )
    return AwsFacilities(
        efs,
        client("batch"),
        client("ecr"),
        clock=lambda: datetime.now(UTC),
        mounts=(Mount(id=mounted_as, path=str(file_system)),),
    )


def make_queue(name: str, state: str = "ENABLED") -> str:
    """Return the ARN of a new queue on a compute environment that has no machines."""
    role = client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument="{}")
    batch = client("batch")
    environment = batch.create_compute_environment(
        computeEnvironmentName=f"{name}-environment",
        type="UNMANAGED",
        serviceRole=role["Role"]["Arn"],
    )
    order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
    queue = batch.create_job_queue(
        jobQueueName=name, state=state, priority=1, computeEnvironmentOrder=order
    )
    return str(queue["jobQueueArn"])


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)
