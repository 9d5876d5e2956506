"""The batch-create request of an execution, and what must hold before there can be one.

(Sections 6.7 and 6.9 of the demand wire format.)
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from chalicelib.core.demand.batch_args import (
    CreateDefinitionAndPrepareArgsRequest,
    ResourceRequirement,
    ResourceType,
)
from chalicelib.core.demand.environment import shell_command
from chalicelib.core.demand.environment_file import SplitEnvironment
from chalicelib.core.demand.execution import AwsBatchPlatform, DemandExecution
from chalicelib.core.demand.names import batch_name
from chalicelib.core.demand.placement import PARAMETERS_FIELD, Places
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import VOLUME_NAME_BUDGET_CHARACTERS
from chalicelib.core.site import Site

RETRY_STRATEGY: Final[dict[str, JsonValue]] = {
    "attempts": 5,
    "evaluateOnExit": [
        {
            "action": "RETRY",
            "onStatusReason": "Task failed to start",
            "onReason": "DockerTimeoutError*",
        },
        {"action": "RETRY", "onStatusReason": "Host EC2*"},
        {"action": "EXIT", "onStatusReason": "*"},
    ],
}
"""Try again when the host was at fault, never when the program was."""

NAME_SEPARATOR_CHARACTERS: Final = 3
"""What ECS puts between a definition's and a volume's name, with its revision (6.9)."""

UNKNOWN_USER: Final = "unknown"


def check_job(demand: DemandExecution, where: Places, site: Site) -> None:
    """Check that the demand has everything its job needs.

    Raises InvalidRequest for an empty command, one that holds a NUL, a missing platform, and
    names that are too long together.
    """
    _check_command(demand.execution_parameters.command)
    platform_of(demand)
    _check_budget(demand, where, site)


def platform_of(demand: DemandExecution) -> AwsBatchPlatform:
    """Return where on Batch the demand runs; raises InvalidRequest when it does not say."""
    platform = demand.execution_platform.aws_batch
    if platform is None:
        raise InvalidRequest(
            "the demand does not say where on Batch it runs",
            field="demand_execution.execution_platform.aws_batch",
            mend='give an object such as {"job_queue_name": "my-queue"}',
        )
    return platform


def definition_name(demand: DemandExecution, site: Site) -> str:
    """Return the job definition's name: the same for everything that runs the same."""
    return batch_name(site.env_base, demand.execution_type, demand.loose_hash())


def requirement_pairs(demand: DemandExecution) -> list[tuple[str, str]]:
    """Return the resources that the demand asks for as (type, decimal number as text)."""
    wanted = demand.resource_requirements
    amounts = ((ResourceType.GPU, wanted.gpu), (ResourceType.MEMORY, wanted.memory))
    everything = (*amounts, (ResourceType.VCPU, wanted.vcpus))
    return [(kind.value, str(amount)) for kind, amount in everything if amount]


def batch_create_request(
    demand: DemandExecution,
    where: Places,
    site: Site,
    split: SplitEnvironment,
    *,
    is_privileged: bool,
) -> CreateDefinitionAndPrepareArgsRequest:
    """Return the request; ``demand`` is the one whose files are in their places."""
    platform = platform_of(demand)
    return CreateDefinitionAndPrepareArgsRequest(
        image=demand.execution_image,
        job_definition_name=definition_name(demand, site),
        job_queue_name=platform.job_queue_name,
        job_name=batch_name(site.env_base, demand.execution_type, demand.strict_hash()),
        job_role_arn=platform.job_role,
        command=shell_command(
            demand.execution_parameters.command, is_file_sourced=split.file is not None
        ),
        environment=split.environment,
        job_definition_tags={"USER": demand.execution_metadata.user or UNKNOWN_USER},
        resource_requirements=tuple(
            ResourceRequirement(type=ResourceType(kind), value=value)
            for kind, value in requirement_pairs(demand)
        ),
        mount_points=tuple(volume.mount_point() for volume in where.volumes),
        volumes=tuple(volume.volume() for volume in where.volumes),
        privileged=is_privileged,
        retry_strategy=RETRY_STRATEGY,
    )


def _check_command(command: tuple[str, ...]) -> None:
    field = f"{PARAMETERS_FIELD}.command"
    if not command:
        raise InvalidRequest(
            "the command is empty",
            field=field,
            value=[],
            mend='give the command as a list, such as ["python", "main.py"]',
        )
    for place, word in enumerate(command):
        if "\0" in word:
            raise InvalidRequest(
                "a word of the command contains a NUL, which no program could be given",
                field=f"{field}.{place}",
                value=shortened(word),
                mend="leave the NUL out",
            )


def _check_budget(demand: DemandExecution, where: Places, site: Site) -> None:
    longest = max(len(volume.name) for volume in where.volumes)
    used = len(definition_name(demand, site)) + NAME_SEPARATOR_CHARACTERS + longest
    excess = used - VOLUME_NAME_BUDGET_CHARACTERS
    if excess > 0:
        raise InvalidRequest(
            f"the names made from execution_type are too long for ECS, by {excess}",
            field="demand_execution.execution_type",
            value=demand.execution_type,
            mend=f"give an execution_type that is shorter by {excess} or more",
        )
