"""Routes to what runs left behind, and those that take it away.

======================================  =======================================================
``GET /runs/{id}/files``                their list; with ``?key=`` the content of one
``GET /runs/{id}/files/{file id}``      the content of one
``GET /runs/{id}/archive``              all of them in a tar.gz
``GET /runs/{id}/results``              what the Site's schema for the group reads out of one
``GET /groups/{g}/runs``, ``/ranking``  a group's runs; those with results, best first
``DELETE /runs/{id}``                   the run; with ``?files=true`` its outputs too
``DELETE /runs?created_before=``        a page of obsolete runs; ``GET`` shows them
======================================  =======================================================
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from chalice.app import Blueprint, Response

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.flowserv.views import file_view
from chalicelib.core.principals import Scope
from chalicelib.core.run import RunRecord
from chalicelib.core.view import run_view
from chalicelib.run_manager import ageing, files, results
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.described import NOTHING, Answer, described
from chalicelib.web.downloads import archive_answer, deleted, run_file_answer
from chalicelib.web.problems import answered
from chalicelib.web.queries import (
    DeleteRunQuery,
    DeleteRunsQuery,
    FileQuery,
    GroupQuery,
    query_of,
)
from chalicelib.web.shapes.downloads import ARCHIVE_ANSWERS, FILE, FILE_ANSWERS, RANGES
from chalicelib.web.shapes.files import FileList, Ranking, RunResults
from chalicelib.web.shapes.runs import DeletedRuns, RunPage

routes: Final = Blueprint(__name__)


@routes.route("/runs", methods=["DELETE"])
@answered(Scope.SUBMIT)
@described({200: DeletedRuns}, query=DeleteRunsQuery, refuses=(409,))
def delete_obsolete_runs() -> Response:
    """Delete a page of obsolete runs: ``{"deleted", "ids", "kept", "next_cursor"}``."""
    query = query_of(routes.current_request, DeleteRunsQuery)
    if query.created_before is None:
        raise InvalidRequest(
            "runs are deleted by age only",
            field="created_before",
            mend="give created_before=2026-01-31 or a time, or DELETE one run by its id",
        )
    wanted = ageing.Wanted(
        query.created_before, query.state, query.group, query.cursor, query.limit, query.files
    )
    done = ageing.delete_obsolete(wanted, asked.ports())
    return json_answer({"deleted": len(done.ids), **done._asdict()})


@routes.route("/runs/{run_id}", methods=["DELETE"])
@answered(Scope.SUBMIT)
@described({204: NOTHING}, query=DeleteRunQuery, refuses=(409,))
def delete_run(run_id: str) -> Response:
    """Delete a run that has ended: 204; 409 before it has settled.

    ``files=true`` deletes its outputs as well.
    """
    query = query_of(routes.current_request, DeleteRunQuery)
    return deleted(run_id, with_files=query.files)


@routes.route("/runs/{run_id}/files", methods=["GET"])
@answered(Scope.READ)
@described({**FILE_ANSWERS, 200: [Answer(FileList | Any), FILE]}, query=FileQuery, headers=RANGES)
def list_files(run_id: str) -> Response:
    """Answer ``{"files": [{"id", "key", "mime_type", "size_bytes"}]}``, or one by its key."""
    query = query_of(routes.current_request, FileQuery)
    ports = asked.ports()
    run = ports.runs.load(run_id)
    if query.key is None:
        return json_answer({"files": [file_view(file) for file in files.list_files(run, ports)]})
    return run_file_answer(routes.current_request, run, key=query.key)


@routes.route("/runs/{run_id}/files/{file_id}", methods=["GET"])
@answered(Scope.READ)
@described(FILE_ANSWERS, headers=RANGES)
def show_file(run_id: str, file_id: str) -> Response:
    """Answer the content of a file."""
    run = asked.ports().runs.load(run_id)
    return run_file_answer(routes.current_request, run, file_id=file_id)


@routes.route("/runs/{run_id}/archive", methods=["GET"])
@answered(Scope.READ)
@described(ARCHIVE_ANSWERS, refuses=(409, 429))
def show_archive(run_id: str) -> Response:
    """Answer all files of a successful run in a tar.gz; 202 while a run makes it."""
    return archive_answer(asked.ports().runs.load(run_id), "/runs")


@routes.route("/runs/{run_id}/results", methods=["GET"])
@answered(Scope.READ)
@described({200: RunResults})
def show_results(run_id: str) -> Response:
    """Answer ``{"run", "results"}``; 404 where the group has no schema or the run no file."""
    ports = asked.ports()
    run = ports.runs.load(run_id)
    return json_answer({"run": run.id, "results": results.results_of(run, ports)})


@routes.route("/groups/{group}/runs", methods=["GET"])
@answered(Scope.READ)
@described({200: RunPage}, query=GroupQuery)
def list_group(group: str) -> Response:
    """Answer a page of the group's runs, as ``GET /runs`` does."""
    query = query_of(routes.current_request, GroupQuery)
    page = asked.ports().runs.list(
        group=unquote(group), state=query.state, cursor=query.cursor, limit=query.limit
    )
    return runs_answer(page.runs, page.next_cursor)


@routes.route("/groups/{group}/ranking", methods=["GET"])
@answered(Scope.READ)
@described({200: Ranking}, refuses=(422,))
def rank_group(group: str) -> Response:
    """Answer ``{"schema", "ranking": [{"run", "created_at", "results"}]}``, best first."""
    ports, group = asked.ports(), unquote(group)
    schema = results.schema_of(group, ports.site)
    ranked = [
        {"run": run.run_id, "created_at": run.created_at, "results": run.results}
        for run in results.rank_group(group, ports)
    ]
    shown = schema.model_dump(mode="json", by_alias=True)
    return json_answer({"schema": shown, "ranking": ranked})


def runs_answer(runs: tuple[RunRecord, ...], next_cursor: str | None) -> Response:
    """Answer a page of runs."""
    page: dict[str, Any] = {"runs": [run_view(run) for run in runs], "next_cursor": next_cursor}
    return json_answer(page)
