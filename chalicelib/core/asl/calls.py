"""Calls of services as Task states, each with the row by which it is made again (section 1).

What the first state of a run, of ``jobs``, has looked up is at ``$.taskResult.prep``; what the
calls return comes to lie beside it.
"""

from __future__ import annotations

from typing import Any, Final

from chalicelib.core.asl.expressions import at, fields
from chalicelib.core.asl.parts import Part, Place, State, single
from chalicelib.core.plans.plan import StagePlan
from chalicelib.core.states.retries import RetryRow

PREP: Final = ("taskResult", "prep")
PAYLOAD: Final = at(*PREP, "payload")
TASK_ID: Final = at(*PREP, "task_id")
REGISTERED: Final = ("taskResult", "register")
SUBMITTED: Final = ("taskResult", "submit")
S3_ERRORS: Final = ("S3.S3Exception",)
BATCH_ERRORS: Final = ("Batch.BatchException",)
LAMBDA_ERRORS: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
)


def task(
    stage: StagePlan,
    place: Place,
    call: str,
    told: dict[str, Any],
    errors: tuple[str, ...],
    **more: Any,
) -> Part:
    """Return the part of a stage that is one call; ``more`` are the state's other fields."""
    state: State = {
        "Type": "Task",
        "Resource": place.resource(call),
        "Parameters": fields(place.marks.written(told)),
        **more,
        **retried(stage.retry, errors),
    }
    if stage.timeout_seconds is not None:
        state["TimeoutSeconds"] = stage.timeout_seconds
    return single(place.name(stage.name), state)


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
