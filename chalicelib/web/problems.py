"""Refusals on their way out: whoever refuses, the answer is ``application/problem+json``.

Three doors lead here. A route's own errors come through ``@answered``, since Chalice turns what a
view raises into a 500 of its own before any middleware could see it. What Chalice refuses by
itself (405, 415) comes through the middleware ``as_problems``. What never reaches Chalice (a bad
path, a bad header) the gateway and the server write with ``problem``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec

from chalice.app import Request, Response

from chalicelib.core.problem import problem_document, problem_of

P = ParamSpec("P")

CONTENT_TYPE: Final = "application/problem+json"
_LOG: Final = logging.getLogger("falsework.web")


def answered(view: Callable[P, Response]) -> Callable[P, Response]:
    """Wrap a route so that whatever it raises is answered with a problem document."""

    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except Exception as exc:  # noqa: BLE001  (an entry point)
            return from_error(exc)

    return answer


def from_error(error: Exception) -> Response:
    """Return the problem document for ``error``; what we did not foresee is logged and hidden."""
    document = problem_of(error)
    if document is None:
        _LOG.error("unforeseen", exc_info=error)
        return problem(500, "Something of ours went wrong. It is logged; nothing else is known.")
    return _response(document, {"Retry-After": "1"} if document["status"] == 503 else {})


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return a problem document that stems from no error of ours."""
    return _response(problem_document(status, detail), headers or {})


def as_problems(event: Request, get_response: Callable[[Request], Response]) -> Response:
    """Middleware: rewrite Chalice's own ``{"Code": …, "Message": …}`` answers."""
    response = get_response(event)
    if isinstance(response.body, dict) and response.body.keys() == {"Code", "Message"}:
        kept = {name: str(value) for name, value in response.headers.items()}
        return problem(response.status_code, str(response.body["Message"]), kept)
    return response


def _response(document: dict[str, Any], headers: dict[str, str]) -> Response:
    return Response(
        body=json.dumps(document),
        headers={"Content-Type": CONTENT_TYPE, **headers},
        status_code=document["status"],
    )
