"""Job definitions and jobs as states (3.4)::

    define-job ─▶ invoke ─▶ deregister ─▶ …
                    └ any error ─▶ deregister-after-failure ─▶ failed: as the job did

A definition is taken back whatever has happened, and that it cannot be changes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from chalicelib.core.asl.calls import BATCH_ERRORS, REGISTERED, SUBMITTED, retried, task
from chalicelib.core.asl.expressions import Expression, at, fields
from chalicelib.core.asl.parts import ANY_ERROR, Part, Place, chain, single
from chalicelib.core.demand.batch_args import LEAST_MEMORY_MIB, LEAST_VCPUS
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.plans.plan import JobAction, JobDefinition, StagePlan
from chalicelib.core.states.batch_forms import encrypted, environment_pairs, pascal
from chalicelib.core.states.retries import BATCH_RETRY

JOB: Final = ("JobName", "JobId", "JobArn")
_DEFINITION: Final = ("JobDefinitionArn", "JobDefinitionName", "Revision")


def register(stage: StagePlan, definition: JobDefinition, place: Place) -> Part:
    """Return the registration of a definition. Raises InvalidRequest."""
    told = {
        "JobDefinitionName": definition.name,
        "Type": "container",
        "ContainerProperties": _container(definition, place),
        **({"Tags": definition.tags} if definition.tags else {}),
    }
    if definition.retry_strategy:
        told["RetryStrategy"] = pascal(definition.retry_strategy)
    more = {"ResultSelector": fields({name: at(name) for name in _DEFINITION})}
    call, path = "aws-sdk:batch:registerJobDefinition", at(*REGISTERED)
    return task(stage, place, call, told, BATCH_ERRORS, **more, ResultPath=path)


def submit(
    stage: StagePlan, job: JobAction, ends: list[StagePlan], place: Place, job_name: str
) -> Part:
    """Return the job; ``ends`` take its definition back, here where it has failed."""
    told = {
        "JobName": job_name,
        "JobQueue": job.queue,
        "JobDefinition": at(*REGISTERED, "JobDefinitionArn") if ends else job.definition,
        "ContainerOverrides": _overrides(job, place),
        **({"Parameters": job.parameters} if job.parameters else {}),
        **({"Tags": job.tags, "PropagateTags": True} if job.tags else {}),
    }
    failing = _failing(ends, place) if ends else None
    more: dict[str, Any] = {"ResultSelector": fields({name: at(name) for name in JOB})}
    if failing is not None:
        caught = {"ResultPath": at(*SUBMITTED), "Next": failing.start}
        more["Catch"] = [{"ErrorEquals": [ANY_ERROR], **caught}]
    call, path = "batch:submitJob.sync", at(*SUBMITTED)
    again = stage.model_copy(update={"retry": BATCH_RETRY})  # in our own runs the engine does it
    part = task(again, place, call, told, BATCH_ERRORS, **more, ResultPath=path)
    return part if failing is None else Part(part.start, {**part.states, **failing.states})


def submit_prepared(
    name: str, asked: tuple[str, ...], place: Place, tags: Expression | None = None, **more: Any
) -> Part:
    """Return the job whose arguments are at a place of the state, as the handler that makes a
    definition answers them (4.6)."""
    told = {
        "JobName": at(*asked, "job_name"),
        "JobDefinition": at(*asked, "job_definition_arn"),
        "JobQueue": at(*asked, "job_queue_arn"),
        "Parameters": at(*asked, "parameters"),
        "ContainerOverrides": at(*asked, "container_overrides"),
        **({} if tags is None else {"Tags": tags, "PropagateTags": True}),
    }
    state = {
        "Type": "Task",
        "Resource": place.resource("batch:submitJob.sync"),
        "Parameters": fields(told),
        "ResultSelector": fields({each: at(each) for each in JOB}),
        **more,
        **retried(BATCH_RETRY, BATCH_ERRORS),
    }
    return single(place.name(name), state)


def deregister(stage: StagePlan, place: Place, end: str = "") -> Part:
    """Return the deregistration; its failure leads on as its success does."""
    told = {"JobDefinition": at(*REGISTERED, "JobDefinitionArn")}
    named = stage.model_copy(update={"name": f"{stage.name}{end}"})
    left = single(place.name(f"{named.name}-done"), {"Type": "Pass"})
    call = "aws-sdk:batch:deregisterJobDefinition"
    catch = [{"ErrorEquals": [ANY_ERROR], "ResultPath": None, "Next": left.start}]
    part = task(named, place, call, told, BATCH_ERRORS, ResultPath=None, Catch=catch)
    return chain(part, left)


def _failing(ends: list[StagePlan], place: Place) -> Part:
    """Whatever becomes of the deregistration, the job's own failure is the one that is told."""
    error, cause = at(*SUBMITTED, "Error"), at(*SUBMITTED, "Cause")
    fail = {"Type": "Fail", "ErrorPath": error, "CausePath": cause}
    before = (deregister(each, place, "-after-failure") for each in ends)
    return chain(*before, single(place.name("failed"), fail))


def _container(definition: JobDefinition, place: Place) -> dict[str, Any]:
    if definition.secrets:
        raise InvalidRequest(
            "a definition with secrets needs an execution role, which is the deployment's",
            field="secrets",
            mend="name a job_definition that is there",
        )
    least = {"MEMORY": LEAST_MEMORY_MIB, "VCPU": LEAST_VCPUS}
    asked = {each["type"]: each["value"] for each in definition.resource_requirements}
    role = {"JobRoleArn": definition.job_role_arn} if definition.job_role_arn else {}
    return {
        "Image": definition.image,
        "Command": list(definition.command),
        "ResourceRequirements": _amounts(least | asked, place),
        "MountPoints": pascal(definition.mount_points),
        "Volumes": pascal(encrypted(definition.volumes)),
        "Privileged": definition.privileged,
        **role,
    }


def _overrides(job: JobAction, place: Place) -> dict[str, Any]:
    if job.queue in place.site.fair_share_queues:
        raise InvalidRequest(
            f"the queue {job.queue!r:.100} has a fair share policy, and no share is named here",
            field="job_queue",
            value=job.queue,
            mend="name a queue without one",
        )
    asked = {each["type"]: each["value"] for each in job.resource_requirements}
    return {
        "Environment": environment_pairs(job.environment),
        "ResourceRequirements": _amounts(asked, place),
        **({} if job.command is None else {"Command": list(job.command)}),
    }


def _amounts(asked: dict[str, str], place: Place) -> list[dict[str, str]]:
    return [{"Type": kind, "Value": place.marks.as_text(asked[kind])} for kind in sorted(asked)]
