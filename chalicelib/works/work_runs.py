"""What runs of the kind ``work`` do to the work queue: take a work, report how it ended.

Both are calls of a run's stages, so they are owed until they are done, and may be done twice: what
was done is seen from the work itself (``core/work/leases.py``). Reporting first closes the lease,
so that no job can begin the attempt afterwards, and only then looks for the ending.

The message to Slack goes out once at most, by the one call that changed the work; whether it
arrives changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from pydantic import JsonValue, ValidationError

from chalicelib.core.errors import NotFound, Refused
from chalicelib.core.plans.plan import WorkCall
from chalicelib.core.work.leases import Ending, Lease, failed, holds, leased, reported
from chalicelib.core.work.model import Work
from chalicelib.core.work.reading import understood
from chalicelib.core.work.transitions import requeued
from chalicelib.core.worker_documents import WorkOrder
from chalicelib.ports import Claims, ObjectStore, RunStore
from chalicelib.work_ports import Kept, WorkPorts
from chalicelib.works.saving import until_saved
from chalicelib.works.slack import Slack

CLOSED: Final = "closed"
"""Who holds the claim of a lease that nobody may begin any more; no job is called so."""

log = logging.getLogger(__name__)

Decide = Callable[[Work], Work | None]


class WorkRuns:
    """The WorkCalls of a home."""

    def __init__(
        self,
        works: WorkPorts,
        runs: RunStore,
        claims: Claims,
        objects: ObjectStore,
        slack: Slack,
    ) -> None:
        self._works = works
        self._runs = runs
        self._claims = claims
        self._objects = objects
        self._slack = slack

    def perform(self, call: WorkCall, at: datetime) -> JsonValue:
        """Take the work, or report its end. Raises Refused."""
        match call.step:
            case "take":
                return self._take(call.lease)
            case "report":
                return self._report(call.lease, at)

    def _take(self, lease: Lease) -> JsonValue:
        """The order is written after the work was taken: it shows the work as it was then."""
        work = self._change(lease, lambda work: leased(work, lease)) or self._held(lease)
        if work is None:
            raise Refused(
                f"work {lease.work_id} is not queued for attempt {lease.attempt} any more:"
                " it was withdrawn, changed or deleted by somebody else"
            )
        order = WorkOrder(lease=lease, work=Work.model_validate(work.document()))
        self._objects.write(lease.order_uri, order.model_dump_json().encode())
        return {"work": lease.work_id, "attempt": lease.attempt}

    def _report(self, lease: Lease, at: datetime) -> JsonValue:
        self._claims.claim(lease.name, 0, CLOSED, 1)
        ending = self._ending(lease) or failed(self._why(lease), at.timestamp())
        work = self._change(lease, lambda work: reported(work, lease, ending))
        if work is not None and not work.is_retryable:
            self._slack.tell(work)
        if lease.is_requeued:
            self._change(lease, lambda work: _requeued(work, lease))
        return {"work": lease.work_id, "status": ending.status.value, "is_news": work is not None}

    def _ending(self, lease: Lease) -> Ending | None:
        try:
            return Ending.model_validate_json(self._objects.read(lease.ending_uri))
        except NotFound:
            return None
        except ValidationError as exc:
            log.warning("%s is no ending: %s", lease.ending_uri, exc)
            return None

    def _why(self, lease: Lease) -> str:
        error = self._runs.load(lease.run_id).error
        return error.message if error else "its job left no ending behind"

    def _held(self, lease: Lease) -> Work | None:
        """Return the work where an earlier call of this lease has taken it."""
        kept = self._load(lease.work_id)
        work = understood(kept.document) if kept else None
        return work if work is not None and holds(work, lease) else None

    def _change(self, lease: Lease, decide: Decide) -> Work | None:
        """Return what the work was changed to; None where there was nothing to change."""
        changed: Work | None = None

        def save(found: Kept) -> bool:
            nonlocal changed
            work = understood(found.document)
            changed = None if work is None else decide(work)
            return changed is None or self._works.works.replace(found, changed)

        kept = self._load(lease.work_id)
        is_there = kept is not None and until_saved(
            kept, save, lambda: self._load(lease.work_id), self._works.pause
        )
        return changed if is_there else None

    def _load(self, work_id: str) -> Kept | None:
        return next(iter(self._works.works.get([work_id])), None)


def _requeued(work: Work, lease: Lease) -> Work | None:
    return requeued(work) if work.attempt == lease.attempt else None
