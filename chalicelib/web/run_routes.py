"""Routes that show runs, and those that cancel them, resume them and roll them back."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import audits, children, engine
from chalicelib.accepting import begin_again
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import CancelRequested, ResumeRequested, RollbackRequested
from chalicelib.core.principals import Scope
from chalicelib.core.run import RunState, StageState
from chalicelib.core.view import run_view, stages_view
from chalicelib.core.why import why
from chalicelib.run_manager import ageing, spending
from chalicelib.web import asked
from chalicelib.web.answers import json_answer, run_answer
from chalicelib.web.bodies import ResumeBody, RollbackBody, body_of
from chalicelib.web.described import IF_NEWS, TAGGED, UNCHANGED, Answer, described
from chalicelib.web.problems import answered
from chalicelib.web.queries import ListQuery, LogQuery, PageQuery, query_of
from chalicelib.web.run_logs import log_text
from chalicelib.web.shapes.costs import CostedRunPage
from chalicelib.web.shapes.runs import AuditPage, ChildPage, Explanation, RunPage, RunView

routes: Final = Blueprint(__name__)
LOG: Final = Answer(str, "text/plain; charset=utf-8")


@routes.route("/runs", methods=["GET"])
@answered(Scope.READ)
@described({200: Answer(RunPage | CostedRunPage)}, query=ListQuery)
def list_runs() -> Response:
    """Answer a page of runs, newest first: ``{"runs": […], "next_cursor": …}``.

    With ``created_before`` only those that ``DELETE /runs`` would delete: the obsolete ones. With
    ``cost`` each has what it has cost.
    """
    query = query_of(routes.current_request, ListQuery)
    if query.created_before is not None:
        before = query.created_before
        wanted = ageing.Wanted(before, query.state, query.group, query.cursor, query.limit)
        page = ageing.list_obsolete(wanted, asked.ports())
    else:
        page = asked.ports().runs.list(
            state=query.state, group=query.group, cursor=query.cursor, limit=query.limit
        )
    runs = [run_view(run) for run in page.runs]
    if query.cost:
        costs = spending.briefs(page.runs, asked.ports())
        runs = [{**run, "cost": costs.get(run["id"])} for run in runs]
    return json_answer({"runs": runs, "next_cursor": page.next_cursor})


@routes.route("/runs/{run_id}", methods=["GET"])
@answered(Scope.READ)
@described({200: Answer(RunView, headers=TAGGED), 304: UNCHANGED}, headers=IF_NEWS)
def show_run(run_id: str) -> Response:
    """Answer the run."""
    run = asked.ports().runs.load(run_id)
    return run_answer(routes.current_request, run, lambda: run_view(run))


@routes.route("/runs/{run_id}/stages", methods=["GET"])
@answered(Scope.READ)
@described({200: Answer(list[StageState], headers=TAGGED), 304: UNCHANGED}, headers=IF_NEWS)
def show_stages(run_id: str) -> Response:
    """Answer the states of the run's stages, in their order."""
    run = asked.ports().runs.load(run_id)
    return run_answer(routes.current_request, run, lambda: stages_view(run))


@routes.route("/runs/{run_id}/audit", methods=["GET"])
@answered(Scope.READ)
@described({200: AuditPage}, query=PageQuery)
def show_audit(run_id: str) -> Response:
    """Answer who asked what of the run, the oldest first: ``{"entries": […], "next_cursor"}``.

    Whose token is bound to no group sees those of deleted runs, too.
    """
    query = query_of(routes.current_request, PageQuery)
    ports = asked.ports()
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
@described({200: Explanation})
def explain_run(run_id: str) -> Response:
    """Answer in sentences what the run waits for, or why it ended so, and what to do."""
    ports = asked.ports()
    run = ports.runs.load(run_id)
    below = children.failed_below(run, ports)
    told = why(run, ports.clock(), children.waited_for(run, ports), below)
    return json_answer({"run": run.id, "state": run.state, "why": told})


@routes.route("/runs/{run_id}/children", methods=["GET"])
@answered(Scope.READ)
@described({200: ChildPage}, query=PageQuery)
def list_children(run_id: str) -> Response:
    """Answer the runs that the run has started, those of earlier attempts too, by their stages."""
    query = query_of(routes.current_request, PageQuery)
    ports = asked.ports()
    run = ports.runs.load(run_id)
    page = children.page_of(run, ports, cursor=query.cursor, limit=query.limit)
    told = [child.model_dump(mode="json") for child in page.children]
    return json_answer({"children": told, "next_cursor": page.next_cursor})


@routes.route("/runs/{run_id}/logs", methods=["GET"])
@answered(Scope.READ)
@described({200: LOG}, query=LogQuery)
def show_logs(run_id: str) -> Response:
    """Answer what the run's jobs wrote, as text: all of them, or those of one stage."""
    query = query_of(routes.current_request, LogQuery)
    ports = asked.ports()
    text = log_text(ports.runs.load(run_id), query.stage, ports.jobs.log)
    return Response(body=text, headers={"Content-Type": "text/plain; charset=utf-8"})


@routes.route("/runs/{run_id}/cancel", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described({202: RunView}, refuses=(409,))
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
@answered(Scope.SUBMIT, creates=True)
@described({202: RunView}, body=ResumeBody, needs_body=False, refuses=(409,))
def resume_run(run_id: str) -> Response:
    """Let an ended run go on: 202; 409 for one that has not ended, or ended in SUCCESS."""
    body = body_of(routes.current_request, ResumeBody)
    at = asked.ports().clock()
    return _begun_again(ResumeRequested(run_id=run_id, at=at, generation=body.generation))


@routes.route("/runs/{run_id}/rollback", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described({202: RunView}, body=RollbackBody, refuses=(409,))
def roll_run_back(run_id: str) -> Response:
    """Let an ended run begin again at a stage: 202, and 409 for one that has not ended."""
    body = body_of(routes.current_request, RollbackBody)
    at = asked.ports().clock()
    return _begun_again(
        RollbackRequested(run_id=run_id, at=at, stage=body.stage, generation=body.generation)
    )


def _begun_again(event: ResumeRequested | RollbackRequested) -> Response:
    return json_answer(run_view(begin_again(event, asked.ports())), 202)
