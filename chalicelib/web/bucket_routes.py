"""Buckets: the work queue, as CHIME/FRB's ``workflow`` clients call it (specs: work, section 3).

Its base URL is ``/buckets``. Bodies are JSON lists and objects, every answer is 200 with JSON, and
the audits change things although they are GET. The client asks ``HEAD /version`` before all else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from urllib.parse import unquote

from chalice.app import Blueprint, Response

from chalicelib import bootstrap
from chalicelib.configs import noticing
from chalicelib.core.principals import Scope
from chalicelib.core.work.model import Work
from chalicelib.version import VERSION
from chalicelib.web import asked, idempotency
from chalicelib.web.answers import json_answer, value_of
from chalicelib.web.described import described
from chalicelib.web.problems import answered
from chalicelib.web.queries import is_asked_for, values_of
from chalicelib.web.shapes import examples
from chalicelib.web.shapes.works import (
    Days,
    DepositQuery,
    Filter,
    IdsQuery,
    Shown,
    Version,
    Works,
    WorksStatus,
)
from chalicelib.work_ports import WorkPorts
from chalicelib.works import audits, buckets, pushing
from chalicelib.works.views import ViewBody

routes: Final = Blueprint(__name__)


@routes.route("/buckets/version", methods=["GET", "HEAD"])
@answered(Scope.READ, is_head_open=True)
@described({200: Version})
def show_buckets_version() -> Response:
    """Answer that we are there."""
    return json_answer({"version": VERSION})


@routes.route("/buckets/work", methods=["POST"])
@answered(Scope.SUBMIT, creates=True)
@described(
    {200: Literal[True] | list[str]}, query=DepositQuery, body=Works, example=examples.WORKS
)
def deposit_works() -> Response:
    """Queue a list of works: true, or their ids with ``?return_ids=True``."""
    has_ids = is_asked_for(routes.current_request, "return_ids")
    ports, at = _queue()
    first = idempotency.first_try()
    if first is None:
        ids = buckets.deposit(value_of(routes.current_request), ports, at)
    else:
        ports = ports._replace(mint_entropy=lambda: first.entropy)
        works = value_of(routes.current_request)
        ids = buckets.deposit(works, ports, first.at, is_repeat=first.is_over)
    pushing.push_deposited(*bootstrap.dispatcher())
    return json_answer(ids if has_ids else True)


@routes.route("/buckets/work/withdraw", methods=["POST"])
@answered(Scope.SUBMIT)
@described({200: Work | None}, body=Filter, example=examples.FILTER)
def withdraw_work() -> Response:
    """Hand out the most urgent, oldest work that the filter matches, or null."""
    return json_answer(buckets.withdraw(value_of(routes.current_request), *_queue()))


@routes.route("/buckets/work", methods=["PUT"])
@answered(Scope.SUBMIT)
@described({200: bool}, body=Works, refuses=(404, 409))
def update_works() -> Response:
    """Replace works by their ids: true; false for a lease that was lost."""
    works = value_of(routes.current_request)
    done = buckets.update(works, asked.work_ports())
    noticing.notice_update(works, asked.work_ports(), asked.ports())
    return json_answer(done)


@routes.route("/buckets/work", methods=["DELETE"])
@answered(Scope.SUBMIT)
@described({200: bool}, query=IdsQuery)
def delete_works() -> Response:
    """Remove the works ``?ids=…&ids=…``: whether there was any."""
    ids = values_of(routes.current_request).get("ids", [])
    noticing.notice_removal(ids, asked.work_ports(), asked.ports())
    return json_answer(buckets.delete(ids, asked.work_ports()))


@routes.route("/buckets/view", methods=["POST"])
@answered(Scope.READ)
@described({200: Shown}, body=ViewBody, example=examples.VIEW)
def view_works() -> Response:
    """Answer the works that ``query`` matches, the oldest first."""
    return json_answer(buckets.view(value_of(routes.current_request), asked.work_ports()))


@routes.route("/buckets/status", methods=["GET"])
@answered(Scope.READ)
@described({200: WorksStatus})
def show_works_status() -> Response:
    """Answer how many works there are."""
    return json_answer(buckets.status(asked.work_ports()))


@routes.route("/buckets/status/details/{pipeline}", methods=["GET"])
@answered(Scope.READ)
@described({200: WorksStatus})
def show_pipeline_status(pipeline: str) -> Response:
    """Answer the same for one pipeline; its name comes as the path spells it."""
    return json_answer(buckets.status_of(unquote(pipeline), asked.work_ports()))


@routes.route("/buckets/status/pipelines", methods=["GET"])
@answered(Scope.READ)
@described({200: list[str]})
def list_pipelines() -> Response:
    """Answer the names of the pipelines that hold works."""
    return json_answer(buckets.pipelines(asked.work_ports()))


@routes.route("/buckets/audit/failed", methods=["GET"])
@answered(Scope.SUBMIT)
@described({200: int})
def audit_failed_works() -> Response:
    """Queue failed works again that may be tried again; answer how many."""
    return json_answer(audits.audit_failed(asked.work_ports()))


@routes.route("/buckets/audit/expired", methods=["GET"])
@answered(Scope.SUBMIT)
@described({200: int})
def audit_expired_works() -> Response:
    """Let works fail that run for too long; answer how many."""
    return json_answer(audits.audit_expired(*_queue()))


@routes.route("/buckets/audit/stale/{days}", methods=["GET"])
@answered(Scope.SUBMIT)
@described({200: int}, paths={"days": Days})
def audit_stale_works(days: str) -> Response:
    """Answer how many works are older than that; nothing changes."""
    return json_answer(audits.audit_stale(unquote(days), *_queue()))


def _queue() -> tuple[WorkPorts, datetime]:
    return asked.work_ports(), asked.ports().clock()
