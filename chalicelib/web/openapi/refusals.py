"""What any route may answer besides its own: who has no token, what is too large, what fails.

The paths below ``/flowserv`` say their own refusals in flowserv's form, and with its statuses;
what is refused before a route is reached is a problem document there too.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from chalicelib.core.principals import Scope
from chalicelib.web.described import JSON, Described
from chalicelib.web.openapi.headers import header
from chalicelib.web.problems import CONTENT_TYPE
from chalicelib.web.shapes.flowserv import FlowservError
from chalicelib.web.shapes.problems import Problem

FLOWSERV: Final = "/flowserv/"
_EVERYWHERE: Final = {400, 403, 414, 500, 503}
_WITH_BODY: Final = {408, 411, 413, 415}
_BEFORE_THE_ROUTE: Final = {400, 403, 414} | _WITH_BODY

_MEANINGS: Final = {
    400: "The request is not valid; `errors` says which field, what stood there, and the mend.",
    401: "Nobody knows who asks: no token was sent, or none that is good.",
    403: "The token does not have the scope, or the site does not allow it.",
    404: "There is no such thing, or it belongs to a group that is not the caller's.",
    408: "The body did not come in time.",
    409: "This cannot be taken now: the state of the run, or what is there already, forbids it.",
    411: "The body has no Content-Length.",
    413: "It is too large.",
    414: "The URL is too long.",
    415: "The body is not `application/json`.",
    422: "The backend refuses this, for good.",
    429: "A quota of the group is used up.",
    500: "Something of ours went wrong. It is logged.",
    503: "The backend does not answer, or others are changing the same thing; try again.",
}
_HEADERS: Final = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def refusals_of(path: str, scope: Scope | None, route: Described) -> set[int]:
    """Return the statuses of all refusals that the route may answer."""
    found = _EVERYWHERE | route.refuses
    if route.body is not None:
        found |= _WITH_BODY
    if "{" in path:
        found |= {404}
    if scope is not None:
        found |= {401}
    if scope not in {None, Scope.READ}:
        found |= {429}
    return found - {401, 409, 422, 503} if path.startswith(FLOWSERV) else found


def reference(status: int, path: str) -> dict[str, Any]:
    """Return a reference to the response of that status."""
    prefix = "Flowserv" if path.startswith(FLOWSERV) else ""
    return {"$ref": f"#/components/responses/{prefix}{_name(status)}"}


def responses(schema_of: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return the response objects that ``reference`` names."""
    problem = {CONTENT_TYPE: {"schema": schema_of(Problem)}}
    error = {JSON: {"schema": schema_of(FlowservError)}}
    found: dict[str, Any] = {}
    for status in sorted(_MEANINGS):
        found[_name(status)] = _response(status, problem, _HEADERS.get(status, ()))
        if status not in {401, 409, 422, 503}:
            both = {**error, **problem} if status in _BEFORE_THE_ROUTE else error
            headers = _HEADERS.get(status, ())
            found[f"Flowserv{_name(status)}"] = _response(status, both, headers)
    return found


def _response(status: int, content: dict[str, Any], headers: tuple[str, ...]) -> dict[str, Any]:
    named = {"headers": {name: header(name) for name in headers}} if headers else {}
    return {"description": _MEANINGS[status], **named, "content": content}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")
