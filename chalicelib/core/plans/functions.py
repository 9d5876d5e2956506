"""The plans of functions' runs: a handler's or an executor's job, or a Lambda function's call."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from chalicelib.core.demand.overrides import check_room
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import Forbidden, InvalidRequest
from chalicelib.core.function_requests import (
    REFERENCES,
    BatchExecutorRequest,
    BatchLambdaRequest,
    LambdaFunctionRequest,
)
from chalicelib.core.kind_submissions import KindSubmission
from chalicelib.core.object_names import parse_object
from chalicelib.core.options import check_options
from chalicelib.core.plans.batch_invoked import (
    CLOSING,
    INVOKE,
    STAGES,
    Invocation,
    batch_invoked,
    place_of,
    variables,
)
from chalicelib.core.plans.operations import invoke
from chalicelib.core.plans.plan import CleanUpPolicy, Plan, StagePlan
from chalicelib.core.site import Site
from chalicelib.core.states.batch_forms import mounted, requirements
from chalicelib.core.states.intrinsics import Scope
from chalicelib.core.states.paths import read
from chalicelib.core.states.room import Room
from chalicelib.core.states.templates import resolved


def plan_job(
    submission: KindSubmission, call: Invocation, run_id: str, uid: str, site: Site
) -> Plan:
    """Return the plan of a handler's or an executor's job. Raises InvalidRequest."""
    check_options(submission.options, STAGES, CLOSING)
    _check(call, run_id, uid, site)
    return kind_plan(submission, batch_invoked(call, run_id, uid, site), site)


def plan_call(submission: KindSubmission, site: Site) -> Plan:
    """Return the plan of a Lambda function's call. Raises InvalidRequest, Forbidden."""
    check_options(submission.options, (INVOKE,), ())
    request = submission.request
    assert isinstance(request, LambdaFunctionRequest)  # noqa: S101 -- by its kind
    check_function(request.function_name, site)
    timeout = submission.options.stage_timeout(INVOKE)
    payload = _payload(request.payload, request.payload_path)
    stage = invoke(INVOKE, request.function_name, payload, timeout_seconds=timeout)
    return kind_plan(submission, (stage,), site)


def check_function(name: str, site: Site) -> None:
    """Raise Forbidden for a function that the site does not let runs call."""
    if not name.startswith(site.allowed_functions):
        raise Forbidden(
            "the site does not let runs call this function",
            field="function_name",
            value=name,
            mend="name one that begins with one of the site's allowed_functions",
        )


def invocation(submission: KindSubmission, run_id: str) -> Invocation:
    """Return what is to be run, every reference looked up. Raises InvalidRequest."""
    request, options = submission.request, submission.options
    assert isinstance(request, BatchLambdaRequest | BatchExecutorRequest)  # noqa: S101 -- by kind
    fields = _looked_up(request, run_id)
    points, volumes = mounted(request.mount_point_configs)
    return Invocation(
        name=request.name,
        image=fields["image"],
        handler=fields.get("handler"),
        executor=fields.get("executor"),
        payload=_payload(request.payload, request.payload_path),
        queue=fields["job_queue"],
        bucket=fields["bucket_name"],
        key_prefix=request.key_prefix,
        command=request.command if isinstance(request, BatchLambdaRequest) else (),
        environment=fields["environment"],
        resource_requirements=requirements(request.memory, request.vcpus, request.gpu),
        mount_points=points or request.mount_points,
        volumes=volumes or request.volumes,
        job_role_arn=request.job_role_arn,
        fallback_queue=options.fallback_job_queue_name,
        timeout_seconds=options.stage_timeout(INVOKE),
    )


def _looked_up(request: BatchLambdaRequest | BatchExecutorRequest, run_id: str) -> dict[str, Any]:
    """Models are checked again with what was found: it may be anything."""
    scope = Scope(request.payload, {"Execution": {"Name": run_id}}, room=Room())
    found: dict[str, JsonValue] = {}
    for name in REFERENCES:
        if name in type(request).model_fields:
            with at_field(name):
                given = getattr(request, name)
                found[name] = resolved(given, scope) if isinstance(given, str) else given
    checked = type(request).parse({**request.to_wire(), "payload": None, **found})
    told = {name: getattr(checked, name) for name in found}
    if isinstance(told["environment"], str):
        raise InvalidRequest(
            "the environment is a text",
            field="environment",
            value=shortened(told["environment"]),
            mend="give an object of names and values, or a reference to one",
        )
    return told


def _payload(payload: JsonValue, path: str) -> JsonValue:
    with at_field("payload_path"):
        return read(payload, path)


def _check(call: Invocation, run_id: str, uid: str, site: Site) -> None:
    """What could only fail later, when a definition has been registered or a job has run."""
    place = place_of(call, run_id, uid)
    with at_field("bucket_name"):
        parse_object(f"s3://{call.bucket}/key")
    with at_field("key_prefix"):
        parse_object(place.request)
    check_room(
        variables(call, place, site),
        [(each["type"], each["value"]) for each in call.resource_requirements],
        field="environment",
        mend="set fewer or shorter variables, or put them into the payload",
    )


def kind_plan(submission: KindSubmission, stages: tuple[StagePlan, ...], site: Site) -> Plan:
    """Return the plan of these stages, its limits and its digest the submission's; the stages
    that close it run however it ends."""
    return Plan(
        stages=stages,
        request=submission.document(),
        request_digest=submission.digest(),
        clean_up=CleanUpPolicy.ALWAYS,
        job_name_prefix=site.prefix,
        submit_grace_seconds=site.submit_grace_seconds,
        check_seconds=site.check_seconds,
        **submission.options.limits(),
    )
