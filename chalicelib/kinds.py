"""Every kind of run that can be asked for by name, and its way in.

A run that starts others, a pipeline, knows of them what it says in its document: the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import JsonValue

from chalicelib import (
    batch_job_intake,
    engine,
    file_intake,
    function_intake,
    intake,
    pipeline_intake,
)
from chalicelib.core import batch_job_requests, file_requests, function_requests
from chalicelib.core.batch_job_requests import parse_batch_job
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.file_requests import parse_file_request
from chalicelib.core.function_requests import parse_function_request
from chalicelib.core.kind_submissions import kind_of, named
from chalicelib.core.pipelines.model import KIND as PIPELINE
from chalicelib.core.plans.demand_execution import KIND as DEMAND
from chalicelib.core.run import Run
from chalicelib.core.submission import parse_submission
from chalicelib.ports import Ports

_BODIES: Final = ("demand_execution", "demandExecution")


class Kind(NamedTuple):
    """What can be done with a document of a kind."""

    start: Callable[[object, Ports], Run]
    check: Callable[[object, Ports], object]
    """Raises InvalidRequest for a document that is none of its; nothing is looked for."""


def submit(document: object, ports: Ports, origin: str) -> Run:
    """Start a run of the kind that the document says, of a demand where it says none.

    ``origin`` tells this document from every other that came by the same way: what comes again
    with the same one, and names no run, is the same run. Raises as the kind's way in does.
    """
    kind = kind_of(document)
    if kind is None or not isinstance(document, Mapping):
        return intake.submit(document, ports)
    body = {key: value for key, value in document.items() if key != "kind"}
    return start(kind, named(body, kind, origin), ports)


def start(kind: str, document: object, ports: Ports) -> Run:
    """Start a run of the kind, or return the one that is there. Raises as its way in does."""
    return _kind(kind).start(document, ports)


def submit_pipeline(document: object, ports: Ports, *, made_up: str | None = None) -> Run:
    """Start a pipeline of runs of all these kinds."""
    return pipeline_intake.submit_pipeline(document, ports, _checks(), made_up=made_up)


def preview_pipeline(document: object, ports: Ports) -> dict[str, JsonValue]:
    """Return the plan of a pipeline; nothing is created."""
    return pipeline_intake.preview_pipeline(document, ports, _checks())


def connected(ports: Ports) -> Ports:
    """Return the ports with which runs can start others, and tell them what has changed."""
    return ports._replace(start=start, tell=engine.handle)


def _kind(name: str) -> Kind:
    found = KINDS.get(name)
    if found is None:
        raise InvalidRequest(
            f"there is no kind {name!r:.100}",
            field="kind",
            value=shortened(name),
            mend=f"name one of {', '.join(sorted(KINDS))}",
        )
    return found


def _checks() -> Mapping[str, Callable[[object, Ports], object]]:
    return {name: kind.check for name, kind in KINDS.items()}


def _demand() -> Kind:
    return Kind(
        lambda document, ports: intake.submit(_named(document), ports),
        lambda document, ports: parse_submission(_named(document, "unnamed")),  # noqa: ARG005
    )


def _named(document: object, otherwise: str | None = None) -> object:
    """Return the demand with ``run_id`` for its execution's id: they are one."""
    if not isinstance(document, Mapping):
        return document
    body: dict[str, Any] = {key: value for key, value in document.items() if key != "run_id"}
    outer = next((key for key in _BODIES if isinstance(body.get(key), Mapping)), None)
    inner = dict(body[outer]) if outer else body
    is_named = not {"execution_id", "executionId"}.isdisjoint(inner)
    name = document.get("run_id", None if is_named else otherwise)
    if name is not None:
        inner = {key: value for key, value in inner.items() if key != "executionId"}
        inner["execution_id"] = name
    return {**body, outer: inner} if outer else inner


def _files(kind: str) -> Kind:
    return Kind(
        lambda document, ports: file_intake.submit_file_job(kind, document, ports),
        lambda document, ports: parse_file_request(kind, document, ports.site),
    )


def _function(kind: str) -> Kind:
    return Kind(
        lambda document, ports: function_intake.submit_function(kind, document, ports),
        lambda document, ports: parse_function_request(kind, document, ports.site),
    )


def _batch_job() -> Kind:
    return Kind(
        batch_job_intake.submit_batch_job,
        lambda document, ports: parse_batch_job(document, ports.site),
    )


def _pipeline() -> Kind:
    return Kind(submit_pipeline, preview_pipeline)


KINDS: Final[dict[str, Kind]] = {
    DEMAND: _demand(),
    PIPELINE: _pipeline(),
    batch_job_requests.KIND: _batch_job(),
    **{kind: _files(kind) for kind in (file_requests.SYNC, *file_requests.KINDS)},
    **{kind: _function(kind) for kind in function_requests.KINDS},
}
"""Kind → what can be done with its documents."""
