"""Run management as flowserv's clients ask for it, below ``/flowserv`` (specs: flowserv, 7 and 8).

Workflows are the Site's: nobody makes one here. Errors have flowserv's form,
``{"message": text}``, and its statuses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, ParamSpec
from urllib.parse import unquote

from chalice.app import Blueprint, Response

from chalicelib.core.errors import (
    Conflict,
    FalseworkError,
    Forbidden,
    InvalidRequest,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
)
from chalicelib.core.flowserv.views import (
    CANCELED,
    flowserv_view,
    leaderboard_view,
    listed_view,
)
from chalicelib.core.plans.archives import KIND as ARCHIVE
from chalicelib.core.principals import Scope
from chalicelib.core.run import Run
from chalicelib.run_manager import changes, creation, files, results
from chalicelib.web import asked, idempotency
from chalicelib.web.answers import json_answer, run_answer
from chalicelib.web.bodies import CancelBody, CreateBody, PostProcessBody, body_of
from chalicelib.web.described import IF_NEWS, NOTHING, TAGGED, UNCHANGED, Answer, described
from chalicelib.web.downloads import archive_answer, deleted, run_file_answer
from chalicelib.web.problems import guarded, when_again
from chalicelib.web.queries import GroupQuery, query_of
from chalicelib.web.shapes.downloads import ARCHIVE_ANSWERS, FILE_ANSWERS, RANGES
from chalicelib.web.shapes.flowserv import FlowservRun, Leaderboard, ListedRuns

P = ParamSpec("P")

routes: Final = Blueprint(__name__)

RUNS: Final = "/flowserv/runs"

_STATUSES: Final[dict[type[FalseworkError], HTTPStatus]] = {
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Forbidden: HTTPStatus.FORBIDDEN,
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    Conflict: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    Unauthenticated: HTTPStatus.FORBIDDEN,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
}
"""Subclasses stand before their bases; everything else is 500."""
_LOG: Final = logging.getLogger("falsework.web")


def flowserv_answered(
    scope: Scope, *, creates: bool = False
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Wrap a route so that only who has the scope gets in; errors have flowserv's form."""
    return guarded(scope, _told, creates=creates)


def _told(error: Exception) -> Response:
    if not isinstance(error, FalseworkError):
        _LOG.error("unforeseen", exc_info=error)
        message = "something of ours went wrong; it is logged"
        return json_answer({"message": message}, HTTPStatus.INTERNAL_SERVER_ERROR)
    found = (status for kind, status in _STATUSES.items() if isinstance(error, kind))
    status = next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
    answer = json_answer({"message": _message(error)}, status)
    answer.headers.update(when_again(error))
    return answer


def _message(error: FalseworkError) -> str:
    """flowserv's form has but one text: so the field and the mend stand in it."""
    if not isinstance(error, InvalidRequest):
        return str(error)
    return f"{error.field or 'the request'}: {error.message}; {error.mend}".removesuffix("; ")


@routes.route("/flowserv/groups/{group}/runs", methods=["GET"])
@flowserv_answered(Scope.READ)
@described({200: ListedRuns}, query=GroupQuery)
def list_runs(group: str) -> Response:
    """Answer ``{"runs": [{id, state, createdAt}]}``, with ``next_cursor`` if there are more."""
    query = query_of(routes.current_request, GroupQuery)
    page = asked.ports().runs.list(
        group=unquote(group), state=query.state, cursor=query.cursor, limit=query.limit
    )
    more = {"next_cursor": page.next_cursor} if page.next_cursor else {}
    runs = [listed_view(run) for run in page.runs if run.kind != ARCHIVE]
    return json_answer({"runs": runs, **more})


@routes.route("/flowserv/groups/{group}/runs", methods=["POST"])
@flowserv_answered(Scope.SUBMIT, creates=True)
@described({201: FlowservRun}, body=CreateBody, needs_body=False)
def create_run(group: str) -> Response:
    """Create a run of the group, by its workflow: 201."""
    body = body_of(routes.current_request, CreateBody)
    made = creation.create_run(
        asked.ports(),
        group=unquote(group),
        arguments=body.arguments,
        made_up=idempotency.made_up(),
    )
    return _shown(made, HTTPStatus.CREATED)


@routes.route("/flowserv/workflows/{workflow_id}/runs", methods=["POST"])
@flowserv_answered(Scope.SUBMIT, creates=True)
@described({201: FlowservRun}, body=PostProcessBody, needs_body=False)
def create_post_processing_run(workflow_id: str) -> Response:
    """Create the workflow's next post-processing run, over the runs that the body names: 201."""
    body = body_of(routes.current_request, PostProcessBody)
    made = creation.create_run(
        asked.ports(),
        workflow=workflow_id,
        arguments=body.arguments,
        runs=body.runs,
        made_up=idempotency.made_up(),
    )
    return _shown(made, HTTPStatus.CREATED)


@routes.route("/flowserv/workflows/{workflow_id}/leaderboard", methods=["GET"])
@flowserv_answered(Scope.READ)
@described({200: Leaderboard})
def show_leaderboard(workflow_id: str) -> Response:
    """Answer the best run of each group, best first, and the current post-processing run."""
    ports = asked.ports()
    ranked = results.rank_workflow(workflow_id, ports)
    schema = results.workflow_schema(workflow_id, ports)
    current = creation.current_run(workflow_id, ports)
    more = {} if current is None else {"postproc": _view(current)}
    return json_answer({**leaderboard_view(schema, ranked), **more})


@routes.route("/flowserv/workflows/{workflow_id}/downloads/archive", methods=["GET"])
@flowserv_answered(Scope.READ)
@described(ARCHIVE_ANSWERS, refuses=(429,))
def show_workflow_archive(workflow_id: str) -> Response:
    """Answer the files of the current post-processing run in a tar.gz; 202 while one makes it."""
    return archive_answer(_current(workflow_id), RUNS)


@routes.route("/flowserv/workflows/{workflow_id}/downloads/files/{file_id}", methods=["GET"])
@flowserv_answered(Scope.READ)
@described(FILE_ANSWERS, headers=RANGES)
def show_workflow_file(workflow_id: str, file_id: str) -> Response:
    """Answer the content of a file of the current post-processing run."""
    return run_file_answer(routes.current_request, _current(workflow_id), file_id=file_id)


@routes.route("/flowserv/runs/{run_id}", methods=["GET"])
@flowserv_answered(Scope.READ)
@described({200: Answer(FlowservRun, headers=TAGGED), 304: UNCHANGED}, headers=IF_NEWS)
def show_run(run_id: str) -> Response:
    """Answer the run."""
    run = asked.ports().runs.load(run_id)
    return run_answer(routes.current_request, run, lambda: _view(run))


@routes.route("/flowserv/runs/{run_id}", methods=["PUT"])
@flowserv_answered(Scope.SUBMIT)
@described({200: FlowservRun}, body=CancelBody, needs_body=False)
def cancel_run(run_id: str) -> Response:
    """Cancel the run and answer it: CANCELED at once, its jobs end behind it."""
    request = routes.current_request
    reason = body_of(request, CancelBody).reason if request.raw_body else CANCELED
    return _shown(changes.cancel(run_id, asked.ports(), reason=reason))


@routes.route("/flowserv/runs/{run_id}", methods=["DELETE"])
@flowserv_answered(Scope.SUBMIT)
@described({204: NOTHING})
def delete_run(run_id: str) -> Response:
    """Delete the run, and its outputs unless the Site keeps them: 204; 400 before it settled."""
    return deleted(run_id, with_files=asked.ports().site.delete_outputs_with_run)


@routes.route("/flowserv/runs/{run_id}/downloads/archive", methods=["GET"])
@flowserv_answered(Scope.READ)
@described(ARCHIVE_ANSWERS, refuses=(429,))
def show_archive(run_id: str) -> Response:
    """Answer the files of a successful run in a tar.gz; 202 while a run makes it."""
    return archive_answer(asked.ports().runs.load(run_id), RUNS)


@routes.route("/flowserv/runs/{run_id}/downloads/files/{file_id}", methods=["GET"])
@flowserv_answered(Scope.READ)
@described(FILE_ANSWERS, headers=RANGES)
def show_file(run_id: str, file_id: str) -> Response:
    """Answer the content of a file, with its type."""
    run = asked.ports().runs.load(run_id)
    return run_file_answer(routes.current_request, run, file_id=file_id)


def _shown(run: Run, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return json_answer(_view(run), status)


def _view(run: Run) -> dict[str, Any]:
    ports = asked.ports()
    return flowserv_view(run, files.list_files(run, ports), files.made_of(run, ports.site))


def _current(workflow_id: str) -> Run:
    current = creation.current_run(workflow_id, asked.ports())
    if current is None:
        raise NotFound(f"the workflow {workflow_id!r:.100} has no post-processing run")
    return current
