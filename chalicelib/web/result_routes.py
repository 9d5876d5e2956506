"""Results: works that have ended, as the ``workflow`` clients call them (specs: work, section 4).

Its base URL is ``/results-api``: Buckets and Results share the paths ``/view`` and ``/status``.
"""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib.core.principals import Scope
from chalicelib.version import VERSION
from chalicelib.web import asked
from chalicelib.web.answers import json_answer, value_of
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.queries import values_of
from chalicelib.web.shapes import examples
from chalicelib.web.shapes.works import Shown, Version, Works
from chalicelib.works import results
from chalicelib.works.views import ViewBody

routes: Final = Blueprint(__name__)


@routes.route("/results-api/version", methods=["GET", "HEAD"])
@answered(Scope.READ, is_head_open=True)
@described({200: Version})
def show_results_version() -> Response:
    """Answer that we are there."""
    return json_answer({"version": VERSION})


@routes.route("/results-api/results", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described({200: dict[str, bool]}, body=Works, example=examples.ENDED_WORKS, refuses=(409,))
def deposit_results() -> Response:
    """Keep works that have ended: ``{"<pipeline>": true}``; 409 if one is there already."""
    document = value_of(routes.current_request)
    return json_answer(results.deposit_results(document, asked.work_ports()))


@routes.route("/results-api/results", methods=["PUT"])
@answered(Scope.SUBMIT)
@described({200: bool}, body=Works, refuses=(404, 409))
def update_results() -> Response:
    """Replace results: true; 409 for a locked one."""
    document = value_of(routes.current_request)
    return json_answer(results.update_results(document, asked.work_ports()))


@routes.route("/results-api/results", methods=["DELETE"])
@answered(Scope.SUBMIT)
@described({200: dict[str, bool]}, query=dict[str, list[str]], refuses=(409,))
def delete_results() -> Response:
    """Remove the results ``?<pipeline>=id&<pipeline>=id``: every name is a pipeline."""
    ids = values_of(routes.current_request)
    return json_answer(results.delete_results(ids, asked.work_ports()))


@routes.route("/results-api/view", methods=["POST"])
@answered(Scope.READ)
@described({200: Shown}, body=ViewBody, example=examples.VIEW)
def view_results() -> Response:
    """Answer the results that ``query`` matches, the oldest first."""
    document = value_of(routes.current_request)
    return json_answer(results.view_results(document, asked.work_ports()))


@routes.route("/results-api/view/count", methods=["POST"])
@answered(Scope.READ)
@described({200: int}, body=ViewBody, example=examples.VIEW)
def count_results() -> Response:
    """Answer how many results ``query`` matches."""
    document = value_of(routes.current_request)
    return json_answer(results.count_results(document, asked.work_ports()))


@routes.route("/results-api/status", methods=["GET"])
@answered(Scope.READ)
@described({200: dict[str, int]})
def show_results_status() -> Response:
    """Answer for each pipeline how many results it has."""
    return json_answer(results.status_results(asked.work_ports()))
