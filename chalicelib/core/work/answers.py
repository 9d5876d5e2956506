"""How large an answer may be: what a Lambda can return, in the form that it returns it in.

A REST answer is JSON text that travels as a string inside another JSON text, so that every quote
and every backslash takes two bytes (AWS Lambda developer guide, "Lambda proxy integration").
"""

from __future__ import annotations

import json
from typing import Any, Final

from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES

ANSWER_BYTES: Final = LAMBDA_PAYLOAD_BYTES - 64 * 1024
"""The rest is for headers."""


def answer_bytes(value: object) -> int:
    """Return how much room the value takes in an answer, the comma behind it included."""
    text = json.dumps(value)
    return len(text) + text.count('"') + text.count("\\") + 2


def carried(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document, without its results where no answer could carry them.

    A work that fails again and again bears the results of its last attempt; a worker that is
    given it has no use for them, and an answer that cannot be sent would cost an attempt.
    """
    if document["results"] is None or answer_bytes(document) <= ANSWER_BYTES:
        return document
    return {**document, "results": None}
