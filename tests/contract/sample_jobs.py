"""A definition and a job of it, as small as they get."""

from __future__ import annotations

from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest


def a_definition(**fields: object) -> JobDefinition:
    return JobDefinition.model_validate(
        {"name": "dev-x", "image": "ghcr.io/x", "command": ("true",), **fields}
    )


def a_job(arn: str, **fields: object) -> JobRequest:
    return JobRequest.model_validate(
        {"name": "falsework-job-1", "queue": "default", "definition_arn": arn, **fields}
    )
