"""The operations of the Step Functions constructs, each as a stage (sections 3.3, 3.4 and 4.7).

::

    put_object put_payload     an object is there                        {"Bucket", "Key"}
    get_object get_payload     what it says                              {"Body"}, or its JSON
    register                   definitions are found, or registered      {key: ARN}
    submit                     a job has ended well                      {"exit_code"}
    deregister                 definitions are taken back, at the end    {}
    invoke                     a function has answered                   its answer

Larger plans are put together from these. All but the job have the row of section 1 by which a
call is made again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import JsonValue

from chalicelib.core.object_names import parse_object
from chalicelib.core.plans.function_actions import DeregisterJobs, InvokeFunction, ReadObject
from chalicelib.core.plans.plan import (
    DefineJobs,
    JobAction,
    JobDefinition,
    PutDocuments,
    StagePlan,
)
from chalicelib.core.states.retries import BATCH_RETRY, LAMBDA_RETRY, S3_RETRY

After = Sequence[str]
"""The stages that must be done before."""


def put_object(name: str, uri: str, body: JsonValue, after: After = ()) -> StagePlan:
    """Put a text as it is, and anything else as JSON."""
    bucket, key = parse_object(uri)
    text = body if isinstance(body, str) else json.dumps(body)
    action = PutDocuments(documents={uri: text}, result={"Bucket": bucket, "Key": key})
    return StagePlan(name=name, action=action, after=tuple(after), retry=S3_RETRY)


put_payload = put_object
"""The same; where the payload goes is said by ``states.objects.exchange``."""


def get_object(name: str, uri: str, after: After = (), *, written_by: str = "") -> StagePlan:
    """Read a text."""
    action = ReadObject(uri=uri, is_json=False, written_by=written_by)
    return StagePlan(name=name, action=action, after=tuple(after), retry=S3_RETRY)


def get_payload(name: str, uri: str, after: After = (), *, written_by: str = "") -> StagePlan:
    """Read a JSON value, which stage ``written_by`` should have left there."""
    action = ReadObject(uri=uri, written_by=written_by)
    return StagePlan(name=name, action=action, after=tuple(after), retry=S3_RETRY)


def register(name: str, definitions: dict[str, JobDefinition], after: After = ()) -> StagePlan:
    """Define jobs that a ``deregister`` takes back: a run that goes on defines them anew."""
    action = DefineJobs(definitions=definitions)
    return StagePlan(
        name=name, action=action, after=tuple(after), has_files=True, retry=BATCH_RETRY
    )


def submit(
    name: str, job: JobAction, after: After = (), *, timeout_seconds: int | None = None
) -> StagePlan:
    """Run a job; its failures are the engine's to try again."""
    return StagePlan(name=name, action=job, after=tuple(after), timeout_seconds=timeout_seconds)


def deregister(name: str, keys: Sequence[str], after: After = ()) -> StagePlan:
    """Take definitions back, however the run has ended; that this fails does not change how.

    The plan's ``clean_up`` has to be ALWAYS.
    """
    return StagePlan(
        name=name,
        action=DeregisterJobs(definitions=tuple(keys)),
        after=tuple(after),
        is_closing=True,
        retry=BATCH_RETRY,
    )


def invoke(
    name: str,
    function: str,
    payload: JsonValue,
    after: After = (),
    *,
    timeout_seconds: int | None = None,
) -> StagePlan:
    """Call a function."""
    return StagePlan(
        name=name,
        action=InvokeFunction(function=function, payload=json.dumps(payload)),
        after=tuple(after),
        timeout_seconds=timeout_seconds,
        retry=LAMBDA_RETRY,
    )
