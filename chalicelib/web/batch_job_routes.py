"""The route that starts one Batch job."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import batch_job_intake
from chalicelib.core.principals import Scope
from chalicelib.web import asked, idempotency
from chalicelib.web.answers import document_of, submitted
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.shapes import examples
from chalicelib.web.shapes.functions import BatchJob
from chalicelib.web.shapes.runs import SUBMITTED

routes: Final = Blueprint(__name__)


@routes.route("/batch-jobs", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(SUBMITTED, body=BatchJob, example=examples.BATCH_JOB, refuses=(404, 409))
def submit_batch_job() -> Response:
    """Start one job of a definition of its own, or of one that is there."""
    document = document_of(routes.current_request)
    made_up = idempotency.made_up()
    return submitted(batch_job_intake.submit_batch_job(document, asked.ports(), made_up=made_up))
