"""Requests for Batch jobs: one job of a definition that the request holds, or that is there.

::

    {"image", "command", "environment", "memory", "vcpus", "gpu", …}     a definition of its own
    {"job_definition_arn", "job_queue_arn", "container_overrides", …}    what
                                    CreateDefinitionAndPrepareArgs answers, as it answers it

Either may have ``container_overrides``, which win over the fields beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BeforeValidator, Field, JsonValue

from chalicelib.core.definition_rights import check_host_volumes
from chalicelib.core.demand.batch_args import ResourceRequirement
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.function_requests import (
    Amount,
    Configs,
    Given,
    Text,
    Variables,
    by_name,
    check_mounts,
)
from chalicelib.core.kind_submissions import (
    KindSubmission,
    check_kind,
    check_known,
    split_document,
)
from chalicelib.core.site import Site
from chalicelib.core.states.batch_forms import camel, requirements
from chalicelib.core.states.merging import merged

KIND: Final = "batch-job"
USUAL_MEMORY_MIB: Final = "1024"
USUAL_VCPUS: Final = "1"
_OF_A_DEFINITION: Final = (
    "image", "mount_points", "volumes", "mount_point_configs", "job_role_arn", "privileged"
)  # fmt: skip
"""What no job can override."""


def _overrides(value: Any) -> Any:
    """Either spelling; what could be overridden in Batch and not here is refused."""
    if not isinstance(value, Mapping):
        return value
    told = {name[:1].lower() + name[1:]: each for name, each in value.items()}
    for name, given in told.items():
        if name not in {"environment", "resourceRequirements", "command"}:
            raise InvalidRequest(
                f"{name!r:.100} is not overridden here",
                field=str(shortened(name)),
                value=shortened(given),
                mend="give Environment, ResourceRequirements and Command only",
            )
    return told


class Overrides(Wire):
    """What the job has in the place of its definition's."""

    environment: Variables = Field(default_factory=dict)
    resource_requirements: Annotated[tuple[ResourceRequirement, ...], BeforeValidator(camel)] = ()
    command: tuple[Text, ...] | None = None


class BatchJobRequest(Wire):
    """Run one job."""

    name: Text = KIND
    """First words of a definition of its own."""
    job_name: Text | None = None
    """Kept as a tag: what jobs are called here is not the request's to say."""
    job_queue: Text = Field(
        validation_alias=AliasChoices(
            "job_queue", "jobQueue", "job_queue_arn", "jobQueueArn", "job_queue_name"
        )
    )
    job_definition: Text | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "job_definition", "jobDefinition", "job_definition_arn", "jobDefinitionArn"
        ),
    )
    """One that is there: its ARN, or its name with or without the revision."""
    image: Text | None = None
    command: tuple[Text, ...] = ()
    """Empty: the image's own, or the definition's."""
    environment: Variables = Field(default_factory=dict)
    memory: Amount | None = None
    """MiB."""
    vcpus: Amount | None = None
    gpu: Amount | None = None
    parameters: dict[str, str] = Field(default_factory=dict)
    """Put in the place of ``Ref::name`` in the definition's command."""
    container_overrides: Annotated[Overrides, BeforeValidator(_overrides)] = Overrides()
    mount_points: Given = ()
    volumes: Given = ()
    mount_point_configs: Configs = ()
    job_role_arn: str | None = None
    privileged: bool = False
    tags: dict[str, str] = Field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return what the job finds in its environment, besides what the engine adds."""
        return {**self.environment, **self.container_overrides.environment}

    def amounts(self) -> tuple[dict[str, str], ...]:
        """Return what it asks for; of a kind that both name, the overrides' counts."""
        told = {each["type"]: each for each in requirements(self.memory, self.vcpus, self.gpu)}
        for each in self.container_overrides.resource_requirements:
            told[each.type.value] = {"type": each.type.value, "value": each.value}
        return tuple(told[kind] for kind in sorted(told))

    def words(self) -> tuple[str, ...] | None:
        """Return the command that the job has in the place of its definition's, if any."""
        if self.container_overrides.command is not None:
            return self.container_overrides.command
        return self.command or None if self.job_definition is not None else None


def parse_batch_job(document: object, site: Site) -> KindSubmission:
    """Return the submission. Raises InvalidRequest, naming the field that does not fit."""
    body, run_id, options = split_document(document, "a Batch job")
    check_kind(body.pop("kind", KIND), KIND)
    check_known(body, BatchJobRequest, "a Batch job")
    request = BatchJobRequest.parse(merged(_defaults(body, site), by_name(body, BatchJobRequest)))
    _check_definition(request)
    check_mounts(request.mount_points, request.volumes, request.mount_point_configs)
    check_host_volumes(request.volumes, site)
    return KindSubmission(KIND, request, run_id, options)


def _defaults(body: Mapping[str, Any], site: Site) -> dict[str, JsonValue]:
    queue = BatchJobRequest.model_fields["job_queue"].validation_alias
    assert isinstance(queue, AliasChoices)  # noqa: S101 -- it stands above
    is_told = any(choice in body for choice in queue.choices if isinstance(choice, str))
    defaults: dict[str, JsonValue] = {} if is_told else {"job_queue": site.default_job_queue}
    if "image" in body:
        defaults |= {"memory": USUAL_MEMORY_MIB, "vcpus": USUAL_VCPUS}
    return defaults


def _check_definition(request: BatchJobRequest) -> None:
    if request.job_definition is None and request.image is None:
        raise InvalidRequest(
            "the job has no definition",
            field="job_definition",
            mend="name one that is there, or give image, command and the like for one of its own",
        )
    if request.job_definition is None:
        return
    for name in _OF_A_DEFINITION:
        value = getattr(request, name)
        if value:
            raise InvalidRequest(
                f"the definition {request.job_definition!r:.200} has its own {name}",
                field=name,
                value=shortened(value if isinstance(value, str | bool) else len(value)),
                mend="leave it out, or leave job_definition out",
            )
