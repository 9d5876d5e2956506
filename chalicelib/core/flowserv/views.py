"""A run in the JSON of the /flowserv paths (specs: flowserv, section 7).

``workflowId`` is the run's kind and ``arguments`` the parameters of its request, as they were
given. Times have one format, which sorts as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.flowserv.files import RunFile
from chalicelib.core.run import Run, RunRecord, RunState

CANCELED: Final = "canceled at user request"
"""What a cancelled run says where no reason was given."""
_PARAMETERS: Final = ("request", "demand_execution", "execution_parameters", "params")


def flowserv_view(run: Run, files: Iterable[RunFile] = ()) -> dict[str, Any]:
    """Return the whole run; ``files`` are shown with SUCCESS only."""
    return {**_head(run), **_tail(run, files)}


def listed_view(run: RunRecord) -> dict[str, Any]:
    """Return what a list shows of a run."""
    return {"id": run.id, "state": run.state.value, "createdAt": text(run.created_at)}


def file_view(file: RunFile) -> dict[str, Any]:
    """Return a file with its type and size, as ``/runs/{id}/files`` shows it."""
    return {
        "id": file.id,
        "key": file.key,
        "mime_type": file.mime_type,
        "size_bytes": file.size_bytes,
    }


def text(at: datetime) -> str:
    """Return the time in UTC, with its offset and always six digits of the second."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _head(run: Run) -> dict[str, Any]:
    return {
        **listed_view(run),
        "workflowId": run.kind,
        "groupId": run.group,
        "arguments": arguments_of(run.plan.request),
    }


def _tail(run: Run, files: Iterable[RunFile]) -> dict[str, Any]:
    ended_at = run.ended_at or run.created_at
    match run.state:
        case RunState.PENDING:
            return {}
        case RunState.RUNNING:
            return {"startedAt": text(run.started_at or run.created_at)}
        case RunState.SUCCESS:
            return {
                "startedAt": text(run.started_at or run.created_at),
                "finishedAt": text(ended_at),
                "files": [{"id": file.id, "name": file.key} for file in files],
            }
        case RunState.ERROR | RunState.CANCELED:
            return {
                "startedAt": text(run.started_at or ended_at),
                "finishedAt": text(ended_at),
                "messages": [] if run.error is None else [run.error.message],
            }


def arguments_of(request: Mapping[str, JsonValue]) -> list[dict[str, JsonValue]]:
    """Return a demand's parameters as ``{"name", "value"}``; other kinds have none."""
    found: JsonValue = dict(request)
    for name in _PARAMETERS:
        found = found.get(name) if isinstance(found, dict) else None
    named = found if isinstance(found, dict) else {}
    return [{"name": name, "value": value} for name, value in named.items()]
