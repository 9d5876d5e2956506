"""Works of the Site's ``work_sites`` are dispatched: each queued one becomes a run of its own.

::

    deposit ─▶ a few at once ─┐
                              ├─▶ queued works in their turn ─▶ a run for each one's next attempt
    the sweep ─▶ the others ──┘                                 └─▶ its first stage takes the work

The run comes first and takes the work itself, so whoever dies in between leaves a run that is
owed its call, and no work that runs and is nobody's. Its id is that of the attempt: whoever
dispatches twice makes nothing twice. Clients may withdraw these works as well; then the run finds
that it came too late, and ends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

from chalicelib.accepting import accept, check_queue
from chalicelib.core.allowances import rules_of
from chalicelib.core.errors import (
    Conflict,
    FalseworkError,
    Forbidden,
    InvalidRequest,
    TooManyRequests,
)
from chalicelib.core.plans.work_runs import request_work_run
from chalicelib.core.work.leases import given_up
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import understood
from chalicelib.core.work.scopes import Scope
from chalicelib.core.work.sites import WorkSite
from chalicelib.ports import Ports
from chalicelib.work_ports import WorkPorts

PASS_WORKS: Final = 300
PASS_SECONDS: Final = 60.0
"""What one sweep dispatches: a fifth of its five minutes; it comes every minute."""
DEPOSIT_WORKS: Final = 4
DEPOSIT_SECONDS: Final = 2.0
"""What a deposit dispatches before it answers: its client waits for 15 s (specs: work, 1)."""

log = logging.getLogger(__name__)


def push_deposited(works: WorkPorts, ports: Ports) -> int:
    """Dispatch a few works; never fails, for the deposit is done, and the sweep does the rest."""
    try:
        return push(works, ports, most=DEPOSIT_WORKS, seconds=DEPOSIT_SECONDS)
    except FalseworkError:
        log.warning("what was deposited waits for the next sweep", exc_info=True)
        return 0


def push(
    works: WorkPorts, ports: Ports, *, most: int = PASS_WORKS, seconds: float = PASS_SECONDS
) -> int:
    """Dispatch queued works of each site that is pushed, in their turn; return how many.

    At most ``most``, shared out between the sites, and no new one after ``seconds``. Raises
    Unavailable; what was dispatched before it stays so.
    """
    sites = ports.site.work_sites
    until = ports.clock() + timedelta(seconds=seconds)
    count = 0
    for name, place in sites.items():
        if not _has_queue(name, place, ports):
            continue
        share = max(1, most // len(sites))
        for work in list(islice(_queued_at(name, works), share)):
            if ports.clock() > until:
                return count
            try:
                count += _dispatch(work, place, works, ports)
            except TooManyRequests as exc:
                log.info("the works of site %s wait: %s", name, exc)
                break
    return count


def _has_queue(name: str, place: WorkSite, ports: Ports) -> bool:
    try:
        check_queue(f"work_sites.{name}.queue", place.queue, ports)
        rules_of(place.group or ports.site.works_group, ports.site.groups)
    except InvalidRequest as exc:
        log.error("the works of site %s wait: %s", name, exc)  # noqa: TRY400 -- told in words
        return False
    return True


def _queued_at(site: str, works: WorkPorts) -> Iterator[Work]:
    """A scope may show more than it names; what no client would take is nobody's to run."""
    statuses = (WorkStatus.QUEUED,)
    scope = Scope(site=site, statuses=statuses, has_results=False, is_in_turn=True)
    for kept in works.works.walk(scope):
        work = understood(kept.document)
        if work is not None and (work.site, work.status) == (site, WorkStatus.QUEUED):
            yield work


def _dispatch(work: Work, place: WorkSite, works: WorkPorts, ports: Ports) -> bool:
    event = request_work_run(work, place, ports.site, ports.mint_uid(), ports.clock())
    try:
        run = accept(event, ports)
    except (Conflict, Forbidden) as exc:
        _give_up(work, str(exc), works, ports)
        return False
    if run.settled_at is not None:
        _give_up(work, f"run {run.id} has ended without taking it", works, ports)
        return False
    return run.uid == event.uid


def _give_up(work: Work, why: str, works: WorkPorts, ports: Ports) -> None:
    """End an attempt that no run will ever take; or it would head the queue for good."""
    log.error("work %s cannot be dispatched: %s", work.id, why)
    for kept in works.works.get([work.id or ""]):
        found = understood(kept.document)
        is_same = found is not None and (found.status, found.attempt) == (
            WorkStatus.QUEUED,
            work.attempt,
        )
        if found is not None and is_same:
            works.works.replace(kept, given_up(found, why, ports.clock().timestamp()))
