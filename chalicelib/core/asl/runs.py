"""A pipeline's stages that start runs, with what is done around them (4.8).

Each is one state, Parallel or Map, whose states see a copy of the document; its result is added to
it. The hooks of a status are caught: their failures change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.asl import demands, files, jobs
from chalicelib.core.asl.expressions import Expression, at, looked_up
from chalicelib.core.asl.parts import (
    ANY_ERROR,
    Part,
    Place,
    chain,
    enclosed,
    for_each,
    passing,
    single,
)
from chalicelib.core.batch_job_requests import KIND as BATCH_JOB
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.model import KIND, Hook, RunStage
from chalicelib.core.plans.demand_execution import KIND as DEMAND
from chalicelib.core.states.merging import merged

KINDS: Final = (DEMAND, KIND, *jobs.KINDS, *files.KINDS)
"""The kinds of run that there are states for."""
_IN_ITEMS: Final = ("input", "stages", "run")


def run_stage(stage: RunStage, seconds: int | None, place: Place) -> Part:
    """Return the stage with what is done around it (4.8)."""
    hooks = stage.status
    task = _task(stage, seconds, place)
    if hooks.failed is not None and not stage.may_fail:
        task = _telling(stage, hooks.failed, task, place)
    around = [
        _hook(stage, "augment_input", hooks.augment_input, place),
        _hook(stage, "started", hooks.started, place),
        _hook(stage, "pre_run", hooks.pre_run, place),
        task,
        _hook(stage, "post_run", hooks.post_run, place),
        _hook(stage, "completed", hooks.completed, place),
    ]
    return chain(*(part for part in around if part is not None))


def _telling(stage: RunStage, hook: Hook, task: Part, place: Place) -> Part:
    """Return the task that, failing, has the hook run, and then fails as it did."""
    told = _hook(stage, "failed", hook, place)
    assert told is not None  # noqa: S101 -- there is a hook
    error = {"Type": "Fail", "ErrorPath": at("error", "Error"), "CausePath": at("error", "Cause")}
    ending = chain(told, single(place.name(f"{stage.name}.is-failed"), error))
    return _catching(task, at("error"), ending)


def _catching(task: Part, path: str | None, ending: Part) -> Part:
    caught = {"ErrorEquals": [ANY_ERROR], "ResultPath": path, "Next": ending.start}
    last = next(reversed(task.states))  # before it there may be one that looks up the items
    state = {**task.states[last], "Catch": [caught]}
    return Part(task.start, {**task.states, last: state, **ending.states})


def _hook(stage: RunStage, name: str, hook: Hook | None, place: Place) -> Part | None:
    """Return the hook's part; those of a status may fail."""
    if hook is None:
        return None
    whole, keeps = f"{stage.name}.{name}", name == "augment_input"
    with at_field(f"status.{name}.request"):
        part = run_part(hook.kind, hook.request, {}, place.below(whole), None)
    path = at("stages", whole) if keeps else None
    task = enclosed(place.name(whole), part, path, {"result.$": "$[0]"} if keeps else {})
    if name not in {"started", "completed", "failed"}:
        return task
    return _catching(task, None, single(place.name(f"{whole}.may-fail"), {"Type": "Pass"}))


def _task(stage: RunStage, seconds: int | None, place: Place) -> Part:
    if stage.for_each is not None:
        files.refuse_limit(seconds)
    name = place.name(stage.name)
    with at_field("request"):
        part = run_part(
            stage.kind, stage.request, stage.defaults, place.below(stage.name), seconds
        )
    if stage.for_each is None:
        task = enclosed(name, part, _result(stage), _selector(stage, "$[0]"), **_retry(place))
    else:
        task = _mapped(stage, name, part, place)
    if not stage.may_fail:
        return task
    done = single(place.name(f"{stage.name}.may-fail"), {"Type": "Pass"})
    return _catching(task, at("stages", stage.name, "result"), done)


def _mapped(stage: RunStage, name: str, part: Part, place: Place) -> Part:
    """The items are looked up before: ItemsPath knows no functions and no filters."""
    items = passing(
        place.name(f"{stage.name}.items"), {"items": looked_up(stage.for_each)}, at("for_each")
    )
    seen = {each: at(each) for each in _IN_ITEMS}
    seen |= {"item": Expression("$$.Map.Item.Value"), "index": Expression("$$.Map.Item.Index")}
    mapping = for_each(
        name,
        part,
        at("for_each", "items"),
        seen,
        MaxConcurrency=stage.at_once,
        ResultSelector=_selector(stage, "$"),
        ResultPath=_result(stage),
        **_retry(place),
    )
    return chain(items, mapping)


def _result(stage: RunStage) -> Expression:
    return at("stages", stage.name)


def _selector(stage: RunStage, found: str) -> dict[str, Any]:
    return {"result.$": found} if stage.keep_results else {"result": None}


def _retry(place: Place) -> dict[str, Any]:
    return {"Retry": list(place.retry)} if place.retry else {}


def run_part(
    kind: str,
    request: JsonValue,
    defaults: Mapping[str, JsonValue],
    place: Place,
    seconds: int | None,
) -> Part:
    """Return the part of a run; what comes out is what the run comes to."""
    told: Any = merged(defaults, request) if isinstance(request, dict) else request
    if kind in files.KINDS or kind == DEMAND:
        if isinstance(told, str) and defaults:
            raise _unknown(kind, told, "write the request's fields, each with a reference")
        if kind == DEMAND:
            return demands.demand(told, place, seconds)
        return files.files(kind, told, place, seconds)
    if kind == BATCH_JOB and isinstance(told, str) and not defaults:
        return jobs.prepared(told, place, seconds)
    if not isinstance(told, dict):
        raise _unknown(kind, told, "write its fields, each with a reference: $.item.image, …")
    if kind == KIND:
        files.refuse_limit(seconds)
        return place.nested(told, place._replace(retry=()))
    bare = {key: value for key, value in told.items() if key not in {"kind", "run_id"}}
    return jobs.KINDS[kind](bare, place, seconds)


def _unknown(kind: str, request: JsonValue, mend: str) -> InvalidRequest:
    return InvalidRequest(
        f"which states a {kind} has is not to be known where all of its request is looked up",
        field="",
        value=shortened(request),
        mend=mend,
    )
