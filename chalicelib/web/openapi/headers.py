"""The headers that the routes look at, and those that they send."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.core.idempotency import HEADER
from chalicelib.core.limits import IDEMPOTENCY_KEY_CHARACTERS

TEXT: Final = {"type": "string"}

ASKED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "Range": ("Which bytes of the file: `bytes=0-99`. One range; others mean the whole.", TEXT),
    "If-Range": ("Where it is given the whole is answered: files have no validators here.", TEXT),
    "If-None-Match": ("ETags of what the caller has already: then 304, and nothing else.", TEXT),
    HEADER: (
        "Repeats of the request with the same key get the first one's answer, and do nothing.",
        {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARACTERS},
    ),
}
"""Of a request: what it is for, and its schema."""

SENT: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "ETag": ("Another one whenever the run has changed.", TEXT),
    "Location": ("Where to find it.", {"type": "string", "format": "uri-reference"}),
    "Link": ('Where an ended run is let go on: `<…/resume>; rel="resume"`.', TEXT),
    "Retry-After": ("Seconds after which it may be tried again.", {"type": "string"}),
    "WWW-Authenticate": ("`Bearer`", TEXT),
    "Content-Range": ("Which bytes these are, and how many there are.", TEXT),
    "Accept-Ranges": ("`bytes`", TEXT),
    "Content-Disposition": ("The file is to be saved under this name.", TEXT),
    "Content-Security-Policy": ("What the page may load and run: its own parts.", TEXT),
    "X-Content-Type-Options": ("`nosniff`", TEXT),
    "Referrer-Policy": ("`no-referrer`", TEXT),
    "Cache-Control": ("`no-store`: the link is for now, and for nobody else.", TEXT),
}
"""Of an answer."""


def parameter(name: str) -> dict[str, Any]:
    """Return the parameter object of a header that a route looks at."""
    description, schema = ASKED[name]
    return {"name": name, "in": "header", "description": description, "schema": schema}


def header(name: str, *, is_required: bool = True) -> dict[str, Any]:
    """Return the header object of a header that an answer has."""
    description, schema = SENT[name]
    return {"description": description, "required": is_required, "schema": schema}
