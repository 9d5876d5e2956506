"""Functions and jobs as parts: what their own builders plan, with what is known only later marked.

The first state of each looks up, once, what the request refers to::

    $.taskResult.prep = {"task_id": UUID, "payload": …, "given": {field: …}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.asl import tasks
from chalicelib.core.asl.batch_calls import submit_prepared
from chalicelib.core.asl.calls import PAYLOAD, PREP, TASK_ID
from chalicelib.core.asl.expressions import Expression, at, looked_up
from chalicelib.core.asl.parts import Part, Place, chain, either, passing
from chalicelib.core.batch_job_requests import KIND as BATCH_JOB
from chalicelib.core.batch_job_requests import BatchJobRequest, parse_batch_job
from chalicelib.core.demand.batch_args import forbidden_privilege
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.function_requests import (
    BATCH_EXECUTOR,
    BATCH_LAMBDA,
    LAMBDA_FUNCTION,
    parse_function_request,
)
from chalicelib.core.kind_submissions import KindSubmission
from chalicelib.core.options import Options
from chalicelib.core.pipelines.references import has_references
from chalicelib.core.plans.batch_invoked import INVOKE, Invocation
from chalicelib.core.plans.batch_jobs import SUBMIT, own_definition, plan_batch_job
from chalicelib.core.plans.functions import invocation, plan_call, plan_job
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.run_values import is_reference
from chalicelib.core.states.objects import definition_name, task_id
from chalicelib.core.states.templates import SUFFIX

LATER: Final = {
    "image", "handler", "executor", "job_queue", "bucket_name", "environment", "command", "memory",
    "vcpus", "gpu", "job_role_arn", "parameters", "tags", "job_name", "function_name",
    "job_definition",
}  # fmt: skip
"""What of a request may be known only when it runs. The rest decides which states there are."""
_UID_CHARACTERS: Final = 36
_TEXT: Final = at("taskResult", "body", "text")


class _Given:
    """The values of a request that are looked up by its first state."""

    def __init__(self, place: Place) -> None:
        self.values: dict[str, Expression] = {}
        self._place = place

    def filled(self, request: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Return the request, marks in the place of references. Raises InvalidRequest."""
        found: dict[str, Any] = {}
        for key, value in request.items():
            name = key.removesuffix(SUFFIX) if is_reference(value) else key
            if name not in LATER and has_references(value):
                raise InvalidRequest(
                    f"{name} decides which states there are, and so must be known before",
                    field=name,
                    value=shortened(value),
                    mend="write the value itself",
                )
            found[name] = self._marked(name, value)
        return found

    def _marked(self, name: str, value: JsonValue) -> Any:
        match value:
            case str() if is_reference(value):
                key = f"{name}_{len(self.values)}"
                self.values[key] = Expression(value)
                return self._place.marks.mark(at(*PREP, "given", key))
            case dict():
                return {
                    (key.removesuffix(SUFFIX) if is_reference(each) else key): self._marked(
                        key.removesuffix(SUFFIX), each
                    )
                    for key, each in value.items()
                }
            case list():
                return [self._marked(name, each) for each in value]
            case _:
                return value


def function(
    kind: str, request: Mapping[str, JsonValue], place: Place, seconds: int | None
) -> Part:
    """Return the part of a handler's or an executor's job. Raises InvalidRequest."""
    given = _Given(place)
    template = {key: value for key, value in request.items() if key != "payload"}
    filled = given.filled(template)
    if "payload" in request:
        filled["payload"] = place.marks.mark(body_of(request["payload"]))
    run = place.marks.mark("$$.Execution.Name")
    submission = _limited(parse_function_request(kind, filled, place.site), INVOKE, seconds)
    call = invocation(submission, run)
    return invoked(call, submission, looked_up(request["payload"]), place, run, given.values)


def invoked(  # noqa: PLR0913, PLR0917 -- all that a part is made of
    call: Invocation,
    submission: KindSubmission,
    payload: Any,
    place: Place,
    run: str,
    given: Mapping[str, Expression],
) -> Part:
    """Return the part of a call; its payload is a template, a mark in the call's own."""
    uid = place.marks.mark(TASK_ID, _UID_CHARACTERS)
    place.marks.let(task_id(uid, INVOKE), TASK_ID)
    plan = plan_job(submission, call, run, uid, place.site)
    parts = [_prep(payload, place, given), *_as_text(payload, place)]
    return chain(*parts, tasks.of_plan(plan, place, job_name=""))


def called(request: Mapping[str, JsonValue], place: Place, seconds: int | None) -> Part:
    """Return the part of a Lambda function's call. What may be called, its role says."""
    given = _Given(place)
    payload = request.get("payload", {})
    filled = given.filled({key: value for key, value in request.items() if key != "payload"})
    parsed = parse_function_request(LAMBDA_FUNCTION, filled, place.site)
    submission = _limited(parsed, INVOKE, seconds)
    plan = plan_call(submission, place.site.model_copy(update={"allowed_functions": ("",)}))
    first = _prep(looked_up(payload), place, given.values)
    return chain(first, tasks.of_plan(plan, place, job_name=""))


def job(request: Mapping[str, JsonValue], place: Place, seconds: int | None) -> Part:
    """Return the part of a Batch job. Raises InvalidRequest, Forbidden."""
    given = _Given(place)
    submission = parse_batch_job(given.filled(request), place.site)
    submission = _limited(submission, SUBMIT, seconds)
    asked = submission.request
    assert isinstance(asked, BatchJobRequest)  # noqa: S101 -- by its kind
    if asked.privileged and not place.site.allow_privileged:
        raise forbidden_privilege("privileged")
    uid = place.marks.mark(TASK_ID, _UID_CHARACTERS)
    name = definition_name(place.site.env_base, asked.name, uid)
    own = own_definition(asked, uid, place.site)
    there = JobDefinition(name=name, image="")
    plan = plan_batch_job(submission, own or there, asked.job_definition, place.site)
    first = _prep(None, place, given.values)
    return chain(first, tasks.of_plan(plan, place, job_name=name))


def prepared(reference: str, place: Place, seconds: int | None) -> Part:
    """Return the part of a Batch job whose request is what a definition's making has answered."""
    first = _prep(Expression(reference), place, {})
    limit: dict[str, Any] = {} if seconds is None else {"TimeoutSeconds": seconds}
    return chain(first, submit_prepared(SUBMIT, (*PREP, "payload"), place, **limit))


def _prep(payload: Any, place: Place, given: Mapping[str, Expression]) -> Part:
    told: dict[str, Any] = {"task_id": Expression("States.UUID()"), "payload": payload}
    if given:
        told["given"] = dict(given)
    return passing(place.name("prepare"), told, at(*PREP))


def _as_text(payload: Any, place: Place) -> tuple[Part, ...]:
    """A text becomes the object as it is, anything else as JSON: which, may be seen only then."""
    if not isinstance(payload, Expression):
        return ()
    rule = {"Variable": PAYLOAD, "IsString": True}
    path = at("taskResult", "body")
    text = passing(place.name("request-text"), {"text": PAYLOAD}, path)
    call = Expression(f"States.JsonToString({PAYLOAD})")
    other = passing(place.name("request-json"), {"text": call}, path)
    return (either(place.name("request-form"), rule, text, other),)


def body_of(payload: JsonValue) -> str:
    """Return what is put for a payload, whose template this is."""
    if is_reference(payload):
        return _TEXT
    return PAYLOAD if isinstance(payload, str) else f"States.JsonToString({PAYLOAD})"


def _limited(submission: KindSubmission, stage: str, seconds: int | None) -> KindSubmission:
    if submission.options != Options(group=submission.options.group):
        raise InvalidRequest(
            "the options of a stage's own run are nothing that Step Functions knows",
            field="options",
            value=shortened(json.dumps(submission.options.model_dump(mode="json"))),
            mend="leave them out, or set the stage's timeout_seconds",
        )
    if seconds is None:
        return submission
    return submission._replace(options=Options(timeout_seconds={stage: seconds}))


KINDS: Final = {
    BATCH_LAMBDA: lambda *given: function(BATCH_LAMBDA, *given),
    BATCH_EXECUTOR: lambda *given: function(BATCH_EXECUTOR, *given),
    LAMBDA_FUNCTION: called,
    BATCH_JOB: job,
}
"""Kind → the part of a request of it."""
