"""What the handlers of the wire formats work with: S3, EFS and Batch of the AWS environment.

They need no table and no deployment of ours: whoever starts one has the standard AWS variables
and perhaps a mount. A process keeps what it has made for as long as these variables stay.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from chalicelib.aws.batch_jobs import BatchJobRunner
from chalicelib.aws.buckets import Buckets
from chalicelib.aws.carrier import S3Carrier
from chalicelib.aws.clients import Clients
from chalicelib.aws.facilities import AwsFacilities
from chalicelib.aws.s3_access import find_access
from chalicelib.ports import Carrier, Facilities, JobRunner
from chalicelib.settings import Settings


class HandlerPorts(NamedTuple):
    """Made when they are first asked for: most handlers need the carrier only."""

    carrier: Callable[[], Carrier]
    facilities: Callable[[], Facilities]
    jobs: Callable[[], JobRunner]


def open_handler_ports(
    settings: Settings, aws_environment: tuple[tuple[str, str], ...]
) -> HandlerPorts:
    """Return the ports that these settings and AWS variables mean."""
    clients = _clients(settings.site.aws_region, aws_environment)

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
        lambda: _carrier(settings.site.aws_region, aws_environment), facilities, jobs
    )


@lru_cache(maxsize=2)
def _clients(region: str, _aws_environment: tuple[tuple[str, str], ...]) -> Clients:
    return Clients(region, is_patient=True)


@lru_cache(maxsize=2)
def _carrier(region: str, aws_environment: tuple[tuple[str, str], ...]) -> S3Carrier:
    clients = _clients(region, aws_environment)
    return S3Carrier(Buckets(find_access(region)), lambda: clients.get("s3"))
