"""Routes that start jobs over files: a data sync, what is done to a data path, a clean-up.

A body is the wire format's request, with ``run_id`` and ``options`` beside its fields. All answer
as ``POST /demand-executions`` does.
"""

from __future__ import annotations

from typing import Final, Literal

from chalice.app import Blueprint, Response

from chalicelib import file_intake
from chalicelib.core.errors import NotFound
from chalicelib.core.file_requests import CLEAN_UP, SYNC
from chalicelib.core.principals import Scope
from chalicelib.web import asked, idempotency
from chalicelib.web.answers import document_of, submitted
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.shapes import examples
from chalicelib.web.shapes.requests import DataPathOperation, DataSync, FileSystemCleanup
from chalicelib.web.shapes.runs import SUBMITTED

routes: Final = Blueprint(__name__)

OPERATIONS: Final = {
    "stats": "data-path-stats",
    "list": "list-data-paths",
    "outdated": "outdated-data-paths",
    "remove": "remove-data-paths",
}
"""The last word of the path → the kind of run."""


@routes.route("/data-syncs", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(SUBMITTED, body=DataSync, example=examples.DATA_SYNC, refuses=(404, 409))
def submit_data_sync() -> Response:
    """Start a data sync. Nothing is deleted unless the body says ``"delete": true``."""
    return _submitted(SYNC)


@routes.route("/data-paths/{operation}", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(
    SUBMITTED,
    body=DataPathOperation,
    example=examples.DATA_PATH,
    paths={"operation": Literal["stats", "list", "outdated", "remove"]},
    refuses=(409,),
)
def submit_path_operation(operation: str) -> Response:
    """Start one of the operations; its response is the result of the run's last stage."""
    if operation not in OPERATIONS:
        raise NotFound(f"there is no {operation[:50]!r}: only {', '.join(OPERATIONS)}")
    return _submitted(OPERATIONS[operation])


@routes.route("/file-system-cleanups", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(SUBMITTED, body=FileSystemCleanup, example=examples.CLEAN_UP, refuses=(404, 409))
def submit_cleanup() -> Response:
    """Start a clean-up: what has not been written for so many days goes."""
    return _submitted(CLEAN_UP)


def _submitted(kind: str) -> Response:
    document = document_of(routes.current_request)
    made_up = idempotency.made_up()
    run = file_intake.submit_file_job(kind, document, asked.ports(), made_up=made_up)
    return submitted(run)
