"""Errors as problem documents (RFC 9457): what REST answers and what receipts hold.

::

    {"type": "urn:falsework:problem:bad-request", "title": "…", "status": 400,
     "detail": "…", "errors": [{"field": "…", "value": …, "mend": "…"}]}

Here alone an error gets its HTTP status.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, NamedTuple

from chalicelib.core.documents import shortened
from chalicelib.core.errors import (
    Conflict,
    FalseworkError,
    Forbidden,
    InvalidRequest,
    NotFound,
    Refused,
    StaleRun,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)


class _Reaction(NamedTuple):
    status: HTTPStatus
    title: str


_REACTIONS: Final[dict[type[FalseworkError], _Reaction]] = {
    TooLarge: _Reaction(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large"),
    Forbidden: _Reaction(HTTPStatus.FORBIDDEN, "The site does not allow this"),
    InvalidRequest: _Reaction(HTTPStatus.BAD_REQUEST, "The request is not valid"),
    Unauthenticated: _Reaction(HTTPStatus.UNAUTHORIZED, "Nobody knows who asks"),
    TooManyRequests: _Reaction(HTTPStatus.TOO_MANY_REQUESTS, "A quota is used up"),
    NotFound: _Reaction(HTTPStatus.NOT_FOUND, "There is no such thing"),
    Conflict: _Reaction(HTTPStatus.CONFLICT, "This cannot be taken now"),
    Refused: _Reaction(HTTPStatus.UNPROCESSABLE_ENTITY, "The backend refuses this"),
    StaleRun: _Reaction(HTTPStatus.SERVICE_UNAVAILABLE, "Others are changing this run"),
    Unavailable: _Reaction(HTTPStatus.SERVICE_UNAVAILABLE, "The backend does not answer"),
}
"""Subclasses stand before their bases. What is missing is our own fault: 500, without a word."""


def problem_document(
    status: int, detail: str, *, title: str = "", errors: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a problem document; the title is the status's own phrase unless given."""
    phrase = HTTPStatus(status).phrase
    return {
        "type": f"urn:falsework:problem:{phrase.lower().replace(' ', '-')}",
        "title": title or phrase,
        "status": int(status),
        "detail": detail,
        **({"errors": errors} if errors else {}),
    }


def problem_of(error: Exception) -> dict[str, Any] | None:
    """Return the problem document of an error that we foresaw; None for every other."""
    for kind, (status, title) in _REACTIONS.items():
        if isinstance(error, kind):
            return problem_document(status, str(error), title=title, errors=_culprits(error))
    return None


def _culprits(error: Exception) -> list[dict[str, Any]]:
    if not isinstance(error, InvalidRequest):
        return []
    return [{"field": error.field, "value": shortened(error.value), "mend": error.mend}]
