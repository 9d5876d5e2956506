"""Routes that take a demand execution: submit it, look at what would happen, define its job."""

from __future__ import annotations

from typing import Final

from chalice.app import Blueprint, Response

from chalicelib import intake
from chalicelib.core.demand.batch_args import (
    CreateDefinitionAndPrepareArgsRequest,
    CreateDefinitionAndPrepareArgsResponse,
)
from chalicelib.core.demand.scaffolding_wire import PrepareDemandScaffoldingResponse
from chalicelib.core.principals import Scope
from chalicelib.run_manager import spending
from chalicelib.web import asked
from chalicelib.web.answers import document_of, json_answer, submitted
from chalicelib.web.described import Answer, described
from chalicelib.web.problems import answered
from chalicelib.web.queries import DryRunQuery, query_of
from chalicelib.web.shapes import examples
from chalicelib.web.shapes.costs import DemandPlan
from chalicelib.web.shapes.requests import Demand
from chalicelib.web.shapes.runs import SUBMITTED, Findings, RunView

routes: Final = Blueprint(__name__)


@routes.route("/demand-executions", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(
    {**SUBMITTED, 200: Answer(RunView | DemandPlan)},
    body=Demand,
    query=DryRunQuery,
    example=examples.DEMAND,
    refuses=(404, 409),
)
def submit_demand_execution() -> Response:
    """Start a run. The same content again finds the same run, whatever has become of it.

    With ``?dry_run=true`` answer its plan, and what the group's last runs of the same type have
    cost; nothing is created.
    """
    document = document_of(routes.current_request)
    if query_of(routes.current_request, DryRunQuery).dry_run:
        return json_answer(spending.try_out(document, asked.ports()))
    return submitted(intake.submit(document, asked.ports()))


@routes.route("/demand-executions/scaffolding", methods=["POST"])
@answered(Scope.SUBMIT)
@described(
    {200: PrepareDemandScaffoldingResponse}, body=Demand, example=examples.DEMAND, refuses=(404,)
)
def preview_scaffolding() -> Response:
    """Answer PrepareDemandScaffoldingResponse; nothing is created."""
    document = document_of(routes.current_request)
    return json_answer(intake.preview(document, asked.ports()))


@routes.route("/demand-executions/check", methods=["POST"])
@answered(Scope.SUBMIT)
@described({200: Findings}, body=Demand, example=examples.DEMAND, refuses=(404,))
def check_demand_execution() -> Response:
    """Answer ``{"findings": […]}``, sentences about what would happen; nothing is created."""
    document = document_of(routes.current_request)
    return json_answer({"findings": intake.check(document, asked.ports())})


@routes.route("/job-definitions", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(
    {200: CreateDefinitionAndPrepareArgsResponse},
    body=CreateDefinitionAndPrepareArgsRequest,
    example=examples.JOB_DEFINITION,
    refuses=(404,),
)
def define_job() -> Response:
    """Find or register a job definition, and answer how to submit a job of it."""
    document = document_of(routes.current_request)
    return json_answer(intake.define_job(document, asked.ports()))
