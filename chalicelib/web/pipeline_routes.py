"""The route that starts a pipeline, or shows what it would be."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import kinds
from chalicelib.core.principals import Scope
from chalicelib.web import asked, idempotency
from chalicelib.web.answers import document_of, json_answer, submitted
from chalicelib.web.described import Answer, described
from chalicelib.web.problems import answered
from chalicelib.web.queries import DryRunQuery, query_of
from chalicelib.web.shapes.pipelines import PipelineBody, PipelinePlan
from chalicelib.web.shapes.runs import SUBMITTED, RunView

routes: Final = Blueprint(__name__)


@routes.route("/pipelines", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(
    {**SUBMITTED, 200: Answer(RunView | PipelinePlan)},
    body=PipelineBody,
    query=DryRunQuery,
    refuses=(404, 409),
)
def submit_pipeline() -> Response:
    """Start a pipeline; with ``?dry_run=true`` answer its plan, and nothing is created."""
    document = document_of(routes.current_request)
    if query_of(routes.current_request, DryRunQuery).dry_run:
        return json_answer(kinds.preview_pipeline(document, asked.ports()))
    made_up = idempotency.made_up()
    return submitted(kinds.submit_pipeline(document, asked.ports(), made_up=made_up))
