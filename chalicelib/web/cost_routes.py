"""The route that says what a run has cost."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib.core.costs import Cost
from chalicelib.core.principals import Scope
from chalicelib.run_manager import spending
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.described import described
from chalicelib.web.problems import answered

routes: Final = Blueprint(__name__)


@routes.route("/runs/{run_id}/cost", methods=["GET"])
@answered(Scope.READ)
@described({200: Cost})
def show_cost(run_id: str) -> Response:
    """Answer what the run has cost so far, at the site's prices; what was in vain apart."""
    return json_answer(spending.cost(run_id, asked.ports()).model_dump(mode="json"))
