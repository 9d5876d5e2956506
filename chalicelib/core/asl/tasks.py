"""The stages of a plan as states, one for each: the same objects, calls, variables and retries.

::

    put-request ─▶ define-job ─▶ invoke ─▶ deregister ─▶ read-response
                                   └ any error ─▶ deregister-after-failure ─▶ failed

What the first state, of ``jobs``, has looked up is at ``$.taskResult.prep``; what the calls return
comes to lie beside it.
"""

from __future__ import annotations

from typing import Any, Final

from chalicelib.core.asl.expressions import Expression, at, fields
from chalicelib.core.asl.parts import ANY_ERROR, Part, Place, State, chain, single
from chalicelib.core.demand.batch_args import LEAST_MEMORY_MIB, LEAST_VCPUS
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.object_names import parse_object
from chalicelib.core.plans.function_actions import (
    DeregisterJobs,
    InvokeFunction,
    ReadObject,
    TellJob,
)
from chalicelib.core.plans.plan import (
    DefineJobs,
    JobAction,
    JobDefinition,
    Plan,
    PutDocuments,
    StagePlan,
)
from chalicelib.core.states.batch_forms import environment_pairs, pascal
from chalicelib.core.states.retries import RetryRow

PREP: Final = ("taskResult", "prep")
PAYLOAD: Final = at(*PREP, "payload")
TASK_ID: Final = at(*PREP, "task_id")
REGISTERED: Final = ("taskResult", "register")
SUBMITTED: Final = ("taskResult", "submit")
_JOB: Final = ("JobName", "JobId", "JobArn")
_DEFINITION: Final = ("JobDefinitionArn", "JobDefinitionName", "Revision")
S3_ERRORS: Final = ("S3.S3Exception",)
BATCH_ERRORS: Final = ("Batch.BatchException",)
LAMBDA_ERRORS: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
)


def of_plan(plan: Plan, place: Place, *, job_name: str) -> Part:
    """Return the states of a plan that is one chain; its last stage's result is what comes out.

    ``job_name`` is for a job without a definition of its own to be named after.
    """
    ends = [stage for stage in plan.stages if stage.is_closing]
    parts: list[Part] = []
    for stage in plan.stages:
        match stage.action:
            case PutDocuments() as action:
                parts.append(_put(stage, action, place))
            case DefineJobs() as action:
                (definition,) = action.definitions.values()
                job_name = definition.name
                parts.append(_register(stage, definition, place))
            case JobAction() as action:
                parts.append(_submit(stage, action, ends, place, job_name))
                parts.extend(_deregister(each, place) for each in ends)
            case ReadObject() as action:
                parts.append(_read(stage, action, place))
            case InvokeFunction() as action:
                parts.append(_invoke(stage, action, place))
            case TellJob():
                parts.append(_tell(stage, place))
            case DeregisterJobs():
                continue  # it stands behind its job
            case other:
                raise AssertionError(other)
    return chain(*parts)


def retried(row: RetryRow | None, errors: tuple[str, ...]) -> dict[str, Any]:
    """Return the retry of a call, by its row of the table."""
    if row is None:
        return {}
    told: State = {
        "ErrorEquals": list(errors),
        "IntervalSeconds": int(row.first_wait_seconds),
        "MaxAttempts": row.tries,
        "BackoffRate": row.backoff,
    }
    return {"Retry": [told | ({"JitterStrategy": "FULL"} if row.has_full_jitter else {})]}


def _put(stage: StagePlan, action: PutDocuments, place: Place) -> Part:
    ((uri, text),) = action.documents.items()
    told = {**_object(uri), "Body": text}
    path = at("taskResult", "put")
    return _task(stage, place, "aws-sdk:s3:putObject", told, S3_ERRORS, ResultPath=path)


def _read(stage: StagePlan, action: ReadObject, place: Place) -> Part:
    return _task(
        stage,
        place,
        "aws-sdk:s3:getObject",
        _object(action.uri),
        S3_ERRORS,
        ResultSelector={"response.$": "States.StringToJson($.Body)"},
        OutputPath="$.response",
    )


def _register(stage: StagePlan, definition: JobDefinition, place: Place) -> Part:
    if definition.secrets:
        raise InvalidRequest(
            "a definition with secrets needs an execution role, which is the deployment's",
            field="secrets",
            mend="name a job_definition that is there",
        )
    least = {"MEMORY": LEAST_MEMORY_MIB, "VCPU": LEAST_VCPUS}
    asked = least | {each["type"]: each["value"] for each in definition.resource_requirements}
    container = {
        "Image": definition.image,
        "Command": list(definition.command),
        "ResourceRequirements": _amounts(asked, place),
        "MountPoints": pascal(definition.mount_points),
        "Volumes": pascal(definition.volumes),
        "Privileged": definition.privileged,
        **({"JobRoleArn": definition.job_role_arn} if definition.job_role_arn else {}),
    }
    told = {
        "JobDefinitionName": definition.name,
        "Type": "container",
        "ContainerProperties": container,
        **({"RetryStrategy": pascal(definition.retry_strategy)} if definition.retry_strategy else {}),
        **({"Tags": definition.tags} if definition.tags else {}),
    }
    more = {"ResultSelector": fields({name: at(name) for name in _DEFINITION})}
    call, path = "aws-sdk:batch:registerJobDefinition", at(*REGISTERED)
    return _task(stage, place, call, told, BATCH_ERRORS, **more, ResultPath=path)


def _submit(
    stage: StagePlan, job: JobAction, ends: list[StagePlan], place: Place, job_name: str
) -> Part:
    _check_queue(job.queue, place)
    overrides = {
        "Environment": environment_pairs(job.environment),
        "ResourceRequirements": _amounts(
            {each["type"]: each["value"] for each in job.resource_requirements}, place
        ),
        **({} if job.command is None else {"Command": list(job.command)}),
    }
    told = {
        "JobName": job_name,
        "JobQueue": job.queue,
        "JobDefinition": at(*REGISTERED, "JobDefinitionArn") if ends else job.definition,
        "ContainerOverrides": overrides,
        **({"Parameters": job.parameters} if job.parameters else {}),
        **({"Tags": job.tags, "PropagateTags": True} if job.tags else {}),
    }
    failing = _failing(ends, place) if ends else None
    catch = [{"ErrorEquals": [ANY_ERROR], "ResultPath": at(*SUBMITTED), "Next": failing.start}] if (
        failing
    ) else []  # fmt: skip
    part = _task(
        stage,
        place,
        "batch:submitJob.sync",
        told,
        BATCH_ERRORS,
        ResultSelector=fields({name: at(name) for name in _JOB}),
        ResultPath=at(*SUBMITTED),
        **({"Catch": catch} if catch else {}),
    )
    return part._replace(states={**part.states, **(failing.states if failing else {})})


def _failing(ends: list[StagePlan], place: Place) -> Part:
    """Whatever becomes of the deregistration, the job's own failure is the one that is told."""
    fail = single(
        place.name("failed"),
        {"Type": "Fail", "ErrorPath": at(*SUBMITTED, "Error"), "CausePath": at(*SUBMITTED, "Cause")},
    )
    return chain(*(_deregister(each, place, "-after-failure") for each in ends), fail)


def _deregister(stage: StagePlan, place: Place, end: str = "") -> Part:
    """A failure changes nothing: the Catch leads on, as the state itself does."""
    told = {"JobDefinition": at(*REGISTERED, "JobDefinitionArn")}
    named = stage.model_copy(update={"name": f"{stage.name}{end}"})
    call = "aws-sdk:batch:deregisterJobDefinition"
    part = _task(named, place, call, told, BATCH_ERRORS, ResultPath=None)
    left = single(place.name(f"{named.name}-done"), {"Type": "Pass"})
    (state,) = part.states.values()
    catch = [{"ErrorEquals": [ANY_ERROR], "ResultPath": None, "Next": left.start}]
    return chain(Part(part.start, {part.start: {**state, "Catch": catch}}), left)


def _tell(stage: StagePlan, place: Place) -> Part:
    return single(place.name(stage.name), {"Type": "Pass", "OutputPath": at(*SUBMITTED)})


def _invoke(stage: StagePlan, action: InvokeFunction, place: Place) -> Part:
    told = {"FunctionName": action.function, "Payload": PAYLOAD}
    more = {"ResultSelector": {"answer.$": "$.Payload"}, "OutputPath": "$.answer"}
    return _task(stage, place, "lambda:invoke", told, LAMBDA_ERRORS, **more)


def _task(  # noqa: PLR0913, PLR0917 -- what a task consists of
    stage: StagePlan,
    place: Place,
    call: str,
    told: dict[str, Any],
    errors: tuple[str, ...],
    **more: Any,
) -> Part:
    state: State = {
        "Type": "Task",
        "Resource": place.resource(call),
        "Parameters": fields(_written(told, place)),
        **more,
        **retried(stage.retry, errors),
    }
    if stage.timeout_seconds is not None:
        state["TimeoutSeconds"] = stage.timeout_seconds
    return single(place.name(stage.name), state)


def _written(told: dict[str, Any], place: Place) -> dict[str, Any]:
    """What is an expression already is none of a mark's."""
    return {
        name: value if isinstance(value, Expression) else place.marks.written(value)
        for name, value in told.items()
    }


def _object(uri: str) -> dict[str, str]:
    bucket, key = parse_object(uri)
    return {"Bucket": bucket, "Key": key}


def _amounts(asked: dict[str, str], place: Place) -> list[dict[str, str]]:
    return [
        {"Type": kind, "Value": place.marks.as_text(asked[kind])} for kind in sorted(asked)
    ]


def _check_queue(queue: str, place: Place) -> None:
    if queue in place.site.fair_share_queues:
        raise InvalidRequest(
            f"the queue {queue!r:.100} has a fair share policy, and Step Functions names no share",
            field="job_queue",
            value=queue,
            mend="name a queue without one",
        )


