"""What Batch would refuse, refused here too: what runs at home must run in the cloud."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import JsonValue

from chalicelib.core.batch_rules import check_batch_name, check_environment, check_overrides
from chalicelib.core.errors import Refused
from chalicelib.core.limits import BATCH_ARRAY_CHILDREN, BATCH_JOB_DEFINITION_BYTES
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest
from chalicelib.local.facilities import is_queue


def check_job(job: JobRequest) -> None:
    """Raise Refused for a job that Batch would never accept."""
    if not is_queue(job.queue):
        raise Refused(f"there is no job queue {job.queue!r}; this home has one, 'default'")
    check_batch_name("job", job.name)
    check_environment(job.environment)
    check_overrides(_overrides(job))
    if job.array_size is not None and job.array_size > BATCH_ARRAY_CHILDREN:
        raise Refused(f"an array has at most {BATCH_ARRAY_CHILDREN} children: {job.array_size}")


def check_definition(definition: JobDefinition) -> None:
    """Raise Refused for a definition that Batch would never accept, or this home never run."""
    check_batch_name("job definition", definition.name)
    if definition.secrets:
        raise Refused(
            f"secrets {sorted(definition.secrets)}: the embedded home has no secrets manager;"
            " leave options.secrets out, or run the demand in AWS"
        )
    if len(definition.model_dump_json().encode()) > BATCH_JOB_DEFINITION_BYTES:
        raise Refused(
            f"job definition {definition.name!r} is larger than {BATCH_JOB_DEFINITION_BYTES} bytes"
        )


def _overrides(job: JobRequest) -> dict[str, JsonValue]:
    """The container overrides in the form of SubmitJob."""
    overrides: dict[str, JsonValue] = {
        "environment": [{"name": name, "value": value} for name, value in job.environment.items()],
        "resourceRequirements": [dict(each) for each in job.resource_requirements],
    }
    if job.command is not None:
        overrides["command"] = list(job.command)
    return overrides


def cores(job: JobRequest, definition: JobDefinition) -> int:
    """Return how many cores the job asks for; part of a core counts as one, none as one."""
    asked = _vcpus(job.resource_requirements) or _vcpus(definition.resource_requirements) or 1.0
    return max(1, math.ceil(asked))


def _vcpus(requirements: Iterable[dict[str, str]]) -> float | None:
    for requirement in requirements:
        if requirement.get("type", "").upper() == "VCPU":
            try:
                count = float(requirement["value"])
            except (KeyError, ValueError) as exc:
                raise Refused(f"resource requirement {requirement}: not a number") from exc
            if not 0 < count < math.inf:
                raise Refused(f"resource requirement {requirement}: not a number of cores")
            return count
    return None
