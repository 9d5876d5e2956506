"""What the routes answer with when all is well, and how they read a body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from chalice.app import Request, Response

from chalicelib.core.etags import etag_of, is_known
from chalicelib.core.json_text import read_request, read_value
from chalicelib.core.run import Run, RunRecord
from chalicelib.core.view import run_view


def document_of(request: Request) -> dict[str, Any]:
    """Return the body's JSON object. Raises InvalidRequest or TooLarge.

    Chalice's own ``json_body`` ignores bodies without a content type and calls every mistake
    "Error Parsing JSON".
    """
    return read_request(_content(request))


def value_of(request: Request) -> object:
    """Return whatever JSON the body is: lists too. Raises as ``document_of``."""
    return read_value(_content(request))


def json_answer(body: object, status: int = 200, **headers: str) -> Response:
    """Return ``body`` as JSON; header names are given with ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(
        body=body, headers={"Content-Type": "application/json", **named}, status_code=status
    )


def submitted(run: Run) -> Response:
    """Answer a submission: 202, or 200 for a run that has ended, which only a resume moves."""
    location = f"/runs/{quote(run.id, safe='')}"
    if run.is_terminal:
        resume = f'<{location}/resume>; rel="resume"'
        return json_answer(run_view(run), 200, Location=location, Link=resume)
    return json_answer(run_view(run), 202, Location=location)


def run_answer(request: Request, run: RunRecord, view: Callable[[], object]) -> Response:
    """Return what ``view`` makes of the run, with its ETag; 304 to who has it already."""
    etag = etag_of(run)
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(body="", headers={"ETag": etag}, status_code=304)
    return json_answer(view(), ETag=etag)


def _content(request: Request) -> bytes:
    body = request.raw_body
    return body.encode() if isinstance(body, str) else body
