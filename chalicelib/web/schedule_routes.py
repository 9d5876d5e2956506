"""Schedules of configs, as CHIME/FRB's ``workflow`` clients call them (specs: work, section 6)."""

from __future__ import annotations

import json
from typing import Final

from chalice.app import Blueprint, Response

from chalicelib.configs import schedules
from chalicelib.configs.reading import StatusQuery, read_json
from chalicelib.core.configs.model import ScheduledConfig
from chalicelib.core.principals import Scope
from chalicelib.web.answers import document_of, json_answer
from chalicelib.web.config_routes import origin, own_ports
from chalicelib.web.described import described
from chalicelib.web.problems import answered, from_error, guarded
from chalicelib.web.queries import query_of
from chalicelib.web.shapes import examples
from chalicelib.web.shapes.configs import (
    Counts,
    MadeSchedule,
    OneQuery,
    RemovedSchedule,
    ScheduleCountQuery,
)
from chalicelib.web.shapes.works import Shown

routes: Final = Blueprint(__name__)


def _with_message(error: Exception) -> Response:
    """Return the problem with its detail as ``message``, which the command line prints."""
    response = from_error(error)
    problem = json.loads(str(response.body))
    response.body = json.dumps({**problem, "message": problem["detail"]})
    return response


@routes.route("/pipelines/v2/schedule", methods=["POST"])
@guarded(Scope.SUBMIT, _with_message, creates=True)
@described({200: MadeSchedule}, body=ScheduledConfig, example=examples.SCHEDULE, refuses=(409,))
def schedule_config() -> Response:
    """Let a config be deployed whenever its crontab says so, in UTC."""
    works, ports = own_ports()
    sent = document_of(routes.current_request)
    return json_answer(schedules.schedule(sent, ports, origin(works, ports)))


@routes.route("/pipelines/v2/schedule", methods=["GET"])
@answered(Scope.READ)
@described({200: Shown}, query=StatusQuery, refuses=(404, 414))
def list_schedules() -> Response:
    """List schedules, the oldest first; 404 where one is asked for by its id and is not there."""
    _, ports = own_ports()
    asked_for = query_of(routes.current_request, StatusQuery)
    return json_answer(schedules.list_schedules(asked_for, ports))


@routes.route("/pipelines/v2/schedule", methods=["DELETE"])
@answered(Scope.SUBMIT)
@described({200: RemovedSchedule}, query=OneQuery, refuses=(404, 414))
def remove_schedule() -> Response:
    """Forget a schedule; what it has spawned goes on."""
    _, ports = own_ports()
    query = read_json(query_of(routes.current_request, OneQuery).query, "query")
    return json_answer(schedules.remove_schedule(query, ports))


@routes.route("/pipelines/v2/schedule/count", methods=["GET"])
@answered(Scope.READ)
@described({200: Counts}, query=ScheduleCountQuery, refuses=(414,))
def count_schedules() -> Response:
    """Answer how many schedules there are by the name of their config."""
    _, ports = own_ports()
    query = query_of(routes.current_request, ScheduleCountQuery).query
    return json_answer(schedules.count_schedules(query, ports))
