"""Audits: three questions with side effects (specs: work, section 3.3).

The client's daemon asks them in this order, every five seconds. Each returns what it changed
itself, so that two daemons together count everything once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Final

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.work.counting import total
from chalicelib.core.work.model import Work
from chalicelib.core.work.reading import understood
from chalicelib.core.work.scopes import Scope
from chalicelib.core.work.transitions import expired, requeued
from chalicelib.work_ports import Kept, WorkPorts
from chalicelib.works.saving import until_saved

_DAY_SECONDS: Final = 86_400


def audit_failed(ports: WorkPorts) -> int:
    """Queue each failed work again that may still be tried; return how many."""
    return _change_all(Scope(is_retryable=True), requeued, ports)


def audit_expired(ports: WorkPorts, at: datetime) -> int:
    """Let each running work fail whose timeout is over; return how many."""
    return _change_all(Scope(overdue_at=at.timestamp()), lambda work: expired(work, at), ports)


def audit_stale(days: float | str, ports: WorkPorts, at: datetime) -> int:
    """Return how many works were created more than ``days`` ago; nothing changes."""
    cutoff = at.timestamp() - _finite(days) * _DAY_SECONDS
    before = Scope(created_until=math.nextafter(cutoff, -math.inf))
    return sum(map(total, ports.works.counts(before).values()))


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


def _change_all(scope: Scope, decide: Callable[[Work], Work | None], ports: WorkPorts) -> int:
    return sum(_change(kept, decide, ports) for kept in ports.works.walk(scope))


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
