"""Announcing: a change of a saved run becomes notices, one for each who wants to be told.

What cannot be handed over now stays owed; the run goes on, and nothing else of it waits.
"""

from __future__ import annotations

import logging

from chalicelib.core.advice import explain
from chalicelib.core.asked_notices import announcements
from chalicelib.core.errors import FalseworkError
from chalicelib.core.events import Announced, RunRequested
from chalicelib.core.lifecycle.notices import due, targets_of
from chalicelib.core.notice import RUN_CHANGED, STAGE_CHANGED, Notice, Told, ToldRun, ToldStage
from chalicelib.core.run import Change, Run
from chalicelib.core.site import Site
from chalicelib.ports import Ports

log = logging.getLogger(__name__)


def with_notices(event: RunRequested, site: Site) -> RunRequested:
    """Return the request with what its run is to announce. Raises InvalidRequest."""
    plan = event.plan
    wanted = announcements(
        plan.request, site.notifications, group=event.group, is_child=plan.parent is not None
    )
    if not wanted:
        return event
    plan = plan.model_copy(update={"notices": wanted})
    return event.model_copy(update={"plan": plan})


def announce(key: str, run: Run, ports: Ports) -> list[Announced]:
    """Hand the change on to all who want to be told; say so once it was to every one of them."""
    change = next((each for each in due(run) if each.key == key), None)
    if change is None:
        return []
    told = tell(run, change, ports.site)
    try:
        for target in targets_of(run.plan, change):
            ports.announcer.announce(Notice(target=target, told=told))
    except FalseworkError:
        log.warning("run %s: %s stays to be announced", run.id, key, exc_info=True)
        return []
    return [Announced(run_id=run.id, at=ports.clock(), keys=(key,))]


def tell(run: Run, change: Change, site: Site) -> Told:
    """Return what is told of the change."""
    is_of_run = change.stage is None
    stage = None
    if change.stage is not None:
        stage = ToldStage(name=change.stage, status=change.status, attempt=change.attempt or 0)
    return Told(
        id=f"{run.uid}:{change.key}",
        type=RUN_CHANGED if is_of_run else STAGE_CHANGED,
        at=change.at,
        run=ToldRun(
            id=run.id,
            kind=run.kind,
            group=run.group,
            state=run.state,
            generation=change.generation,
        ),
        state=change.status if is_of_run else None,
        stage=stage,
        why=_why(run, change),
        link=f"{site.public_url.rstrip('/')}/runs/{run.id}" if site.public_url else None,
    )


def _why(run: Run, change: Change) -> str:
    """What to do stands in it where the run is still as it was then."""
    is_still_so = change.generation == run.generation and run.error is not None
    if change.stage is None and change.why and is_still_so and run.error is not None:
        return " ".join(explain(run, run.error))
    return change.why
