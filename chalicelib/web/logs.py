"""The log of a Lambda: one JSON object a line, with the ids by which one event's lines are found.

Every module logs through the standard library. In Lambda the root logger's handlers get
powertools' formatter, and the middleware puts the event's id, and what it is about, into every
line written meanwhile. What came in is never logged: it may hold what nobody should read.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from chalice.app import Request

from chalicelib import bootstrap
from chalicelib.aws.inbound import ids_of

if TYPE_CHECKING:  # imported in Lambda only, where it writes
    from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

log = logging.getLogger(__name__)


def with_ids(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Middleware for every handler: log with the event's ids, and log what it fails of."""
    if not bootstrap.settings().in_lambda:
        return get_response(event)
    with _formatter().append_context_keys(**_ids(event)):
        try:
            return get_response(event)
        except Exception:
            log.exception("the event could not be handled")
            raise


@cache
def _formatter() -> LambdaPowertoolsFormatter:
    """Lambda's own handler is kept, for it frames the lines; there is one unless in a test."""
    from aws_lambda_powertools.logging.formatter import (  # noqa: PLC0415  (see above)
        LambdaPowertoolsFormatter,
    )

    formatter = LambdaPowertoolsFormatter(utc=True)
    formatter.append_keys(service="falsework")
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stdout))
    for handler in root.handlers:
        handler.setFormatter(formatter)
    root.setLevel(logging.INFO)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return formatter


def _ids(event: Any) -> dict[str, str]:
    if isinstance(event, Request):
        return {"event_id": str(event.context.get("requestId", ""))}
    invocation = str(getattr(event.context, "aws_request_id", ""))
    return {**ids_of(event.to_dict()), "function_request_id": invocation}
