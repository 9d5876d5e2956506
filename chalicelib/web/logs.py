"""The log of a Lambda: one JSON object a line, with the ids by which one event's lines are found.

Every module logs through the standard library. In Lambda the root logger's handlers get
powertools' formatter, and the middleware says what is in hand (``log_ids``), so that every line
that is written meanwhile, a library's too, has ``event_id``, ``correlation_id`` and, where it is
about one, ``run_id``. What came in is never logged: it may hold what nobody should read.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from chalice.app import Request

from chalicelib import bootstrap
from chalicelib.aws.inbound import ids_of
from chalicelib.log_ids import about, ids

log = logging.getLogger(__name__)


def with_ids(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Middleware for every handler: log with the event's ids, and log what it fails of."""
    if not bootstrap.settings().in_lambda:
        return get_response(event)
    _shape_lines()
    with about(**_ids(event)):
        try:
            return get_response(event)
        except Exception:
            log.exception("the event could not be handled")
            raise


@cache
def _shape_lines() -> None:
    """Lambda's own handler is kept, for it frames the lines; there is one unless in a test."""
    from aws_lambda_powertools.logging.formatter import (  # noqa: PLC0415 -- in Lambda only
        LambdaPowertoolsFormatter,
    )

    formatter = LambdaPowertoolsFormatter(utc=True)
    formatter.append_keys(service="falsework")
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stdout))
    for handler in root.handlers:
        handler.setFormatter(formatter)
        handler.addFilter(_has_ids)
    root.setLevel(logging.INFO)
    logging.getLogger("botocore").setLevel(logging.WARNING)


def _has_ids(record: logging.LogRecord) -> bool:
    """Put the ids into the line, but for those that its writer knew better; let it pass."""
    for name, text in ids().items():
        if not hasattr(record, name):
            setattr(record, name, text)
    return True


def _ids(event: Any) -> dict[str, str]:
    if isinstance(event, Request):
        request_id = str(event.context.get("requestId", ""))
        run_id = str((event.uri_params or {}).get("run_id", ""))
        told = {"event_id": request_id, "run_id": run_id}
        context = event.lambda_context
    else:
        told, context = ids_of(event.to_dict()), event.context
    invocation = str(getattr(context, "aws_request_id", ""))
    return {"correlation_id": told["event_id"], **told, "function_request_id": invocation}
