"""Routes that show runs, and those that cancel them, resume them and roll them back."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import audits, engine
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import CancelRequested, ResumeRequested, RollbackRequested
from chalicelib.core.principals import Scope
from chalicelib.core.run import RunState
from chalicelib.core.view import run_view, stages_view
from chalicelib.core.why import why
from chalicelib.run_manager import ageing
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.bodies import ResumeBody, RollbackBody, body_of
from chalicelib.web.problems import answered
from chalicelib.web.queries import LogQuery, PageQuery, RunQuery, query_of
from chalicelib.web.run_logs import log_text

routes: Final = Blueprint(__name__)


@routes.route("/runs", methods=["GET"])
@answered(Scope.READ)
def list_runs() -> Response:
    """Answer a page of runs, newest first: ``{"runs": […], "next_cursor": …}``.

    With ``created_before`` only those that ``DELETE /runs`` would delete: the obsolete ones.
    """
    query = query_of(routes.current_request, RunQuery)
    if query.created_before is not None:
        before = query.created_before
        wanted = ageing.Wanted(before, query.state, query.group, query.cursor, query.limit)
        page = ageing.list_obsolete(wanted, asked.ports())
    else:
        page = asked.ports().runs.list(
            state=query.state, group=query.group, cursor=query.cursor, limit=query.limit
        )
    return json_answer(
        {"runs": [run_view(run) for run in page.runs], "next_cursor": page.next_cursor}
    )


@routes.route("/runs/{run_id}", methods=["GET"])
@answered(Scope.READ)
def show_run(run_id: str) -> Response:
    """Answer the run."""
    return json_answer(run_view(asked.ports().runs.load(run_id)))


@routes.route("/runs/{run_id}/stages", methods=["GET"])
@answered(Scope.READ)
def show_stages(run_id: str) -> Response:
    """Answer the states of the run's stages, in their order."""
    return json_answer(stages_view(asked.ports().runs.load(run_id)))


@routes.route("/runs/{run_id}/audit", methods=["GET"])
@answered(Scope.READ)
def show_audit(run_id: str) -> Response:
    """Answer who asked what of the run, the oldest first: ``{"entries": […], "next_cursor"}``.

    Whose token is bound to no group sees those of deleted runs, too.
    """
    query = query_of(routes.current_request, PageQuery)
    ports = asked.ports()
    if ports.caller.principal.groups is not None:
        ports.runs.load(run_id)
    found = audits.entries(run_id, ports, after=query.cursor or "", limit=query.limit)
    if not found:
        ports.runs.load(run_id)
    is_full = len(found) == query.limit
    return json_answer(
        {
            "entries": [entry.model_dump(mode="json") for _, entry in found],
            "next_cursor": found[-1][0] if is_full else None,
        }
    )


@routes.route("/runs/{run_id}/why", methods=["GET"])
@answered(Scope.READ)
def explain_run(run_id: str) -> Response:
    """Answer in sentences what the run waits for, or why it ended so, and what to do."""
    ports = asked.ports()
    run = ports.runs.load(run_id)
    return json_answer({"run": run.id, "state": run.state, "why": why(run, ports.clock())})


@routes.route("/runs/{run_id}/logs", methods=["GET"])
@answered(Scope.READ)
def show_logs(run_id: str) -> Response:
    """Answer what the run's jobs wrote, as text: all of them, or those of one stage."""
    query = query_of(routes.current_request, LogQuery)
    ports = asked.ports()
    text = log_text(ports.runs.load(run_id), query.stage, ports.jobs.log)
    return Response(body=text, headers={"Content-Type": "text/plain; charset=utf-8"})


@routes.route("/runs/{run_id}/cancel", methods=["POST"])
@answered(Scope.SUBMIT)
def cancel_run(run_id: str) -> Response:
    """Cancel the run: 202, and 409 for one that has ended."""
    ports = asked.ports()
    try:
        run = engine.handle(CancelRequested(run_id=run_id, at=ports.clock()), ports)
    except Unavailable:  # once it is saved it is accepted: the jobs are stopped by the sweep
        run = ports.runs.load(run_id)
        if run.state is not RunState.CANCELED:
            raise
    return json_answer(run_view(run), 202)


@routes.route("/runs/{run_id}/resume", methods=["POST"])
@answered(Scope.SUBMIT)
def resume_run(run_id: str) -> Response:
    """Let an ended run go on: 202; 409 for one that has not ended, or ended in SUCCESS."""
    body = body_of(routes.current_request, ResumeBody)
    at = asked.ports().clock()
    return _begun_again(ResumeRequested(run_id=run_id, at=at, generation=body.generation))


@routes.route("/runs/{run_id}/rollback", methods=["POST"])
@answered(Scope.SUBMIT)
def roll_run_back(run_id: str) -> Response:
    """Let an ended run begin again at a stage: 202, and 409 for one that has not ended."""
    body = body_of(routes.current_request, RollbackBody)
    at = asked.ports().clock()
    return _begun_again(
        RollbackRequested(run_id=run_id, at=at, stage=body.stage, generation=body.generation)
    )


def _begun_again(event: ResumeRequested | RollbackRequested) -> Response:
    """Once the new generation is saved the request is accepted: the rest is owed."""
    ports = asked.ports()
    before = ports.runs.load(event.run_id).generation
    try:
        run = engine.handle(event, ports)
    except Unavailable:
        run = ports.runs.load(event.run_id)
        if run.generation == before:
            raise
    return json_answer(run_view(run), 202)
