"""The two steps of a demand that others may drive: its scaffolding, and its job definition."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from chalicelib.core.definition_rights import check_host_volumes
from chalicelib.core.demand.batch_args import (
    CreateDefinitionAndPrepareArgsRequest,
    CreateDefinitionAndPrepareArgsResponse,
    forbidden_privilege,
    prepare_args,
)
from chalicelib.core.demand.scaffolding import (
    PrepareDemandScaffoldingRequest,
    PrepareDemandScaffoldingResponse,
    prepare,
)
from chalicelib.core.errors import Unavailable
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import Site
from chalicelib.job_ports import JobRunner
from chalicelib.ports import Facilities
from chalicelib.settings import Settings

TRIES: Final = 5
FIRST_PAUSE_SECONDS: Final = 1.0
"""As the original registers (section 7 of the demand wire format)."""


def scaffold(
    request: PrepareDemandScaffoldingRequest, settings: Settings, facilities: Facilities
) -> PrepareDemandScaffoldingResponse:
    """Prepare the demand; its environment file is written here, for no stage of ours follows."""
    site = settings.site.model_copy(update={"stage_environment_file": False})
    prepared = prepare(request, site, facilities.file_systems(), mounts=settings.mounts)
    if prepared.environment_file is not None:
        file = prepared.environment_file
        facilities.write_file(file.efs_path, file.text.encode())
    return prepared.response


def define_and_prepare(
    request: CreateDefinitionAndPrepareArgsRequest,
    site: Site,
    facilities: Facilities,
    jobs: JobRunner,
    pause: Callable[[float], None] = time.sleep,
) -> CreateDefinitionAndPrepareArgsResponse:
    """Find or register the definition and return the arguments of SubmitJob.

    Raises Forbidden for privilege that the site has not, NotFound for an unknown image.
    """
    if request.privileged and not site.allow_privileged:
        raise forbidden_privilege("privileged")
    check_host_volumes(request.volumes, site)
    name = request.job_name or f"{request.job_definition_name}-{uuid4()}"
    prepare_args(request, site, job_definition_arn="", job_name=name)  # before anything is made
    definition = _definition(request, facilities.resolve_image(request.image))
    arn = _registered(definition, jobs, pause)
    return prepare_args(request, site, job_definition_arn=arn, job_name=name)


def _definition(request: CreateDefinitionAndPrepareArgsRequest, image: str) -> JobDefinition:
    return JobDefinition(
        name=request.job_definition_name,
        image=image,
        command=request.command,
        mount_points=request.mount_points,
        volumes=request.volumes,
        job_role_arn=request.job_role_arn,
        privileged=request.privileged,
        resource_requirements=tuple(
            {"type": kind, "value": value} for kind, value in request.requirement_pairs()
        ),
        retry_strategy=request.retry_strategy,
        tags=request.job_definition_tags,
    )


def _registered(definition: JobDefinition, jobs: JobRunner, pause: Callable[[float], None]) -> str:
    for tried in range(TRIES - 1):
        try:
            return jobs.define(definition)
        except Unavailable:
            longest = FIRST_PAUSE_SECONDS * 2**tried
            pause(random.uniform(longest / 2, longest))  # noqa: S311  (jitter)
    return jobs.define(definition)
