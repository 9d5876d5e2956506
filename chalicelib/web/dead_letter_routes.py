"""The routes that list dead letters, and send them back to be taken in again."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib.core.principals import Scope
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.shapes.runs import DeadLetters, SentBack

routes: Final = Blueprint(__name__)
SHOWN: Final = 100
"""What is dead for one reason looks alike; who mends it needs no more."""


@routes.route("/dead-letters", methods=["GET"])
@answered(Scope.ADMIN)
@described({200: DeadLetters}, refuses=(422,))
def listed() -> Response:
    """Answer what waits to be sent back, the oldest first, ``SHOWN`` at most."""
    found = asked.all_ports().dead_letters.listed(SHOWN)
    return json_answer({"dead_letters": [letter._asdict() for letter in found]})


@routes.route("/dead-letters/redrive", methods=["POST"])
@answered(Scope.ADMIN)
@described({202: SentBack}, refuses=(422,))
def redrive() -> Response:
    """Answer 202 and ``{"sent_back": {queue: messages}, "left", "has_more"}``.

    What becomes of what was sent back is not known yet: some of it may be dead letters again.
    """
    return json_answer(asked.all_ports().dead_letters.redrive()._asdict(), 202)
