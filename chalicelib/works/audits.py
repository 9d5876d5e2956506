"""Audits: three questions with side effects (specs: work, section 3.3).

The client's daemon asks them in this order, every five seconds. Each returns what it changed
itself, so that two daemons together count everything once.

An audit takes ``AUDIT_SECONDS`` at most: the daemon waits for 15, API Gateway for 29. What is left
then is left to the next one; the number says how much was done, not that all is. Works are read
page by page, and each is changed before the next page is read.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.core.errors import InvalidRequest, Unavailable
from chalicelib.core.work.counting import total
from chalicelib.core.work.model import Work
from chalicelib.core.work.reading import understood
from chalicelib.core.work.scopes import Scope
from chalicelib.core.work.transitions import expired, requeued
from chalicelib.work_ports import Kept, WorkPorts
from chalicelib.works.saving import until_saved

AUDIT_SECONDS: Final = 8.0
_DAY_SECONDS: Final = 86_400

log = logging.getLogger(__name__)

Clock = Callable[[], float]
"""Seconds since anywhere; it only grows."""


def audit_failed(ports: WorkPorts, clock: Clock = time.monotonic) -> int:
    """Queue failed works again that may still be tried; return how many."""
    return _change_all(Scope(is_retryable=True), requeued, ports, clock)


def audit_expired(ports: WorkPorts, at: datetime, clock: Clock = time.monotonic) -> int:
    """Let running works fail whose timeout is over; return how many."""
    scope = Scope(overdue_at=at.timestamp())
    return _change_all(scope, lambda work: expired(work, at), ports, clock)


def audit_stale(
    days: float | str, ports: WorkPorts, at: datetime, clock: Clock = time.monotonic
) -> int:
    """Return how many works were created more than ``days`` ago; nothing changes.

    They are counted one by one, pipeline by pipeline. Raises Unavailable where that takes too
    long: half a number would be a wrong one.
    """
    cutoff = at.timestamp() - _finite(days) * _DAY_SECONDS
    before = Scope(created_until=math.nextafter(cutoff, -math.inf))
    until, count = clock() + AUDIT_SECONDS, 0
    for pipeline in sorted(ports.works.counts()):
        if clock() > until:
            raise Unavailable(
                f"at least {count} works were created more than {days} days ago, and counting them"
                f" takes longer than {AUDIT_SECONDS:g} s; ask /view for {{'creation': {{'$lt':"
                f" {cutoff:.0f}}}}} with a limit, pipeline by pipeline"
            )
        counts = ports.works.counts(replace(before, pipelines=(pipeline,)))
        count += sum(map(total, counts.values()))
    return count


def _finite(days: float | str) -> float:
    try:
        number = float(days)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise InvalidRequest(
            "days is no number of days", field="days", value=days, mend="give it as in 7.0"
        )
    return number


def _change_all(
    scope: Scope, decide: Callable[[Work], Work | None], ports: WorkPorts, clock: Clock
) -> int:
    until, count = clock() + AUDIT_SECONDS, 0
    for kept in ports.works.walk(scope):
        count += _change(kept, decide, ports)
        if clock() > until:
            log.info("an audit has changed %d works; what is left is the next one's", count)
            break
    return count


def _change(kept: Kept, decide: Callable[[Work], Work | None], ports: WorkPorts) -> bool:
    """Tell whether it was this call that changed the work."""
    is_changed = False

    def save(found: Kept) -> bool:
        nonlocal is_changed
        work = understood(found.document)
        changed = None if work is None else decide(work)
        is_changed = changed is not None and ports.works.replace(found, changed)
        return changed is None or is_changed

    def reload() -> Kept | None:
        return next(iter(ports.works.get([kept.document["id"]])), None)

    return until_saved(kept, save, reload, ports.pause) and is_changed
