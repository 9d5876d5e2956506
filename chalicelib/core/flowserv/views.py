"""A run in the JSON of the /flowserv paths (specs: flowserv, section 7).

``workflowId`` is the run's kind and ``arguments`` the parameters of its request, unless it was
created from a workflow: then they are the workflow and the arguments as they were given. Times
have one format, which sorts as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.flowserv.files import RunFile
from chalicelib.core.flowserv.results import Ranked, ResultSchema
from chalicelib.core.flowserv.workflows import DeclaredOutput, Made, shown_parameters
from chalicelib.core.run import Run, RunRecord, RunState

CANCELED: Final = "canceled at user request"
"""What a cancelled run says where no reason was given."""
_PARAMETERS: Final = ("request", "demand_execution", "execution_parameters", "params")


def flowserv_view(
    run: Run, files: Iterable[RunFile] = (), made: Made | None = None
) -> dict[str, Any]:
    """Return the whole run; ``files`` are shown with SUCCESS only.

    ``made``: what it was created from, if it was.
    """
    head = _head(run) if made is None else _made_head(run, made)
    return {**head, **_tail(run, _files(files, made))}


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


def leaderboard_view(schema: ResultSchema, ranked: Iterable[Ranked]) -> dict[str, Any]:
    """Return a workflow's ranking, best first."""
    return {
        "schema": [
            column.model_dump(mode="json", include={"name", "label", "dtype"})
            for column in schema.columns
        ],
        "ranking": [
            {
                "run": {"id": run.run_id, "createdAt": run.created_at},
                "group": {"id": run.group},
                "results": [{"name": n, "value": value} for n, value in run.results.items()],
            }
            for run in ranked
        ],
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


def _made_head(run: Run, made: Made) -> dict[str, Any]:
    shown = {
        **listed_view(run),
        "workflowId": made.origin.workflow,
        "arguments": [each.model_dump(mode="json") for each in made.origin.arguments],
    }
    if made.is_post_processing:
        return shown
    shown["groupId"] = run.group
    return (
        shown if made.workflow is None else shown | {"parameters": shown_parameters(made.workflow)}
    )


def _files(files: Iterable[RunFile], made: Made | None) -> list[dict[str, Any]]:
    declared = {} if made is None else {each.source: each for each in made.outputs}
    return [{"id": file.id, **_named(file, declared.get(file.key))} for file in files]


def _named(file: RunFile, declared: DeclaredOutput | None) -> dict[str, Any]:
    if declared is None:
        return {"name": file.key}
    about = declared.model_dump(mode="json", exclude={"source", "key"}, exclude_none=True)
    return {"name": declared.key or file.key, **about}


def _tail(run: Run, files: list[dict[str, Any]]) -> dict[str, Any]:
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
                "files": files,
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
