"""A pytest plugin that writes down what the handlers, routes and workers ask of AWS.

botocore tells of each call before it is sent; whose call it is, the stack says: a handler of
``app.py``, or else a route of ``chalicelib.web``. Calls of the tests themselves are nobody's. A
worker is a process of its own and does not talk through botocore alone: its requests are known at
the server that stands in for AWS, by ``WORKER_KEY``. ``FALSEWORK_CALLS`` names the folder; each
process has a file of its own in it, a question a line.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.clouds.worker_requests import WORKER_KEY, read_request
from tests.deploy.questions import Question, asked_by

HANDLERS = {
    "on_object_created",
    "on_submission",
    "on_job_change",
    "on_wake",
    "on_sweep",
    "on_cleanup_time",
    "on_notice",
}
WORKER = "worker"
_NOTED: set[tuple[str, Question]] = set()
_TAGS: dict[str, dict[str, str]] = {}
"""Name of a job definition → its tags, for who takes it back."""


def pytest_sessionstart() -> None:
    """Listen to the session that every client of the flows is made from, and to the server."""
    from moto.server import DomainDispatcherApplication

    from tests.contract.aws_places import SESSION

    SESSION.events.register("provide-client-params.*.*", _record)
    served = DomainDispatcherApplication.__call__
    DomainDispatcherApplication.__call__ = _listening(served)


def _listening(served: Callable[..., Any]) -> Callable[..., Any]:
    def answer(application: Any, environ: dict[str, Any], start_response: Any) -> Any:
        if f"Credential={WORKER_KEY}/" in environ.get("HTTP_AUTHORIZATION", ""):
            for service, operation, params in read_request(environ):
                _note(WORKER, service, operation, params)
        return served(application, environ, start_response)

    return answer


def _record(params: dict[str, Any], model: Any, **_: Any) -> None:
    service, operation = model.service_model.service_name, model.name
    if operation == "RegisterJobDefinition":
        _TAGS[params["jobDefinitionName"]] = params.get("tags", {})
    function = _whose()
    if function is None:
        return
    if operation == "DeregisterJobDefinition":
        name = params["jobDefinition"].rpartition("/")[2].partition(":")[0]
        params = {**params, "tags": _TAGS.get(name, {})}
    if operation in {"BatchGetItem", "BatchWriteItem"}:
        params = {}
    _note(function, service, operation, params)


def _note(whose: str, service: str, operation: str, params: dict[str, Any]) -> None:
    for question in asked_by(service, operation, params):
        if (whose, question) not in _NOTED:
            _NOTED.add((whose, question))
            path = Path(os.environ["FALSEWORK_CALLS"]) / f"{os.getpid()}.jsonl"
            with path.open("a") as file:
                file.write(json.dumps([whose, *question]) + "\n")


def _whose() -> str | None:
    is_web = False
    frame = inspect.currentframe()
    while frame:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if path.endswith("/app.py") and name in HANDLERS:
            return name
        is_web = is_web or "/chalicelib/web/" in path
        frame = frame.f_back
    return "api_handler" if is_web else None
