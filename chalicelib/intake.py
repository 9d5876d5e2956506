"""The way in: a document becomes a run, or an error that changes nothing.

Everything about a request is checked here, before the first write; what the stages meet later is
the world's doing and not the request's. Submitting the same content again returns the same run.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.accepting import accept, check_group, check_queues, rehearse
from chalicelib.core.allowances import check_any_allows
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.definition_rights import check_host_volumes
from chalicelib.core.demand import batch_args, scaffolding
from chalicelib.core.demand.environment_file import is_mounted_here
from chalicelib.core.demand.scaffolding import Scaffolding
from chalicelib.core.documents import parse_document
from chalicelib.core.errors import InvalidRequest, Refused
from chalicelib.core.events import RunRequested
from chalicelib.core.options import check_options
from chalicelib.core.plans.demand_execution import CLOSING, KIND, STAGES, plan_demand
from chalicelib.core.plans.demand_orders import named_inputs, named_outputs
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.run import Run
from chalicelib.core.submission import Submission, parse_submission
from chalicelib.core.submission_checks import check_submission
from chalicelib.core.uses import used_by_definition, used_by_demand
from chalicelib.ports import Ports

SHOWN_OBJECTS: Final = 1000
"""How many objects of an input ``check`` counts."""


def submit(document: object, ports: Ports, origin: Mapping[str, JsonValue] | None = None) -> Run:
    """Start the run that the document asks for, and return it; or the run that it has become.

    ``origin`` is kept beside the request, and is no part of its digest.

    Raises InvalidRequest and its subclasses, NotFound for an image that no registry knows,
    Conflict for an id in use by other content, and Unavailable when nothing was accepted. Once
    the run is saved it is accepted: what could not be performed at once is owed, and the sweep
    sees to it.
    """
    event = plan_of(document, ports)
    request = {**event.plan.request, **(origin or {})}
    plan = event.plan.model_copy(update={"request": request})
    return accept(event.model_copy(update={"plan": plan}), ports)


def plan_of(document: object, ports: Ports) -> RunRequested:
    """Return what a submission of the document would save; nothing is. Raises as ``submit``."""
    submission, prepared, _ = _looked_at(document, ports)
    return _requested(submission, prepared, ports)


def preview(document: object, ports: Ports) -> dict[str, Any]:
    """Return the PrepareDemandScaffoldingResponse of the document; nothing is created."""
    _, prepared = _prepare(document, ports)
    return prepared.response.to_wire()


def define_job(document: object, ports: Ports) -> dict[str, Any]:
    """CreateDefinitionAndPrepareArgs: find or register the definition, return what to submit."""
    request = parse_document(batch_args.CreateDefinitionAndPrepareArgsRequest, document)
    if request.privileged and not ports.site.allow_privileged:
        raise batch_args.forbidden_privilege("privileged")
    check_host_volumes(request.volumes, ports.site)
    uses = tuple(used_by_definition(request, ports.facilities.file_systems()))
    check_any_allows(ports.caller.principal.groups, uses, ports.site)
    definition = JobDefinition(
        name=request.job_definition_name,
        image=ports.facilities.resolve_image(request.image),
        command=tuple(request.command),
        mount_points=tuple(request.mount_points),
        volumes=tuple(request.volumes),
        job_role_arn=request.job_role_arn,
        privileged=request.privileged,
        retry_strategy=request.retry_strategy,
        tags=request.job_definition_tags,
    )
    try:
        arn = ports.jobs.define(definition)
    except Refused as exc:
        raise InvalidRequest(
            str(exc),
            field="job_definition_name",
            value=request.job_definition_name,
            mend="correct what the message names",
        ) from exc
    response = batch_args.prepare_args(
        request,
        ports.site,
        job_definition_arn=arn,
        job_name=request.job_name or f"{request.job_definition_name}-{uuid.uuid4()}",
    )
    return response.to_wire()


def check(document: object, ports: Ports) -> list[str]:
    """Return, in sentences, what a submission would do; raises what it would raise.

    More than ``submit`` it also looks whether the inputs exist, which may change meanwhile.
    """
    submission, prepared, image = _looked_at(document, ports)
    rehearse(_requested(submission, prepared, ports), ports)
    create = prepared.response.setup_configs.batch_create_request
    return [
        f"run {submission.run_id} in group {submission.options.group}",
        *(
            f"input {name}: {_what_is_there(name, request, ports)}"
            for name, request in named_inputs(prepared)
        ),
        f"job on queue {create.job_queue_name} in {image}: {create.command[-1]}",
        *(
            f"output {name}: goes to {request.destination_path}"
            for name, request in named_outputs(prepared)
        ),
    ]


def _looked_at(document: object, ports: Ports) -> tuple[Submission, Scaffolding, str]:
    """Return what is asked for, and its image by the name that is pulled."""
    submission, prepared = _prepare(document, ports)
    create = prepared.response.setup_configs.batch_create_request
    _check_queues(submission, create.job_queue_name, ports)
    return submission, prepared, ports.facilities.resolve_image(create.image)


def _prepare(document: object, ports: Ports) -> tuple[Submission, Scaffolding]:
    submission = parse_submission(document)
    check_options(submission.options, STAGES, CLOSING)
    prepared = scaffolding.prepare(
        submission.request,
        ports.site,
        ports.facilities.file_systems(),
        mounts=ports.mounts,
        privileged=submission.options.privileged,
    )
    check_submission(submission, prepared, ports.site)
    uses = used_by_demand(submission, prepared)
    check_group(submission.options.group, uses, ports)
    return submission, prepared


def _requested(submission: Submission, prepared: Scaffolding, ports: Ports) -> RunRequested:
    uid = ports.mint_uid()
    return RunRequested(
        run_id=submission.run_id,
        at=ports.clock(),
        uid=uid,
        kind=KIND,
        group=submission.options.group,
        plan=plan_demand(
            submission,
            prepared,
            ports.site,
            uid,
            has_file_systems=ports.site.writes_file_systems and _is_at_hand(prepared, ports),
        ),
    )


def _is_at_hand(prepared: Scaffolding, ports: Ports) -> bool:
    """Whether calls see where the run works. Who tells of no mounts sees everything: at home."""
    root, mounts = prepared.working_directory_efs, ports.mounts
    return not mounts or is_mounted_here(root, mounts, ports.facilities.file_systems())


def _check_queues(submission: Submission, queue: str, ports: Ports) -> None:
    field = "demand_execution.execution_platform.aws_batch.job_queue_name"
    check_queues(field, queue, submission.options.fallback_job_queue_name, ports)


def _what_is_there(name: str, request: DataSyncRequest, ports: Ports) -> str:
    found = list(islice(ports.objects.list(request.source_path), SHOWN_OBJECTS + 1))
    if not found and request.fail_if_missing:
        raise InvalidRequest(
            f"input {name}: there is nothing at {request.source_path}",
            field=f"demand_execution.execution_parameters.params.{name}",
            value=request.source_path,
            mend="put the object there first, or correct the path",
        )
    size = sum(each.size_bytes for each in found)
    objects = "object" if len(found) == 1 else "objects"
    if len(found) > SHOWN_OBJECTS:
        return f"more than {SHOWN_OBJECTS} objects at {request.source_path}"
    return f"{len(found)} {objects}, {size} bytes, at {request.source_path}"
