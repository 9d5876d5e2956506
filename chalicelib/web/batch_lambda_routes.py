"""Routes that start functions: a handler or an executor as a job, a Lambda function's call.

A body is the construct's input, with ``run_id`` and ``options`` beside its fields. All answer as
``POST /demand-executions`` does.
"""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import function_intake
from chalicelib.core.function_requests import BATCH_EXECUTOR, BATCH_LAMBDA, LAMBDA_FUNCTION
from chalicelib.core.principals import Scope
from chalicelib.core.run import RunState
from chalicelib.core.states.failures import failure_of, output_of
from chalicelib.web import asked, idempotency
from chalicelib.web.answers import document_of, json_answer, submitted
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.shapes.functions import BatchExecutor, BatchLambda, LambdaFunction, RunResult
from chalicelib.web.shapes.runs import SUBMITTED

routes: Final = Blueprint(__name__)


@routes.route("/batch-lambdas", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(SUBMITTED, body=BatchLambda, refuses=(404, 409))
def submit_batch_lambda() -> Response:
    """Start a handler's job: request and response are objects, and the response is the result."""
    return _submitted(BATCH_LAMBDA)


@routes.route("/batch-executors", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(SUBMITTED, body=BatchExecutor, refuses=(404, 409))
def submit_batch_executor() -> Response:
    """Start an executor's job; it is told on its command line where request and response are."""
    return _submitted(BATCH_EXECUTOR)


@routes.route("/lambda-functions", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(SUBMITTED, body=LambdaFunction, refuses=(409,))
def submit_lambda_function() -> Response:
    """Call a Lambda function that the site allows; what it answers is the result."""
    return _submitted(LAMBDA_FUNCTION)


@routes.route("/runs/{run_id}/result", methods=["GET"])
@answered(Scope.READ)
@described({200: RunResult})
def show_result(run_id: str) -> Response:
    """Answer the run's output, or the error and cause of the first step that failed."""
    run = asked.ports().runs.load(run_id)
    failure = failure_of(run)
    return json_answer(
        {
            "id": run.id,
            "state": run.state,
            "output": output_of(run) if run.state is RunState.SUCCESS else None,
            "error": failure and failure.model_dump(mode="json"),
        }
    )


def _submitted(kind: str) -> Response:
    document = document_of(routes.current_request)
    made_up = idempotency.made_up()
    run = function_intake.submit_function(kind, document, asked.ports(), made_up=made_up)
    return submitted(run)
