"""What the stages of a run can refer to, and what the run itself comes to.

::

    {"input": …, "stages": {NAME: {"result": …}}, "run": {"id", "group"}, "item": …, "index": n}

Looking something up twice finds the same: also what is fresh (``States.UUID``) follows from the
run, the stage's attempt and the place of the item.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.documents import shortened, well_formed
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import STATES_PAYLOAD_BYTES
from chalicelib.core.plans.run_actions import PIPELINE, Choose, RunsAction
from chalicelib.core.run import Run, StageStatus
from chalicelib.core.states.choices import holds
from chalicelib.core.states.failures import TASK_FAILED, StatesFailure, failure_of
from chalicelib.core.states.intrinsics import Scope, evaluate
from chalicelib.core.states.merging import merged
from chalicelib.core.states.room import Room
from chalicelib.core.states.templates import resolved

_OF_ITS_OWN: Final = ("stages", "output")
_REFERENCES: Final = ("$.", "$$.", "$[", "States.")
NO_CHOICE: Final = "no rule of the choice holds, and it has no default (States.NoChoiceMatched)"


class Item(NamedTuple):
    """One of the items of a stage that starts a run for each."""

    value: JsonValue
    place: int
    """From 0 on; ``index`` in references."""


def is_reference(value: object) -> bool:
    """Tell whether a text refers to something. ``${IN}`` of a command does not."""
    return isinstance(value, str) and (value == "$" or value.startswith(_REFERENCES))


def scope_of(run: Run, stage: str, item: Item | None = None) -> Scope:
    """Return what the stage can refer to."""
    results: dict[str, JsonValue] = {
        each.stage_name: {"result": each.result}
        for each in run.stages
        if each.status is StageStatus.COMPLETE
    }
    document: dict[str, JsonValue] = {
        "input": run.plan.request.get("input"),
        "stages": results,
        "run": {"id": run.id, "group": run.group},
        **({"error": _error(run)} if run.error is not None else {}),
        **({} if item is None else {"item": item.value, "index": item.place}),
    }
    context: dict[str, JsonValue] = {"Execution": {"Name": run.id}}
    return Scope(document, context, _minting(run, stage, item), Room())


def value_of(run: Run, stage: str, tree: JsonValue) -> JsonValue:
    """Return the tree with the values in the place of its references.

    Raises InvalidRequest, also for more than a stage's result may be.
    """
    value: JsonValue = well_formed(resolved(tree, scope_of(run, stage), is_reference))
    size_bytes = len(json.dumps(value).encode())
    if size_bytes > STATES_PAYLOAD_BYTES:
        raise InvalidRequest(
            f"the value has {size_bytes:,} bytes, and a result may have {STATES_PAYLOAD_BYTES:,}",
            field=stage,
            mend="refer to less of it, or leave it in a bucket and hand on where it is",
        )
    return value


def items_of(run: Run, stage: str, action: RunsAction) -> list[JsonValue] | None:
    """Return the items of a stage; None where it is not one for each. Raises InvalidRequest."""
    if action.for_each is None:
        return None
    found = evaluate(action.for_each, scope_of(run, stage))
    if not isinstance(found, list):
        raise no_list(action.for_each, found)
    return found


def no_list(for_each: str, found: JsonValue) -> InvalidRequest:
    """Return the error for a ``for_each`` that finds something else."""
    return InvalidRequest(
        f"there is no list at {shortened(for_each)}",
        field="for_each",
        value=shortened(found),
        mend="refer to a list, or make one: States.Array(…)",
    )


def request_of(run: Run, stage: str, action: RunsAction, item: Item | None) -> JsonValue:
    """Return the document with which the stage's run is started. Raises InvalidRequest."""
    scope = scope_of(run, stage, item)
    if not isinstance(action.request, str):
        looked_up, literal = parts_of(action.kind, action.request)
        found = resolved(looked_up, scope, is_reference)
        return {**found, **literal} if isinstance(found, dict) else found
    found = resolved(action.request, scope, is_reference)
    if not action.defaults or not isinstance(found, dict):
        return found
    under = resolved(dict(action.defaults), scope, is_reference)
    return merged(under, found) if isinstance(under, dict) else found


def parts_of(
    kind: str, request: Mapping[str, JsonValue]
) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Return what of a request is looked up before its run is started, and what is left as it is.

    The stages of a pipeline within a pipeline, and its output, refer to its own input.
    """
    own = _OF_ITS_OWN if kind == PIPELINE else ()
    literal = {name: request[name] for name in own if _is_literal(name, request.get(name))}
    return {name: value for name, value in request.items() if name not in literal}, literal


def _is_literal(name: str, value: JsonValue) -> bool:
    """No text is a list of stages: as one it stands for one."""
    return value is not None and not (name == "stages" and isinstance(value, str))


def choice_of(run: Run, stage: str, action: Choose) -> str | None:
    """Return the branch that is taken; None where there is none for it."""
    scope = scope_of(run, stage)
    for case in action.cases:
        if holds(case.when, scope):
            return case.then
    return action.default


def _error(run: Run) -> JsonValue:
    assert run.error is not None  # noqa: S101 -- asked before
    failure = failure_of(run) or StatesFailure(Error=TASK_FAILED, Cause=run.error.message)
    return failure.model_dump(mode="json")


def _minting(run: Run, stage: str, item: Item | None) -> Callable[[], str]:
    attempt = f"{run.uid} {stage} {run.generation} {run.stage(stage).attempts}"
    seed = f"{attempt} {'' if item is None else item.place}"
    numbers = itertools.count()

    def mint() -> str:
        digest = hashlib.sha256(f"{seed} {next(numbers)}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    return mint
