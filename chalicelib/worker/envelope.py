"""Handlers called by name: from a Lambda's event, or as a Batch job from its environment.

::

    {"handler": "<module.function>", "event": {…}}         a Lambda that has many handlers

    AWS_LAMBDA_FUNCTION_HANDLER (or _HANDLER)              a Batch job that has one; without it,
    AWS_LAMBDA_EVENT_PAYLOAD: JSON, s3://…, or a file      the payload is an envelope as above
    AWS_LAMBDA_EVENT_RESPONSE_LOCATION: s3://…, or a file

(Section 13 of the demand wire format.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from chalicelib import bootstrap, settings
from chalicelib.atomic_files import write_atomically
from chalicelib.carriers import Carrier
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.core.json_text import read_object
from chalicelib.worker.handlers import resolve


class Context(NamedTuple):
    """What a handler may ask of a Lambda's context, where there is no Lambda."""

    function_name: str
    aws_request_id: str


def call(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Call the handler that the envelope names. Raises InvalidRequest for what is none."""
    name, inner = event.get("handler"), event.get("event", {})
    if not isinstance(name, str) or not isinstance(inner, Mapping):
        raise InvalidRequest(
            "the event is no envelope",
            field="handler",
            value=name,
            mend='send {"handler": "<name>", "event": {…}}',
        )
    return resolve(name)(inner, context)


def run(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Call what the environment says, write the response where it says, and return it."""
    told = settings.load_lambda_envelope(environ)
    carrier = bootstrap.handler_ports(bootstrap.handler_settings()).carrier
    event = read_object(_payload(told.payload, carrier), limit_bytes=_MOST_BYTES)
    context = Context(told.name, str(uuid4()))
    response = resolve(told.handler)(event, context) if told.handler else call(event, context)
    if told.response_location:
        text = json.dumps(response or {}).encode()
        if told.response_location.startswith("s3://"):
            carrier().write(told.response_location, text)
        else:
            path = Path(told.response_location)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
    return response


_MOST_BYTES = 256 * 1024 * 1024
"""A job may have a list of requests for a million files; our choice."""


def _payload(payload: str, carrier: Any) -> bytes:
    text = payload.strip()
    if text.startswith("{"):
        return text.encode()
    if not text:
        return b"{}"
    try:
        if text.startswith("s3://"):
            made: Carrier = carrier()
            return made.read(text)
        return Path(text).read_bytes()
    except (NotFound, OSError) as exc:
        raise InvalidRequest(
            f"the payload {text[:200]!r} cannot be read: {exc}",
            field="AWS_LAMBDA_EVENT_PAYLOAD",
            value=text[:200],
            mend="give JSON, the name of an object, or that of a file",
        ) from exc
