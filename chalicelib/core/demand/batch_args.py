"""From a batch-create request to a job definition and the arguments of SubmitJob (section 7).

The definition holds what SubmitJob cannot override (image, command, volumes, role); everything
else is an override. Whoever calls Batch does the registering, and gives the revision's ARN back
to ``prepare_args``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, JsonValue

from chalicelib.core.demand.environment import site_variables
from chalicelib.core.demand.overrides import check_room
from chalicelib.core.demand.wire import Wire
from chalicelib.core.errors import Forbidden
from chalicelib.core.site import Site

_REGISTRY: Final = re.compile(
    r"(?:docker\.io|public\.ecr\.aws|ghcr\.io|[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com)/.+"
)

LEAST_VCPUS: Final = "1"
LEAST_MEMORY_MIB: Final = "1024"
"""RegisterJobDefinition on EC2 asks for both; jobs override them with what they really need."""


class ResourceType(StrEnum):
    """The resources that Batch counts, in the order of the wire."""

    GPU = "GPU"
    MEMORY = "MEMORY"
    VCPU = "VCPU"


def _as_text(value: Any) -> Any:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


class ResourceRequirement(Wire):
    """One resource; the value is a decimal number as text."""

    type: ResourceType
    value: Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[0-9.]+$")]


def _as_list(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    given = [(kind, value.get(kind)) for kind in ResourceType]
    return [{"type": kind, "value": amount} for kind, amount in given if amount]


class CreateDefinitionAndPrepareArgsRequest(Wire):
    """What a job is to be: the original's name for it is kept."""

    image: str
    job_definition_name: str
    job_queue_name: str
    job_name: str | None = None
    command: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    job_definition_tags: dict[str, str] = Field(default_factory=dict)
    resource_requirements: Annotated[
        tuple[ResourceRequirement, ...], BeforeValidator(_as_list)
    ] = ()
    mount_points: tuple[dict[str, JsonValue], ...] = ()
    """As Batch writes them; carried literally, like volumes and retry strategy."""
    volumes: tuple[dict[str, JsonValue], ...] = ()
    retry_strategy: dict[str, JsonValue] | None = None
    privileged: bool = False
    job_role_arn: str | None = None

    def requirement_pairs(self) -> list[tuple[str, str]]:
        """Return the resources as (type, value)."""
        return [(item.type.value, item.value) for item in self.resource_requirements]


class CreateDefinitionAndPrepareArgsResponse(Wire):
    """The arguments of SubmitJob, as a state machine passes them on."""

    job_name: str
    job_definition_arn: str
    job_queue_arn: str
    """The queue as the request named it, which need not be an ARN."""
    parameters: dict[str, str] = Field(default_factory=dict)
    container_overrides: dict[str, JsonValue]


def is_registry_image(image: str) -> bool:
    """Tell whether an image is taken as it is; others name a repository of the account's ECR."""
    return _REGISTRY.fullmatch(image) is not None


def prepare_args(
    request: CreateDefinitionAndPrepareArgsRequest,
    site: Site,
    *,
    job_definition_arn: str,
    job_name: str,
) -> CreateDefinitionAndPrepareArgsResponse:
    """Return the arguments of SubmitJob.

    ``job_name`` is used when the request has none; the custom is
    ``<job_definition_name>-<uuid4>``. Raises TooLarge when Batch has no room for the environment.
    """
    environment = dict(sorted((request.environment | site_variables(site)).items()))
    requirements = sorted(request.requirement_pairs())
    check_room(
        environment,
        requirements,
        field="environment",
        mend="set fewer or shorter variables, or put them into a file",
    )
    overrides: dict[str, JsonValue] = {
        "Environment": [{"Name": name, "Value": value} for name, value in environment.items()],
        "ResourceRequirements": [{"Type": kind, "Value": value} for kind, value in requirements],
    }
    return CreateDefinitionAndPrepareArgsResponse(
        job_name=request.job_name or job_name,
        job_definition_arn=job_definition_arn,
        job_queue_arn=request.job_queue_name,
        container_overrides=overrides,
    )


def forbidden_privilege(field: str) -> Forbidden:
    """Return the error for a privileged container where the site has none."""
    return Forbidden(
        "this site does not run privileged containers",
        field=field,
        value=True,
        mend="ask without privileged, or ask the operator to set allow_privileged",
    )
