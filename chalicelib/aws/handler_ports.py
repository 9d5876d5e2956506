"""What the handlers of the wire formats work with: S3, EFS and Batch of the AWS environment.

They need no table and no deployment of ours: whoever starts one has the standard AWS variables
and perhaps a mount. A process keeps what it has made for as long as these variables stay.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, lru_cache

from chalicelib.aws.batch_jobs import BatchJobRunner
from chalicelib.aws.bucket_owners import expecting
from chalicelib.aws.buckets import Buckets
from chalicelib.aws.carrier import S3Carrier
from chalicelib.aws.clients import Clients
from chalicelib.aws.facilities import AwsFacilities
from chalicelib.aws.own_mounts import mounts_of_function, volumes_of_job
from chalicelib.aws.s3_access import find_access
from chalicelib.core.mounts import volumes_of
from chalicelib.core.site import FileSystems
from chalicelib.core.worker_documents import MountedVolume
from chalicelib.handler_ports import HandlerPorts
from chalicelib.job_ports import JobRunner
from chalicelib.ports import Facilities
from chalicelib.settings import Settings

AwsEnvironment = tuple[tuple[str, str], ...]
"""The AWS_ variables, as a key."""
BucketOwners = tuple[tuple[str, str], ...]
"""Bucket and account, as a key."""


def open_handler_ports(settings: Settings, aws_environment: AwsEnvironment) -> HandlerPorts:
    """Return the ports that these settings and AWS variables mean."""
    site = settings.site
    owners = tuple(sorted(site.bucket_owners.items()))
    clients = _clients(site.aws_region, aws_environment, owners)
    known = settings.file_systems.model_dump_json() if settings.file_systems else ""

    def facilities() -> Facilities:
        return AwsFacilities(
            clients.get("efs"),
            clients.get("batch"),
            clients.get("ecr"),
            clock=lambda: datetime.now(UTC),
            mounts=settings.mounts,
            inventory=settings.file_systems,
        )

    def jobs() -> JobRunner:
        return BatchJobRunner(
            clients.get("batch"),
            clients.submitting(),
            clients.get("logs"),
            log_group=settings.job_log_group,
            execution_role_arn=settings.job_execution_role_arn,
        )

    return HandlerPorts(
        lambda: _carrier(site.aws_region, aws_environment, owners),
        facilities,
        jobs,
        lambda: _own_volumes(site.aws_region, aws_environment, known),
    )


@cache  # with the inventory as text, for a model that holds tags is no key
def _own_volumes(
    region: str, aws_environment: AwsEnvironment, known: str
) -> tuple[MountedVolume, ...] | None:
    told, clients = dict(aws_environment), _clients(region, aws_environment)

    def inventory() -> FileSystems:
        if known:
            return FileSystems.model_validate_json(known)
        efs = AwsFacilities(clients.get("efs"), None, None, clock=lambda: datetime.now(UTC))
        return efs.file_systems()

    if "AWS_BATCH_JOB_ID" in told:
        return volumes_of_job(clients.get("batch"), told["AWS_BATCH_JOB_ID"], inventory)
    if "AWS_LAMBDA_RUNTIME_API" in told and "AWS_LAMBDA_FUNCTION_NAME" in told:
        name = told["AWS_LAMBDA_FUNCTION_NAME"]
        mounts = mounts_of_function(clients.get("lambda"), name)
        return None if mounts is None else volumes_of(mounts, inventory())
    return None


@lru_cache(maxsize=2)
def _clients(region: str, _aws_environment: AwsEnvironment, owners: BucketOwners = ()) -> Clients:
    return Clients(region, is_patient=True, prepare=expecting(dict(owners)))


@lru_cache(maxsize=2)
def _carrier(region: str, aws_environment: AwsEnvironment, owners: BucketOwners) -> S3Carrier:
    clients = _clients(region, aws_environment, owners)
    buckets = Buckets(find_access(region), dict(owners))
    return S3Carrier(buckets, lambda: clients.get("s3"))
