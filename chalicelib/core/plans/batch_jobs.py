"""The plan of a run that is one Batch job (3.4)::

    define-job ─▶ submit ─▶ job
      call         job       call: which it was
                     └ ─ ─▶ deregister
                              call, closing: whatever has happened

A definition that was there before stays: then there is neither ``define-job`` nor ``deregister``.
"""

from __future__ import annotations

from typing import Final

from chalicelib.core.batch_job_requests import BatchJobRequest
from chalicelib.core.demand.batch_create import RETRY_STRATEGY
from chalicelib.core.demand.overrides import check_room
from chalicelib.core.kind_submissions import KindSubmission
from chalicelib.core.options import check_options
from chalicelib.core.plans.combinators import sequence
from chalicelib.core.plans.function_actions import TellJob
from chalicelib.core.plans.functions import kind_plan
from chalicelib.core.plans.operations import deregister, register, submit
from chalicelib.core.plans.plan import JobAction, JobDefinition, Plan, StagePlan
from chalicelib.core.site import Site
from chalicelib.core.states.batch_forms import mounted
from chalicelib.core.states.objects import definition_name

DEFINE, SUBMIT, TELL, DEREGISTER = STAGES = ("define-job", "submit", "job", "deregister")
KEY: Final = "job"


def own_definition(request: BatchJobRequest, uid: str, site: Site) -> JobDefinition | None:
    """Return what the run defines for itself; None where the request names one that is there."""
    if request.image is None:
        return None
    points, volumes = mounted(request.mount_point_configs)
    return JobDefinition(
        name=definition_name(site.env_base, request.name, uid),
        image=request.image,
        command=request.command,
        mount_points=points or request.mount_points,
        volumes=volumes or request.volumes,
        job_role_arn=request.job_role_arn,
        privileged=request.privileged,
        resource_requirements=request.amounts(),
        retry_strategy=RETRY_STRATEGY,
        tags=site.default_tags,
    )


def plan_batch_job(
    submission: KindSubmission, definition: JobDefinition, arn: str | None, site: Site
) -> Plan:
    """Return the plan. Raises InvalidRequest.

    ``arn``: of the definition, which is there already; None: it is the run's own.
    """
    request = submission.request
    assert isinstance(request, BatchJobRequest)  # noqa: S101 -- by its kind
    stages = _stages(submission, request, definition, arn, site)
    names = [stage.name for stage in stages]
    check_options(submission.options, names, [each.name for each in stages if each.is_closing])
    return kind_plan(submission, stages, site)


def _stages(
    submission: KindSubmission,
    request: BatchJobRequest,
    definition: JobDefinition,
    arn: str | None,
    site: Site,
) -> tuple[StagePlan, ...]:
    job = _job(submission, request, definition, arn, site)
    seconds = submission.options.stage_timeout(SUBMIT)
    tell = StagePlan(name=TELL, action=TellJob(stage=SUBMIT))
    work = sequence(submit(SUBMIT, job, timeout_seconds=seconds), tell)
    if arn is not None:
        return work.all()
    end = deregister(DEREGISTER, (KEY,), (SUBMIT,))
    return sequence(register(DEFINE, {KEY: definition}), work, end).all()


def _job(
    submission: KindSubmission,
    request: BatchJobRequest,
    definition: JobDefinition,
    arn: str | None,
    site: Site,
) -> JobAction:
    """What the definition asks for is said again, for quotas count what a job says."""
    asked = {
        each["type"]: each for each in (*definition.resource_requirements, *request.amounts())
    }
    amounts = tuple(asked[kind] for kind in sorted(asked))
    check_room(
        request.variables(),
        [(each["type"], each["value"]) for each in amounts],
        field="environment",
        mend="set fewer or shorter variables, or put them into a file",
    )
    named = {} if request.job_name is None else {"job_name": request.job_name}
    return JobAction(
        definition=arn or KEY,
        queue=request.job_queue,
        command=request.words(),
        environment=request.variables(),
        parameters=request.parameters,
        resource_requirements=amounts,
        tags={**site.default_tags, **named, **request.tags},
        fallback_queue=submission.options.fallback_job_queue_name,
    )
