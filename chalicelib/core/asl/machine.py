"""The way in: a document of any kind of run becomes a state machine.

The execution's input may be ``{}``, and then is what the document says, or ``{"input": …}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.asl.expressions import Expression, Marks, at, rebased
from chalicelib.core.asl.parts import (
    ANY_ERROR,
    Names,
    Part,
    Place,
    State,
    chain,
    closed,
    either,
    passing,
    single,
)
from chalicelib.core.asl.runs import KINDS
from chalicelib.core.asl.stages import nested, pipeline_part
from chalicelib.core.documents import parse_document, shortened
from chalicelib.core.errors import InvalidRequest, TooLarge
from chalicelib.core.function_requests import (
    BATCH_EXECUTOR,
    BATCH_LAMBDA,
    LAMBDA_FUNCTION,
    REFERENCES,
)
from chalicelib.core.kind_submissions import kind_of, split_document
from chalicelib.core.limits import STATES_DEFINITION_BYTES
from chalicelib.core.options import RUN, Options, check_options
from chalicelib.core.pipelines.checks import check_pipeline
from chalicelib.core.pipelines.model import KIND, Pipeline
from chalicelib.core.pipelines.references import found_in
from chalicelib.core.plans.demand_execution import KIND as DEMAND
from chalicelib.core.plans.plan import RetryPolicy
from chalicelib.core.site import Site
from chalicelib.core.states.paths import ROOT, is_reference

_UNSAID: Final = (
    "cleanup", "privileged", "secrets", "queue_wait_timeout_seconds", "fallback_job_queue_name",
    "notify",
)  # fmt: skip
"""Options that a state machine has no words for."""
_WITH_PAYLOADS: Final = (BATCH_LAMBDA, BATCH_EXECUTOR, LAMBDA_FUNCTION)


def state_machine(document: object, site: Site) -> dict[str, JsonValue]:
    """Return the state machine of a pipeline, or of one run of another kind.

    Raises InvalidRequest, naming the stage, for what is no request, and for what cannot be said.
    """
    kind = kind_of(document) or DEMAND
    whole, options = _pipeline_of(kind, document)
    pipeline = parse_document(Pipeline, whole)
    check_pipeline(pipeline, KINDS)
    check_options(options, [stage.name for stage in pipeline.stages], ())
    text = json.dumps(document, sort_keys=True)
    place = Place(Names(), Marks(text), site, nested, retry=_retries(options))
    part = chain(_begun(pipeline, options, place), pipeline_part(pipeline, options, place))
    named = f" {pipeline.name}" if pipeline.name else ""
    machine = {"Comment": f"{kind}{named}, written by Falsework", **closed(part)}
    seconds = options.stage_timeout(RUN)
    if seconds is not None:
        machine["TimeoutSeconds"] = seconds
    _check_size(machine)
    return machine


def _pipeline_of(kind: str, document: object) -> tuple[dict[str, Any], Options]:
    """Return the pipeline that the document is, or whose one stage it is."""
    if kind not in KINDS:
        raise InvalidRequest(
            f"there is no kind {kind!r:.100}",
            field="kind",
            value=shortened(kind),
            mend=f"name one of {', '.join(sorted(KINDS))}",
        )
    given = document.get("options") if isinstance(document, Mapping) else None
    options = parse_document(Options, given if given is not None else {})
    _check_options(options)
    rest = {k: v for k, v in document.items() if k != "options"} if isinstance(document, Mapping) else document  # fmt: skip  # noqa: E501
    body, _, _ = split_document(rest, "what is exported")
    if kind == KIND:
        return body, options
    body.pop("kind", None)
    has_payload = kind in _WITH_PAYLOADS and "payload" in body
    apart = ("payload", "payload_path", *REFERENCES) if has_payload else ()
    _check_texts({key: value for key, value in body.items() if key not in apart})
    request = _function(body) if has_payload else body
    stages: list[Any] = [{"name": kind, "kind": kind, "request": request}]
    return {"input": body["payload"] if has_payload else None, "stages": stages}, options


def _check_texts(body: dict[str, Any]) -> None:
    """Alone, such a text would be itself; as a stage it would be looked up."""
    for field, text in found_in(body, ""):
        raise InvalidRequest(
            "a text that begins like this is a reference to a state machine",
            field=field.strip("."),
            value=shortened(text),
            mend="make it a stage of a pipeline, with the text in the pipeline's input",
        )


def _function(body: dict[str, Any]) -> dict[str, Any]:
    """Return the request with its references, which are to the payload, to the input instead."""
    found = {key: value for key, value in body.items() if key != "payload_path"}
    for name in REFERENCES:
        if is_reference(found.get(name)):
            found[name] = rebased(found[name], "$.input")
    return found | {"payload": rebased(body.get("payload_path", ROOT), "$.input")}


def _begun(pipeline: Pipeline, options: Options, place: Place) -> Part:
    """Return the first states: the document that all others see."""
    rule = {"Variable": at("input"), "IsPresent": True}
    given = single(place.name("given-input"), {"Type": "Pass"})
    told = {"Type": "Pass", "Result": pipeline.input, "ResultPath": at("input")}
    own = single(place.name("own-input"), told)
    document = {
        "input": at("input"),
        "stages": {},
        "run": {"id": Expression("$$.Execution.Name"), "group": options.group},
    }
    begin = passing(place.name("begin"), document, "$")
    return chain(either(place.name("is-input-given"), rule, given, own), begin)


def _check_options(options: Options) -> None:
    for name in _UNSAID:
        value = getattr(options, name)
        if value:
            raise InvalidRequest(
                f"a state machine has no {name}",
                field=f"options.{name}",
                value=shortened(value),
                mend="leave it out: the machine's owner sees to it on AWS",
            )
    if options.policy is RetryPolicy.GLOBAL:
        raise InvalidRequest(
            "Step Functions counts the attempts of each state, not those of all together",
            field="options.retry_policy",
            value=options.policy.value,
            mend="take the retry policy STAGE",
        )


def _retries(options: Options) -> tuple[State, ...]:
    """The pause of our own runs: up to a second, doubled up to a minute."""
    more = options.limits()["max_attempts"] - 1
    if options.policy is not RetryPolicy.STAGE or not more:
        return ()
    pause = {"IntervalSeconds": 1, "BackoffRate": 2.0, "MaxDelaySeconds": 60}
    retry = {"ErrorEquals": [ANY_ERROR], "MaxAttempts": more, **pause, "JitterStrategy": "FULL"}
    return (retry,)


def _check_size(machine: Mapping[str, JsonValue]) -> None:
    size = len(json.dumps(machine).encode())
    if size > STATES_DEFINITION_BYTES:
        raise TooLarge(
            f"the state machine has {size} bytes, and Step Functions takes"
            f" {STATES_DEFINITION_BYTES}",
            field="stages",
            value=size,
            mend="divide the pipeline",
        )
