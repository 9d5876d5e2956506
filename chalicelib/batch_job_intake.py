"""The way in for Batch jobs: what a definition that is there allows counts as the request's own.

Who names a definition gets its role, its volumes and its secrets, and so must be one who may use
them.
"""

from __future__ import annotations

from chalicelib.accepting import accept_submission, check_group, check_queues
from chalicelib.core.allowances import listed_roles
from chalicelib.core.batch_job_requests import BatchJobRequest, parse_batch_job
from chalicelib.core.definition_rights import check_found_role, check_rights
from chalicelib.core.errors import InvalidRequest, NotFound, Refused
from chalicelib.core.kind_submissions import KindSubmission
from chalicelib.core.plans.batch_jobs import own_definition, plan_batch_job
from chalicelib.core.plans.plan import JobDefinition, Plan
from chalicelib.core.run import Run
from chalicelib.core.uses import used_by_batch_job
from chalicelib.ports import Ports


def submit_batch_job(document: object, ports: Ports, *, made_up: str | None = None) -> Run:
    """Start a run of one job, and return it; or the run that the same content has become.

    ``made_up`` and what it raises are as of ``submit_function``.
    """
    submission = parse_batch_job(document, ports.site)
    return accept_submission(
        submission, lambda _, uid: _plan(submission, uid, ports), ports, made_up=made_up
    )


def _plan(submission: KindSubmission, uid: str, ports: Ports) -> Plan:
    request, fallback = submission.request, submission.options.fallback_job_queue_name
    assert isinstance(request, BatchJobRequest)  # noqa: S101 -- by its kind
    own = own_definition(request, uid, ports.site)
    arn, definition = (None, own) if own is not None else _found(request, ports)
    check_rights(definition, ports.site)
    uses = used_by_batch_job(
        request.job_queue, fallback, definition, ports.facilities.file_systems()
    )
    group = submission.options.group
    check_group(group, uses, ports)
    if own is None:
        members = ports.caller.principal.groups
        check_found_role(definition, ports.site, listed_roles(group, ports.site, members))
    plan = plan_batch_job(submission, definition, arn, ports.site)
    check_queues("job_queue", request.job_queue, fallback, ports)
    if own is not None:
        ports.facilities.resolve_image(own.image)
    return plan


def _found(request: BatchJobRequest, ports: Ports) -> tuple[str, JobDefinition]:
    assert request.job_definition is not None  # noqa: S101 -- there is no image
    try:
        return ports.definitions.describe(request.job_definition)
    except (NotFound, Refused) as exc:
        raise InvalidRequest(
            str(exc),
            field="job_definition",
            value=request.job_definition,
            mend="name an active definition of one container, or give an image of your own",
        ) from exc
