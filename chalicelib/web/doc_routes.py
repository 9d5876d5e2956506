"""Routes that say what all the others take and answer: as a document, and as a page to read it on.

Both are open to anybody: they hold nothing that the source code does not. The page is one file
that loads nothing from elsewhere; its policy allows its own script, its own style, and requests to
where it came from. A token that is typed into it stays in its memory.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from chalice.app import Blueprint, Request, Response

from chalicelib.web.answers import json_answer
from chalicelib.web.asked import OPEN
from chalicelib.web.described import Answer, described
from chalicelib.web.problems import answered

routes: Final = Blueprint(__name__)

_PAGE: Final = Path(__file__).with_name("docs.html")
_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
_HTML: Final = "text/html; charset=utf-8"
_HEADERS: Final = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy")


class _Page(NamedTuple):
    text: str
    policy: str


@routes.route("/openapi.json", methods=["GET"])
@answered(OPEN)
@described({200: dict[str, Any]})
def show_openapi() -> Response:
    """Answer this document: OpenAPI 3.1."""
    from chalicelib.web.openapi.document import document  # noqa: PLC0415 -- seldom asked for

    servers = [{"url": _base(routes.current_request)}]
    return json_answer({**document(routes.current_app), "servers": servers})


@routes.route("/docs", methods=["GET"])
@answered(OPEN)
@described({200: Answer(str, _HTML, _HEADERS)})
def show_docs() -> Response:
    """Answer a page that shows the document, and sends requests to try them out."""
    page = _page()
    return Response(
        body=page.text,
        headers={
            "Content-Type": _HTML,
            "Content-Security-Policy": page.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        },
    )


def _base(request: Request) -> str:
    """Return what stands before every path: nothing here, the stage behind API Gateway."""
    path = str(request.context.get("path") or "")
    return path.removesuffix("/openapi.json") or "/"


@cache
def _page() -> _Page:
    """Return the page, and a policy that names its script and its style by their digests."""
    text = _PAGE.read_text(encoding="utf-8")
    allowed = "; ".join(
        f"{kind}-src {_digest(content)}" for kind, content in _INLINE.findall(text)
    )
    policy = (
        f"default-src 'none'; {allowed}; connect-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return _Page(text, policy)


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
