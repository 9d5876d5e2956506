"""What Batch would refuse, refused here too: what runs at home must run in the cloud."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable

from chalicelib.core.errors import Refused
from chalicelib.core.limits import (
    BATCH_JOB_DEFINITION_BYTES,
    BATCH_JOB_NAME_CHARACTERS,
    BATCH_OVERRIDES_BYTES,
)
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.local.facilities import is_queue
from chalicelib.ports import JobRequest

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{BATCH_JOB_NAME_CHARACTERS - 1}}}")
"""AWS Batch API reference, SubmitJob jobName and RegisterJobDefinition jobDefinitionName."""


def check_job(job: JobRequest) -> None:
    """Raise Refused for a job that Batch would never accept."""
    if not is_queue(job.queue):
        raise Refused(f"there is no job queue {job.queue!r}; this home has one, 'default'")
    if not _NAME.fullmatch(job.name):
        raise Refused(f"job name {job.name!r}: 1 to 128 of A-Z a-z 0-9 _ -, no sign first")
    if reserved := sorted(name for name in job.environment if name.startswith("AWS_BATCH")):
        raise Refused(f"environment variables {reserved}: names with AWS_BATCH are Batch's own")
    if any(
        "\0" in text or "=" in key
        for key, value in job.environment.items()
        for text in (key, value)
    ):
        raise Refused("environment: no NUL can stand in a variable, and no = in its name")
    size = overrides_bytes(job)
    if size > BATCH_OVERRIDES_BYTES:
        raise Refused(
            f"container overrides of {size} bytes: ECS takes at most {BATCH_OVERRIDES_BYTES}"
        )


def check_definition(definition: JobDefinition) -> None:
    """Raise Refused for a definition that Batch would never accept, or this home never run."""
    if not _NAME.fullmatch(definition.name):
        raise Refused(
            f"job definition name {definition.name!r}: 1 to 128 of A-Z a-z 0-9 _ -, no sign first"
        )
    if definition.secrets:
        raise Refused(
            f"secrets {sorted(definition.secrets)}: the embedded home has no secrets manager;"
            " leave options.secrets out, or run the demand in AWS"
        )
    if len(definition.model_dump_json().encode()) > BATCH_JOB_DEFINITION_BYTES:
        raise Refused(
            f"job definition {definition.name!r} is larger than {BATCH_JOB_DEFINITION_BYTES} bytes"
        )


def overrides_bytes(job: JobRequest) -> int:
    """Return the size of the container overrides as JSON, in the form of SubmitJob."""
    overrides: dict[str, object] = {
        "environment": [{"name": name, "value": value} for name, value in job.environment.items()],
        "resourceRequirements": list(job.resource_requirements),
    }
    if job.command is not None:
        overrides["command"] = list(job.command)
    text = json.dumps(overrides, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


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
