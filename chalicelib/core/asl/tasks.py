"""The stages of a plan as states, one for each: the same objects, calls, variables and retries.

::

    put-request ─▶ define-job ─▶ invoke ─▶ deregister ─▶ read-response
"""

from __future__ import annotations

from chalicelib.core.asl.batch_calls import deregister, register, submit
from chalicelib.core.asl.calls import LAMBDA_ERRORS, PAYLOAD, S3_ERRORS, SUBMITTED, task
from chalicelib.core.asl.expressions import at
from chalicelib.core.asl.parts import Part, Place, chain, single
from chalicelib.core.object_names import parse_object
from chalicelib.core.plans.function_actions import (
    DeregisterJobs,
    InvokeFunction,
    ReadObject,
    TellJob,
)
from chalicelib.core.plans.plan import DefineJobs, JobAction, Plan, PutDocuments, StagePlan


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
                parts.append(register(stage, definition, place))
            case JobAction() as action:
                parts.append(submit(stage, action, ends, place, job_name))
                parts.extend(deregister(each, place) for each in ends)
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


def _put(stage: StagePlan, action: PutDocuments, place: Place) -> Part:
    ((uri, text),) = action.documents.items()
    told = {**_object(uri), "Body": text}
    path = at("taskResult", "put")
    return task(stage, place, "aws-sdk:s3:putObject", told, S3_ERRORS, ResultPath=path)


def _read(stage: StagePlan, action: ReadObject, place: Place) -> Part:
    return task(
        stage,
        place,
        "aws-sdk:s3:getObject",
        _object(action.uri),
        S3_ERRORS,
        ResultSelector={"response.$": "States.StringToJson($.Body)"},
        OutputPath="$.response",
    )


def _tell(stage: StagePlan, place: Place) -> Part:
    return single(place.name(stage.name), {"Type": "Pass", "OutputPath": at(*SUBMITTED)})


def _invoke(stage: StagePlan, action: InvokeFunction, place: Place) -> Part:
    told = {"FunctionName": action.function, "Payload": PAYLOAD}
    more = {"ResultSelector": {"answer.$": "$.Payload"}, "OutputPath": "$.answer"}
    return task(stage, place, "lambda:invoke", told, LAMBDA_ERRORS, **more)


def _object(uri: str) -> dict[str, str]:
    bucket, key = parse_object(uri)
    return {"Bucket": bucket, "Key": key}
