"""Every kind of run that can be asked for by name, and its way in.

A run that starts others, a pipeline, knows of them what it says in its document: the kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib import engine, file_intake, function_intake, intake
from chalicelib.core import file_requests, function_requests
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.plans import demand_execution
from chalicelib.core.run import Run
from chalicelib.ports import Ports

Submit = Callable[[object, Ports], Run]


def _files(kind: str) -> Submit:
    return lambda document, ports: file_intake.submit_file_job(kind, document, ports)


def _function(kind: str) -> Submit:
    return lambda document, ports: function_intake.submit_function(kind, document, ports)


def _demand(document: object, ports: Ports) -> Run:
    """A demand's run is called as its execution is; ``run_id`` beside it says how."""
    if not isinstance(document, dict) or "run_id" not in document:
        return intake.submit(document, ports)
    body = {key: value for key, value in document.items() if key != "run_id"}
    named = {"execution_id": document["run_id"]}
    for key in ("demand_execution", "demandExecution"):
        if isinstance(body.get(key), dict):
            inner = {name: value for name, value in body[key].items() if name != "executionId"}
            return intake.submit({**body, key: {**inner, **named}}, ports)
    body.pop("executionId", None)
    return intake.submit({**body, **named}, ports)


WAYS_IN: Final[dict[str, Submit]] = {
    demand_execution.KIND: _demand,
    **{kind: _files(kind) for kind in (file_requests.SYNC, *file_requests.KINDS)},
    **{kind: _function(kind) for kind in function_requests.KINDS},
}
"""Kind → how a run of it is started."""


def start(kind: str, document: object, ports: Ports) -> Run:
    """Start a run of the kind, or return the one that is there. Raises as its way in does."""
    way_in = WAYS_IN.get(kind)
    if way_in is None:
        raise InvalidRequest(
            f"there is no kind {kind!r:.100}",
            field="kind",
            value=kind,
            mend=f"name one of {', '.join(sorted(WAYS_IN))}",
        )
    return way_in(document, ports)


def connected(ports: Ports) -> Ports:
    """Return the ports with which runs can start others, and tell them what has changed."""
    return ports._replace(start=start, tell=engine.handle)
