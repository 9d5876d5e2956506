"""The route that tells whether we are there at all."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import bootstrap
from chalicelib.version import VERSION
from chalicelib.web.answers import json_answer
from chalicelib.web.asked import OPEN
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.shapes.runs import Health

routes: Final = Blueprint(__name__)


@routes.route("/health", methods=["GET"])
@answered(OPEN)
@described({200: Health})
def show_health() -> Response:
    """Answer that we serve, which version, and from which home; 500 where there is none."""
    bootstrap.ports()
    home = "aws" if bootstrap.settings().table else "embedded"
    return json_answer({"status": "ok", "version": VERSION, "home": home})
