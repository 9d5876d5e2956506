"""Run management as flowserv's clients ask for it, below ``/flowserv`` (specs: flowserv, 7 and 8).

There are no workflows here: what creates runs, and leaderboards over groups, do not exist. Errors
have flowserv's form, ``{"message": text}``, and its statuses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, ParamSpec
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
from chalicelib.core.flowserv.views import CANCELED, flowserv_view, listed_view
from chalicelib.core.principals import Scope
from chalicelib.core.run import Run
from chalicelib.run_manager import changes, files
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.bodies import CancelBody, body_of
from chalicelib.web.downloads import file_answer
from chalicelib.web.problems import guarded
from chalicelib.web.queries import GroupQuery, query_of
from chalicelib.web.run_files_routes import archive_answer

P = ParamSpec("P")

routes: Final = Blueprint(__name__)

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
    scope: Scope,
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Wrap a route so that only who has the scope gets in; errors have flowserv's form."""
    return guarded(scope, _told)


def _told(error: Exception) -> Response:
    if not isinstance(error, FalseworkError):
        _LOG.error("unforeseen", exc_info=error)
        message = "something of ours went wrong; it is logged"
        return json_answer({"message": message}, HTTPStatus.INTERNAL_SERVER_ERROR)
    found = (status for kind, status in _STATUSES.items() if isinstance(error, kind))
    status = next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
    return json_answer({"message": str(error)}, status)


@routes.route("/flowserv/groups/{group}/runs", methods=["GET"])
@flowserv_answered(Scope.READ)
def list_runs(group: str) -> Response:
    """Answer ``{"runs": [{id, state, createdAt}]}``, with ``next_cursor`` if there are more."""
    query = query_of(routes.current_request, GroupQuery)
    page = asked.ports().runs.list(
        group=unquote(group), state=query.state, cursor=query.cursor, limit=query.limit
    )
    more = {"next_cursor": page.next_cursor} if page.next_cursor else {}
    return json_answer({"runs": [listed_view(run) for run in page.runs], **more})


@routes.route("/flowserv/runs/{run_id}", methods=["GET"])
@flowserv_answered(Scope.READ)
def show_run(run_id: str) -> Response:
    """Answer the run."""
    return _shown(asked.ports().runs.load(run_id))


@routes.route("/flowserv/runs/{run_id}", methods=["PUT"])
@flowserv_answered(Scope.SUBMIT)
def cancel_run(run_id: str) -> Response:
    """Cancel the run and answer it: CANCELED at once, its jobs end behind it."""
    request = routes.current_request
    reason = body_of(request, CancelBody).reason if request.raw_body else CANCELED
    return _shown(changes.cancel(run_id, asked.ports(), reason=reason))


@routes.route("/flowserv/runs/{run_id}", methods=["DELETE"])
@flowserv_answered(Scope.SUBMIT)
def delete_run(run_id: str) -> Response:
    """Delete the run with its files: 204; 400 before it has ended and settled."""
    changes.delete(run_id, asked.ports())
    return Response(body="", status_code=HTTPStatus.NO_CONTENT)


@routes.route("/flowserv/runs/{run_id}/downloads/archive", methods=["GET"])
@flowserv_answered(Scope.READ)
def show_archive(run_id: str) -> Response:
    """Answer the files of a successful run in a tar.gz."""
    return archive_answer(asked.ports().runs.load(run_id))


@routes.route("/flowserv/runs/{run_id}/downloads/files/{file_id}", methods=["GET"])
@flowserv_answered(Scope.READ)
def show_file(run_id: str, file_id: str) -> Response:
    """Answer the content of a file, with its type."""
    ports = asked.ports()
    file = files.get_file(ports.runs.load(run_id), ports, file_id=file_id)
    return file_answer(routes.current_request, file, asked.contents())


def _shown(run: Run) -> Response:
    return json_answer(flowserv_view(run, files.list_files(run, asked.ports())))
