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
from functools import partial, wraps
from typing import Any, Final, ParamSpec
from urllib.parse import unquote

from chalice.app import Request, Response

from chalicelib.core.errors import (
    Conflict,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    UnderWay,
)
from chalicelib.core.principals import Scope
from chalicelib.core.problem import problem_document, problem_of
from chalicelib.web.asked import serving, takes
from chalicelib.web.current import current
from chalicelib.web.idempotency import answered_once

P = ParamSpec("P")

CONTENT_TYPE: Final = "application/problem+json"
_TAKES_KEY: Final = "falsework_takes_key"
_SHOWN_ONCE: Final = Conflict(
    "this was done when the Idempotency-Key came first, and what was made is shown only once: "
    "revoke it, and make another one under another key"
)
_LOG: Final = logging.getLogger("falsework.web")


def answered(
    scope: Scope | None,
    *,
    is_head_open: bool = False,
    creates: bool = False,
    shows_secret: bool = False,
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Wrap a route so that only who has the scope gets in, and what it raises is a problem.

    ``is_head_open``: a HEAD request needs no token. ``creates``: it takes an Idempotency-Key.
    ``shows_secret``: its success is not kept for one; who repeats it learns that it was done.
    """
    return guarded(
        scope,
        from_error,
        is_head_open=is_head_open,
        creates=creates or shows_secret,
        shows_secret=shows_secret,
    )


def guarded(
    scope: Scope | None,
    told: Callable[[Exception], Response],
    *,
    is_head_open: bool = False,
    creates: bool = False,
    shows_secret: bool = False,
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Wrap a route as ``answered`` does; ``told`` says how errors are answered."""
    hidden = partial(told, _SHOWN_ONCE) if shows_secret else None

    def wrap(view: Callable[P, Response]) -> Callable[P, Response]:
        def attempt(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                return view(*args, **kwargs)
            except Exception as exc:  # noqa: BLE001  (an entry point)
                return told(exc)

        @wraps(view)
        def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                with serving(scope, is_head_open=is_head_open):
                    if creates:
                        return answered_once(partial(attempt, *args, **kwargs), hidden)
                    return attempt(*args, **kwargs)
            except Exception as exc:  # noqa: BLE001  (an entry point)
                return told(exc)

        takes(scope, answer, is_head_open=is_head_open)
        setattr(answer, _TAKES_KEY, creates)
        return answer

    return wrap


def takes_key(view: Callable[..., Any]) -> bool:
    """Tell whether the route looks at an Idempotency-Key."""
    return bool(getattr(view, _TAKES_KEY, False))


def from_error(error: Exception) -> Response:
    """Return the problem document for ``error``; what we did not foresee is logged and hidden."""
    document = problem_of(error)
    if document is None:
        _LOG.error("unforeseen", exc_info=error)
        return problem(500, "Something of ours went wrong. It is logged; nothing else is known.")
    if isinstance(error, NotFound):
        document["detail"] = _as_meant(document["detail"])
    return _response(document, _headers(error, document["status"]))


def _as_meant(detail: str) -> str:
    """Show the names in a path as who asked would write them: they come percent-encoded."""
    named = (current.request.uri_params or {}) if current.request is not None else {}
    for name in named.values():
        if (meant := unquote(name)).isprintable():
            detail = detail.replace(name, meant)
    return detail


def _headers(error: Exception, status: int) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return when_again(error) or ({"Retry-After": "1"} if status == 503 else {})


def when_again(error: Exception) -> dict[str, str]:
    """Return the header of an error that says itself when to send the same again."""
    if isinstance(error, TooManyRequests | UnderWay):
        return {"Retry-After": str(error.retry_after_seconds)}
    return {}


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
