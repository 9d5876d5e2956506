"""The arguments of RegisterJobDefinition and SubmitJob. Pure: nothing here calls AWS.

A definition is content-addressed: the digest of all its arguments stands in one of its tags, by
which an equal one is found again. Our own jobs say ``retryStrategy {attempts: 1}``: their retries
are ours, and each is a job with a name of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable
from typing import Any, Final

from chalicelib.aws.batch_tags import DEFINITION_TAGS, JOB_TAGS, fitting_tags
from chalicelib.core.batch_rules import (
    check_batch_name,
    check_environment,
    check_overrides,
    json_bytes,
)
from chalicelib.core.demand.batch_args import LEAST_MEMORY_MIB, LEAST_VCPUS
from chalicelib.core.errors import Refused
from chalicelib.core.limits import BATCH_JOB_DEFINITION_BYTES, BATCH_PAYLOAD_BYTES
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.states.batch_forms import encrypted
from chalicelib.job_ports import JobRequest

DIGEST_TAG: Final = "falsework:digest"

BATCH_LOG_GROUP: Final = "/aws/batch/job"
"""Where jobs write unless told otherwise (AWS Batch API reference, ContainerDetail)."""

_DEFAULTS: Final = {"VCPU": LEAST_VCPUS, "MEMORY": LEAST_MEMORY_MIB}
_ONE_ATTEMPT: Final = {"attempts": 1}


def definition_arguments(
    definition: JobDefinition, *, log_group: str = BATCH_LOG_GROUP, execution_role_arn: str = ""
) -> dict[str, Any]:
    """Return the arguments of RegisterJobDefinition, the digest among the tags. Raises Refused.

    Secrets are fetched with the execution role before the container starts (AWS Batch user
    guide, "Specify sensitive data"), so without one there are none.
    """
    check_batch_name("job definition", definition.name)
    if definition.secrets and not execution_role_arn:
        raise Refused(
            f"secrets {sorted(definition.secrets)}: this deployment has no execution role for"
            " jobs, with which they could be fetched"
        )
    arguments: dict[str, Any] = {
        "jobDefinitionName": definition.name,
        "type": "container",
        "containerProperties": _container(definition, log_group, execution_role_arn),
        "retryStrategy": definition.retry_strategy or _ONE_ATTEMPT,
        "propagateTags": True,
        "tags": fitting_tags(definition.tags, DEFINITION_TAGS - 1),
    }
    arguments["tags"][DIGEST_TAG] = _digest(arguments)
    size = json_bytes(arguments)
    if size > BATCH_JOB_DEFINITION_BYTES:
        raise Refused(
            f"job definition {definition.name!r} has {size} bytes, and is larger than the"
            f" {BATCH_JOB_DEFINITION_BYTES} that Batch takes"
        )
    return arguments


def submit_arguments(job: JobRequest, fair_share_queues: Container[str] = ()) -> dict[str, Any]:
    """Return the arguments of SubmitJob. Raises Refused for a job that Batch would never take."""
    check_batch_name("job", job.name)
    check_environment(job.environment)
    overrides: dict[str, Any] = {
        "environment": [{"name": name, "value": value} for name, value in job.environment.items()],
        "resourceRequirements": [dict(each) for each in job.resource_requirements],
    }
    if job.command is not None:
        overrides["command"] = list(job.command)
    check_overrides(overrides)
    arguments: dict[str, Any] = {
        "jobName": job.name,
        "jobQueue": job.queue,
        "jobDefinition": job.definition_arn,
        "containerOverrides": overrides,
        "retryStrategy": _ONE_ATTEMPT,
        "propagateTags": True,
    }
    if job.parameters:
        arguments["parameters"] = dict(job.parameters)
    if job.array_size is not None:
        arguments["arrayProperties"] = {"size": job.array_size}
    if job.queue in fair_share_queues:
        arguments["shareIdentifier"] = share_identifier(job.group)
    if tags := fitting_tags(job.tags, JOB_TAGS):
        arguments["tags"] = tags  # an empty map is not allowed (API reference, SubmitJob, tags)
    size = json_bytes(arguments)
    if size > BATCH_PAYLOAD_BYTES:
        raise Refused(f"job {job.name} has {size} bytes: Batch takes {BATCH_PAYLOAD_BYTES}")
    return arguments


def share_identifier(group: str) -> str:
    """Return the group's share: letters and digits, which is all that Batch takes (API reference,
    SubmitJob, shareIdentifier). A digest tells groups apart that differ in nothing else."""
    plain = "".join(each for each in group if each.isascii() and each.isalnum())
    if plain == group:
        return plain
    return f"{plain[:64]}{hashlib.sha256(group.encode()).hexdigest()[:12]}"


def _container(
    definition: JobDefinition, log_group: str, execution_role_arn: str
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "image": definition.image,
        "command": list(definition.command),
        "resourceRequirements": _requirements(definition.resource_requirements),
        "mountPoints": [dict(each) for each in definition.mount_points],
        "volumes": encrypted(definition.volumes),
        "privileged": definition.privileged,
        "secrets": [
            {"name": name, "valueFrom": arn} for name, arn in sorted(definition.secrets.items())
        ],
    }
    if definition.job_role_arn:
        container["jobRoleArn"] = definition.job_role_arn
    if execution_role_arn:
        container["executionRoleArn"] = execution_role_arn
    if log_group != BATCH_LOG_GROUP:
        options = {"awslogs-group": log_group}
        container["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    return container


def _requirements(asked: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Batch wants VCPU and MEMORY in every definition (API reference, ContainerProperties)."""
    amounts = _DEFAULTS | {each["type"].upper(): each["value"] for each in asked}
    return [{"type": kind, "value": amounts[kind]} for kind in sorted(amounts)]


def _digest(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
