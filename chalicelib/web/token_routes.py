"""Routes to tokens: whoever may make them makes them here, on AWS whoever signs a request.

API Gateway lets ``POST /tokens`` in by the caller's AWS signature, and nothing else by it: see
``web.api``. The text of a token is in that one answer and nowhere else.
"""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import tokens
from chalicelib.core.grants import TokenRequest, wanted_by
from chalicelib.core.principals import Scope
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.bodies import body_of
from chalicelib.web.described import NOTHING, Answer, described
from chalicelib.web.problems import answered
from chalicelib.web.queries import PageQuery, query_of
from chalicelib.web.shapes.tokens import MadeToken, TokenPage

routes: Final = Blueprint(__name__)


@routes.route("/tokens", methods=["POST"])
@answered(Scope.ADMIN, shows_secret=True)
@described(
    {201: Answer(MadeToken, headers=("Cache-Control",))}, body=TokenRequest, needs_body=False
)
def create_token() -> Response:
    """Make a token: 201 with its text, in ``token``, and what it is.

    Whoever signed the request needs no scope for it: they get one that is what they are.
    """
    request = body_of(routes.current_request, TokenRequest)
    ports = asked.ports()
    made = tokens.create(wanted_by(ports.caller.principal, request), ports)
    return json_answer({"token": made.text, **made.token.view()}, 201, Cache_Control="no-store")


@routes.route("/tokens", methods=["GET"])
@answered(Scope.ADMIN)
@described({200: TokenPage}, query=PageQuery)
def list_tokens() -> Response:
    """Answer ``{"tokens": […], "next_cursor"}``, by id; what they are, not their text."""
    query = query_of(routes.current_request, PageQuery)
    ports = asked.all_ports()
    found = tokens.list_tokens(ports.documents, after=query.cursor or "", limit=query.limit)
    cursor = found[-1].id if len(found) == query.limit else None
    return json_answer({"tokens": [token.view() for token in found], "next_cursor": cursor})


@routes.route("/tokens/{token_id}", methods=["DELETE"])
@answered(Scope.ADMIN)
@described({204: NOTHING})
def revoke_token(token_id: str) -> Response:
    """Let the token be good no longer: 204; 404 where there is none."""
    tokens.revoke(token_id, asked.all_ports())
    return Response(body="", status_code=204)
