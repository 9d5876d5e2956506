"""Errors as problem documents (RFC 9457): what REST answers and what receipts hold.

::

    {"type": "urn:falsework:problem:bad-request", "title": "…", "status": 400,
     "detail": "…", "errors": [{"field": "…", "value": …, "mend": "…"}]}

Here alone an error gets its HTTP status. ``type`` is stable: programs may tell refusals apart by
it, and ``docs/errors.md`` lists them all.
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
    KeyReused,
    NotFound,
    Refused,
    StaleRun,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnderWay,
)

TYPES: Final[dict[str, HTTPStatus]] = {
    "bad-request": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not-found": HTTPStatus.NOT_FOUND,
    "method-not-allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "request-timeout": HTTPStatus.REQUEST_TIMEOUT,
    "conflict": HTTPStatus.CONFLICT,
    "idempotency-key-in-use": HTTPStatus.CONFLICT,
    "length-required": HTTPStatus.LENGTH_REQUIRED,
    "request-entity-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "request-uri-too-long": HTTPStatus.REQUEST_URI_TOO_LONG,
    "unsupported-media-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unprocessable-entity": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency-key-reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too-many-requests": HTTPStatus.TOO_MANY_REQUESTS,
    "request-header-fields-too-large": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "internal-server-error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "not-implemented": HTTPStatus.NOT_IMPLEMENTED,
    "service-unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "http-version-not-supported": HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
}
"""The last part of ``type`` → its status. Not made from the status's phrase, which other versions
of Python spell in other words. Of two with one status the first is the one that says no more."""
_WORDS: Final = {status: word for word, status in reversed(TYPES.items())}


class _Reaction(NamedTuple):
    word: str
    title: str


_REACTIONS: Final[dict[type[FalseworkError], _Reaction]] = {
    TooLarge: _Reaction("request-entity-too-large", "The request is too large"),
    KeyReused: _Reaction("idempotency-key-reused", "The Idempotency-Key was another request's"),
    Forbidden: _Reaction("forbidden", "The site does not allow this"),
    InvalidRequest: _Reaction("bad-request", "The request is not valid"),
    Unauthenticated: _Reaction("unauthorized", "Nobody knows who asks"),
    TooManyRequests: _Reaction("too-many-requests", "A quota is used up"),
    NotFound: _Reaction("not-found", "There is no such thing"),
    UnderWay: _Reaction("idempotency-key-in-use", "The same request is being answered"),
    Conflict: _Reaction("conflict", "This cannot be taken now"),
    Refused: _Reaction("unprocessable-entity", "The backend refuses this"),
    StaleRun: _Reaction("service-unavailable", "Others are changing this run"),
    Unavailable: _Reaction("service-unavailable", "The backend does not answer"),
}
"""Subclasses stand before their bases. What is missing is our own fault: 500, without a word."""


def problem_document(status: int, detail: str) -> dict[str, Any]:
    """Return a problem document that says no more than its status.

    One that is not among TYPES is told as 400 or 500, as HTTP lets clients take it.
    """
    usual = HTTPStatus.BAD_REQUEST if status < 500 else HTTPStatus.INTERNAL_SERVER_ERROR
    known = HTTPStatus(status) if status in _WORDS else usual
    return _document(_WORDS[known], known.phrase, detail)


def problem_of(error: Exception) -> dict[str, Any] | None:
    """Return the problem document of an error that we foresaw; None for every other."""
    for kind, (word, title) in _REACTIONS.items():
        if isinstance(error, kind):
            return _document(word, title, str(error), _culprits(error))
    return None


def _document(
    word: str, title: str, detail: str, errors: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "type": f"urn:falsework:problem:{word}",
        "title": title,
        "status": int(TYPES[word]),
        "detail": detail,
        **({"errors": errors} if errors else {}),
    }


def _culprits(error: Exception) -> list[dict[str, Any]]:
    if not isinstance(error, InvalidRequest):
        return []
    return [{"field": error.field, "value": shortened(error.value), "mend": error.mend}]
