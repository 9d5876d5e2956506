"""Configs and their pipelines, as CHIME/FRB's ``workflow`` clients call them (specs: work, 6).

Their base URL is ``/pipelines/v2``, and the schedules' too. They belong to the work queue, and so
to its group: whoever does not see the queue sees none of this.
"""

from __future__ import annotations

from typing import Any, Final

from chalice.app import Blueprint, Response

from chalicelib import bootstrap
from chalicelib.configs import changing, deploying, reading
from chalicelib.configs.deploying import Origin
from chalicelib.configs.reading import ConfigsQuery, CountQuery, StatusQuery
from chalicelib.core.configs.model import ConfigPlan
from chalicelib.core.principals import Scope
from chalicelib.ports import Ports
from chalicelib.version import VERSION
from chalicelib.web import asked, idempotency
from chalicelib.web.answers import document_of, json_answer
from chalicelib.web.bodies import body_of
from chalicelib.web.described import NOTHING, described
from chalicelib.web.problems import answered
from chalicelib.web.queries import query_of
from chalicelib.web.shapes import examples
from chalicelib.web.shapes.configs import (
    Counts,
    DeployedConfig,
    OneQuery,
    PipelinesStatus,
    RetriedConfig,
    RetryBody,
    StoppedConfig,
)
from chalicelib.web.shapes.works import Shown, Version
from chalicelib.work_ports import WorkPorts
from chalicelib.works import pushing

routes: Final = Blueprint(__name__)


@routes.route("/pipelines/v2/version", methods=["GET", "HEAD"])
@answered(Scope.READ, is_head_open=True)
@described({200: Version})
def show_pipelines_version() -> Response:
    """Answer that we are there."""
    return json_answer({"version": VERSION})


@routes.route("/pipelines/v2/configs", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described({200: DeployedConfig}, body=ConfigPlan, example=examples.CONFIG)
def deploy_config() -> Response:
    """Deploy a config: its pipelines' first stages are queued as works."""
    works, ports = own_ports()
    made = deploying.deploy(
        document_of(routes.current_request), works, ports, origin(works, ports)
    )
    pushing.push_deposited(*bootstrap.dispatcher())
    return json_answer(made)


@routes.route("/pipelines/v2/configs/migrate", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described({200: DeployedConfig}, body=dict[str, Any], example=examples.CONFIG)
def migrate_config() -> Response:
    """Deploy a config of version 1, or one that a server of version 1 kept."""
    works, ports = own_ports()
    sent = document_of(routes.current_request)
    made = deploying.migrate(sent, works, ports, origin(works, ports))
    pushing.push_deposited(*bootstrap.dispatcher())
    return json_answer(made)


@routes.route("/pipelines/v2/configs", methods=["GET"])
@answered(Scope.READ)
@described({200: Shown}, query=ConfigsQuery, refuses=(414,))
def list_configs() -> Response:
    """List configs, or with ``database=pipelines`` their pipelines; the newest of a name first."""
    _, ports = own_ports()
    return json_answer(reading.list_configs(query_of(routes.current_request, ConfigsQuery), ports))


@routes.route("/pipelines/v2/configs/count", methods=["GET"])
@answered(Scope.READ)
@described({200: Counts}, query=CountQuery)
def count_configs() -> Response:
    """Answer how many configs, or pipelines, there are of each name."""
    _, ports = own_ports()
    wanted = query_of(routes.current_request, CountQuery)
    return json_answer(reading.count(wanted.database, ports))


@routes.route("/pipelines/v2/configs", methods=["DELETE"])
@answered(Scope.SUBMIT)
@described({204: NOTHING}, query=OneQuery, refuses=(404, 409, 414))
def remove_config() -> Response:
    """Forget a config that is over; its works stay in the queue and in the results."""
    works, ports = own_ports()
    wanted = query_of(routes.current_request, OneQuery)
    changing.remove(reading.read_json(wanted.query, "query"), wanted.name, works, ports)
    return Response(body="", status_code=204)


@routes.route("/pipelines/v2/configs/cancel", methods=["PUT"])
@answered(Scope.SUBMIT)
@described({200: StoppedConfig, 304: NOTHING}, query=OneQuery, refuses=(404, 414))
def cancel_config() -> Response:
    """Take the queued works of a config back; 304 where all of it is over already."""
    works, ports = own_ports()
    wanted = query_of(routes.current_request, OneQuery)
    query = reading.read_json(wanted.query, "query")
    stopped = changing.cancel(query, wanted.name, works, ports)
    return Response(body="", status_code=304) if stopped is None else json_answer(stopped)


@routes.route("/pipelines/v2/configs/retry", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described({200: RetriedConfig}, body=RetryBody, example=examples.RETRY, refuses=(404,))
def retry_config() -> Response:
    """Queue works again in the place of those that failed or were cancelled."""
    works, ports = own_ports()
    wanted = body_of(routes.current_request, RetryBody)
    told = changing.retry({"id": wanted.id}, wanted.name, works, ports)
    pushing.push_deposited(*bootstrap.dispatcher())
    return json_answer(told)


@routes.route("/pipelines/v2/status", methods=["GET"])
@answered(Scope.READ)
@described({200: PipelinesStatus}, query=StatusQuery, refuses=(414,))
def show_pipelines_status() -> Response:
    """Answer how many pipelines there are, in all and by their status."""
    _, ports = own_ports()
    return json_answer(reading.status(query_of(routes.current_request, StatusQuery), ports))


def own_ports() -> tuple[WorkPorts, Ports]:
    """Return the work queue and what is beside it. Raises NotFound for who does not see it."""
    return asked.work_ports(), asked.ports()


def origin(works: WorkPorts, ports: Ports) -> Origin:
    """Return what the id of something new is made of; every try of one request has the same."""
    first = idempotency.first_try()
    if first is None:
        return Origin(ports.clock(), works.mint_entropy())
    return Origin(first.at, first.entropy)
