"""Tending the runs that a stage starts: each look starts some, or cancels, or finds all ended.

::

    stage's attempt ──▶ progress: {next, open, failed}, a document of its own
                          │ 1. those in ``open`` are looked at, each by its id
                          │ 2. an index enters ``open``, the document is saved, the run is started
                          └ 3. nothing open, nothing to come: closed and saved, ChildrenEnded

A run's id follows from the attempt and the index, and starting it again finds it again: who dies
between 2's two steps has started nothing twice and forgotten nothing. Several may tend at once;
the document's version lets one of them go on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from chalicelib import descendants
from chalicelib.child_outcomes import ended, outcome
from chalicelib.child_progress import (
    Family,
    Progress,
    child_of,
    is_accepted,
    is_past,
    load,
    save,
)
from chalicelib.core.commands import TendRuns
from chalicelib.core.errors import (
    Conflict,
    FalseworkError,
    Forbidden,
    InvalidRequest,
    StaleRun,
    Unavailable,
)
from chalicelib.core.events import CancelRequested, ChildrenEnded
from chalicelib.core.plans.run_actions import MOST_CHILDREN, RunsAction
from chalicelib.core.principals import ENGINE
from chalicelib.core.run import Run, RunState
from chalicelib.core.run_values import Item, items_of, request_of
from chalicelib.core.states.failures import TASK_FAILED, StatesFailure, told_of_child
from chalicelib.document_ports import StaleDocument
from chalicelib.kept_runs import with_kept
from chalicelib.ports import Ports

Seen = Mapping[int, Run | None]
"""The runs under way as this look found them, each read once; None for one that is not there."""

log = logging.getLogger(__name__)


def tend(command: TendRuns, run: Run, ports: Ports) -> list[ChildrenEnded]:
    """Do what can be done for the runs of the stage now. Raises Unavailable."""
    action = run.plan.stage(command.stage).action
    assert isinstance(action, RunsAction)  # noqa: S101 -- only such stages have children
    family = Family(run, command, action, ports._replace(caller=ENGINE))
    try:
        items = None if command.is_over else items_of(run, command.stage, action)
        _check_count(items)
    except InvalidRequest as exc:
        return [ended(family, error=str(exc), cause="pipeline")]
    try:
        return _tend(family, items)
    except StaleDocument:
        return []  # somebody else tends them at this moment


def _tend(family: Family, items: list[JsonValue] | None) -> list[ChildrenEnded]:
    before = load(family, 1 if items is None else len(items))
    looked_at = family.ports.clock()
    seen = {index: child_of(family, index) for index in before.open}
    progress = _looked_at(before if before.version else with_kept(family, before), seen)
    if _is_given_up(family, progress):
        progress = _cancel(family, progress, seen, looked_at)
    elif not progress.is_closed:
        progress = _start_more(family, progress, items, seen)
    is_done = not progress.open and (
        progress.next == progress.count or _is_given_up(family, progress)
    )
    if is_done:
        progress = progress.model_copy(update={"is_closed": True})
    if progress != before:
        progress = save(family, progress)
    return [outcome(family, progress, items)] if is_done else []


def _looked_at(progress: Progress, seen: Seen) -> Progress:
    """Return the progress without the runs that have settled."""
    for index in progress.open:
        child = seen[index]
        if child is None or not child.is_terminal:
            continue
        if child.state is not RunState.SUCCESS and progress.failed is None:
            progress = progress.model_copy(update={"failed": told_of_child(child)})
        if child.settled_at is not None:
            left = tuple(each for each in progress.open if each != index)
            progress = progress.model_copy(update={"open": left})
    return progress


def _start_more(
    family: Family, progress: Progress, items: list[JsonValue] | None, seen: Seen
) -> Progress:
    """Whoever saves that they are to be started may start them, for half of the grace."""
    fresh, upto = _next(progress, family.action.at_once - len(progress.open))
    missing = tuple(index for index in progress.open if seen[index] is None)
    if not fresh and not missing:
        return progress.model_copy(update={"next": upto})
    try:
        descendants.admit(family, fresh)
    except Forbidden as exc:
        return _failed(progress, str(exc)).model_copy(update={"cause": "pipeline"})
    now = family.ports.clock()
    update = {"open": (*progress.open, *fresh), "next": upto, "opened_at": now}
    progress = save(family, progress.model_copy(update=update))
    trouble: Unavailable | StaleRun | None = None
    for index in (*missing, *fresh):
        item = None if items is None else Item(items[index], index)
        try:
            _start(family, progress, index, item)
        except (Unavailable, StaleRun) as exc:
            trouble = exc  # the others need not wait for it
        except FalseworkError as exc:
            if is_accepted(family, index):
                log.warning("%sthe run is there, but: %s", _words(item), exc, exc_info=True)
                continue
            left = tuple(each for each in progress.open if each != index)
            why = f"{_words(item)}the run could not be started: {exc}"
            return _failed(progress, why).model_copy(update={"open": left})
        except Exception as exc:  # it passes, and whoever reads of it learns which item it was
            exc.add_note(f"{_words(item)}starting the run")
            raise
    if trouble is not None:
        raise trouble
    return progress


def _next(progress: Progress, room: int) -> tuple[tuple[int, ...], int]:
    """Return the indexes that come next, of which none is kept, and the one after them."""
    owners = progress.owners()
    fresh: list[int] = []
    upto = progress.next
    while upto < progress.count and len(fresh) < room:
        if upto not in owners:
            fresh.append(upto)
        upto += 1
    return tuple(fresh), upto


def _failed(progress: Progress, why: str) -> Progress:
    failed = StatesFailure(Error=TASK_FAILED, Cause=why)
    return progress.model_copy(update={"failed": failed})


def _words(item: Item | None) -> str:
    return "" if item is None else f"item {item.place}: "


def _start(family: Family, progress: Progress, index: int, item: Item | None) -> None:
    run, action = family.run, family.action
    if is_past(progress, run.plan.submit_grace_seconds / 2, family.ports.clock()):
        raise Unavailable(f"run {run.id}: starting its runs took too long; others will")
    document = request_of(run, family.command.stage, action, item)
    if not isinstance(document, dict):
        raise InvalidRequest("the request of a run is an object", field="request", value=document)
    given = document.get("options")
    options: dict[str, JsonValue] = dict(given) if isinstance(given, dict) else {}
    told = {
        **document,
        "run_id": family.child_id(index),
        "options": {**options, "group": run.group},
    }
    ports = family.ports._replace(parent=run.id, root=descendants.root_of(run))
    ports.start(action.kind, told, ports)


def _cancel(family: Family, progress: Progress, seen: Seen, looked_at: datetime) -> Progress:
    """Cancel what is under way. What was not there was never started, and after its grace never
    will be: until then somebody who set out to may still be about to."""
    left = []
    trouble: Exception | None = None
    is_certain = is_past(progress, family.run.plan.submit_grace_seconds, looked_at)
    for index in progress.open:
        child = seen[index]
        if child is None and is_certain:
            continue
        left.append(index)
        if child is not None and not child.is_terminal:
            reason = f"run {family.run.id} does not wait for it any more"
            event = CancelRequested(run_id=child.id, at=family.ports.clock(), reason=reason)
            try:
                family.ports.tell(event, family.ports)
            except Conflict:
                log.info("run %s ended before it was cancelled", child.id)
            except Exception as exc:  # noqa: BLE001 -- raised when the others are told
                trouble = exc
    if trouble is not None:
        raise trouble
    return progress.model_copy(update={"open": tuple(left)})


def _is_given_up(family: Family, progress: Progress) -> bool:
    return family.command.is_over or progress.failed is not None


def _check_count(items: list[JsonValue] | None) -> None:
    if items is not None and len(items) > MOST_CHILDREN:
        raise InvalidRequest(
            f"{len(items)} items are more than the {MOST_CHILDREN} of one stage",
            field="for_each",
            mend="let each run take several of them",
        )
