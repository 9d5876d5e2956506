"""The route that sends dead letters back to be taken in again."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib.core.principals import Scope
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.shapes.runs import SentBack

routes: Final = Blueprint(__name__)


@routes.route("/dead-letters/redrive", methods=["POST"])
@answered(Scope.ADMIN)
@described({202: SentBack}, refuses=(422,))
def redrive() -> Response:
    """Answer 202 and ``{"sent_back": {queue: messages}, "left", "has_more"}``.

    What becomes of what was sent back is not known yet: some of it may be dead letters again.
    """
    return json_answer(asked.all_ports().dead_letters.redrive()._asdict(), 202)
