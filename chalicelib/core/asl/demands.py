"""A demand execution as a part (4.6)::

    request ─▶ tags ─▶ scaffolding ─▶ ┬ create-job ─────┬ ─▶ execute ─▶ stage-out ─▶ clean-up
                                      └ stage-in, each ─┘                 each         each

The scaffolding is worked out by our worker while it runs, and so a demand may be one that is
looked up. Which file systems the workers see is said before: it makes their job definitions.
A failure ends the execution, without a clean-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.asl.batch_calls import submit_prepared
from chalicelib.core.asl.expressions import Expression, at, looked_up
from chalicelib.core.asl.files import (
    REMOVE,
    Function,
    Mounts,
    distributed,
    refuse_limit,
    worker,
)
from chalicelib.core.asl.parts import (
    Part,
    Place,
    chain,
    closed,
    either,
    enclosed,
    for_each,
    passing,
    single,
)
from chalicelib.core.demand.file_systems import Candidate, FileSystemConfigurations
from chalicelib.core.documents import at_field, parse_document, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.references import has_references
from chalicelib.core.states.batch_forms import MountPointConfig
from chalicelib.core.submission import parse_submission

SCAFFOLDING: Final = Function("scaffolding", "demand.scaffolding.handler")
CREATE: Final = Function("create-job", "batch.create.handler")
_MADE: Final = ("config", "scaffolding")
_ARGS: Final = (*_MADE, "setup_results", "batch_args")
_CLEANED: Final = ("tasks", "cleanup", "cleanup_results")
_BODIES: Final = ("demand_execution", "demandExecution")
_SYSTEMS: Final = ("file_system_configurations", "fileSystemConfigurations")
_ANY_ID: Final = "unnamed"
_REQUEST: Final = at("request")
_ITEM: Final = {"request": Expression("$$.Map.Item.Value")}


def demand(request: JsonValue, place: Place, seconds: int | None) -> Part:
    """Return the part of a demand. Raises InvalidRequest."""
    refuse_limit(seconds)
    document = _whole(request)
    mounts = _mounts(document, place)
    told = looked_up(document)
    if isinstance(told["demand_execution"], dict):
        named = {"execution_id", "executionId"}.isdisjoint(told["demand_execution"])
        fresh = {"execution_id": Expression("$$.Execution.Name")} if named else {}
        told["demand_execution"] |= fresh
    return chain(
        passing(place.name("begin"), {"request": told, "config": {}, "tasks": {}}, "$"),
        _tags(place),
        _scaffolding(mounts, place),
        _setup(mounts, place),
        _execute(place),
        _stage_out(mounts, place),
        _clean_up(mounts, place),
        single(place.name("end"), {"Type": "Pass", "OutputPath": at("tasks")}),
    )


def _whole(request: JsonValue) -> dict[str, Any]:
    """Return the scaffolding's request, whichever of the two forms was given."""
    if not isinstance(request, Mapping):
        return {"demand_execution": request}
    if request.get("options"):
        raise InvalidRequest(
            "the options of a stage's own run are nothing that Step Functions knows",
            field="options",
            value=shortened(request["options"]),
            mend="leave them out",
        )
    document: dict[str, Any] = {
        key: value for key, value in request.items() if key not in {"kind", "run_id", "options"}
    }
    if set(_BODIES).isdisjoint(document):
        systems = {key: value for key, value in document.items() if key in _SYSTEMS}
        bare = {key: value for key, value in document.items() if key not in _SYSTEMS}
        document = {"demand_execution": bare, **systems}
    if "demandExecution" in document:
        document["demand_execution"] = document.pop("demandExecution")
    if not has_references(document):
        named = {"execution_id": _ANY_ID, **document["demand_execution"]}
        parse_submission({**document, "demand_execution": named})
    return document


def _mounts(document: Mapping[str, Any], place: Place) -> Mounts:
    """Return what the workers see: scratch and shared, both writable, and tmp."""
    given = next((document[key] for key in _SYSTEMS if key in document), None)
    if given is None or has_references(given):
        raise InvalidRequest(
            "the file systems decide what the workers' definitions are, so must be known before",
            field=_SYSTEMS[0],
            mend='give {"shared": {"file_system", "access_point"}, "scratch": {…}, "tmp"?: {…}}',
        )
    with at_field(_SYSTEMS[0]):
        systems = parse_document(FileSystemConfigurations, given)
        roles = {"scratch": systems.scratch, "shared": systems.shared, "tmp": systems.tmp}
        return tuple(
            _mount(role, candidate, number, place)
            for role, candidates in roles.items()
            for number, candidate in enumerate(candidates)
        )


def _mount(role: str, candidate: Candidate, number: int, place: Place) -> MountPointConfig:
    if not (candidate.file_system or "").startswith("fs-") or number:
        raise InvalidRequest(
            "each role has one file system, by its id: nothing can be chosen or found out here",
            field=f"{role}.{number}.file_system",
            value=shortened(candidate.file_system),
            mend="give one candidate, with its file_system fs-… and, if it has one, access_point",
        )
    path = candidate.container_path or place.site.default_container_paths.get(
        role, f"/opt/efs/{role}"
    )
    return MountPointConfig(
        file_system=candidate.file_system or "",
        access_point=candidate.access_point,
        container_path=path,
    )


def _tags(place: Place) -> Part:
    """The site's tags under those of the demand, which may have none. Batch takes no empty map."""
    given = at("request", "demand_execution", "execution_metadata", "tags")
    usual = {"state_machine": Expression("$$.StateMachine.Name"), **place.site.default_tags}
    usually = passing(place.name("usual-tags"), {"merged": usual}, at("tags"))
    merged = Expression(f"States.JsonMerge({at('tags', 'merged')}, {given}, false)")
    own = passing(place.name("own-tags"), {"merged": merged}, at("tags"))
    none = single(place.name("no-own-tags"), {"Type": "Pass"})
    rule = {"And": [{"Variable": given, "IsPresent": True}, {"Not": {"Variable": given, "IsNull": True}}]}  # fmt: skip  # noqa: E501
    return chain(usually, either(place.name("tags"), rule, own, none))


def _scaffolding(mounts: Mounts, place: Place) -> Part:
    part = worker(SCAFFOLDING, _REQUEST, mounts, place.below(SCAFFOLDING.name))
    selector = {name: f"$[0].{name.removesuffix('.$')}" for name in ("setup_configs.$", "cleanup_configs.$")}  # fmt: skip  # noqa: E501
    return enclosed(place.name(SCAFFOLDING.name), part, at(*_MADE), selector)


def _setup(mounts: Mounts, place: Place) -> Part:
    asked = at(*_MADE, "setup_configs", "batch_create_request")
    create = worker(CREATE, asked, (), place.below(CREATE.name))
    items = at(*_MADE, "setup_configs", "data_sync_requests")
    syncs = for_each(place.name("stage-in"), _sync("stage-in", mounts, place), items, _ITEM,
                 ResultPath=None)  # fmt: skip
    state = {
        "Type": "Parallel",
        "Branches": [closed(create), closed(syncs)],
        "ResultSelector": {"batch_args.$": "$[0]"},
        "ResultPath": at(*_MADE, "setup_results"),
    }
    return single(place.name("setup"), state)


def _execute(place: Place) -> Part:
    path = at("tasks", "batch_submit_task")
    return submit_prepared("execute", _ARGS, place, tags=at("tags", "merged"), ResultPath=path)


def _stage_out(mounts: Mounts, place: Place) -> Part:
    items = at(*_MADE, "cleanup_configs", "data_sync_requests")
    path = at(*_CLEANED, "transfer_results")
    part = _sync("stage-out", mounts, place)
    return for_each(place.name("stage-out"), part, items, _ITEM, ResultPath=path)


def _clean_up(mounts: Mounts, place: Place) -> Part:
    items = at(*_MADE, "cleanup_configs", "remove_data_paths_requests")
    path = at(*_CLEANED, "remove_data_paths_results")
    part = worker(REMOVE, _REQUEST, mounts, place.below("clean-up"))
    removal = for_each(place.name("clean-up"), part, items, _ITEM, ResultPath=path)
    nothing = single(place.name("nothing-to-remove"), {"Type": "Pass"})
    rule = {"Variable": items, "IsPresent": True}
    return either(place.name("is-cleaned-up"), rule, removal, nothing)


def _sync(name: str, mounts: Mounts, place: Place) -> Part:
    return distributed(_REQUEST, mounts, place.below(name))
