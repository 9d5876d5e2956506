"""A data sync: plan it, carry the plan out, count.

::

    an earlier removal finished ─▶ plan ─▶ what is in the way ─▶ transfers ─▶ extra files deleted
                                                 ─▶ times touched ─▶ source given up ─▶ counts

Every step may be the last one before we are killed. What was transferred by then is in order when
the sync is started again, and what was not is found again; deletions come after the transfers, and
the source goes last.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.plan import SyncPlan, Tally
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.worker.sync.arriving import carry_here, make_way
from chalicelib.worker.sync.departing import carry_there
from chalicelib.worker.sync.leavings import settle
from chalicelib.worker.sync.locations import LocalPlace, Locations, ObjectPlace
from chalicelib.worker.sync.locks import Lock, lock_in
from chalicelib.worker.sync.moving import finish_removal, give_up
from chalicelib.worker.sync.planning import Planned, gives_up_source, plan_sync
from chalicelib.worker.sync.progress import Progress


class SyncReport(NamedTuple):
    """What a sync has done; nothing, where the source was missing and could be."""

    plan: SyncPlan | None
    counted: Tally
    """What the wire's details count (section 8.2): it depends on the direction."""


class DataSync:
    """Carries out requests with one carrier, on one machine."""

    def __init__(
        self,
        carrier: Carrier,
        locations: Locations,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        lock: Lock | None = None,
    ) -> None:
        self.carrier = carrier
        self.locations = locations
        self._clock = clock
        self._lock = lock or lock_in()

    def plan(self, request: DataSyncRequest) -> SyncPlan | None:
        """Return what ``sync`` would do now; None for nothing at all. Changes nothing."""
        planned = plan_sync(request, self.locations, self.carrier)
        return planned.plan if planned else None

    def make_way(self, request: DataSyncRequest) -> None:
        """Delete at a destination of this machine what ``sync`` would before it copies.

        Its batches delete nothing, and could not replace a file by a folder or the reverse. Only
        names matter here, so nothing is read to be compared.
        """
        if not request.delete or not self._is_download(request):
            return
        with self._locked(request):
            by_name = request.model_copy(update={"size_only": True})
            planned = plan_sync(by_name, self.locations, self.carrier)
            if planned is not None:
                make_way(planned)

    def sync(self, request: DataSyncRequest) -> SyncReport:
        """Carry out the request. Raises SourceMissing, InvalidRequest, Unavailable."""
        with self._locked(request):
            started_at = self._clock()
            is_finished = self._finish_earlier(request)
            asked = (
                request.model_copy(update={"fail_if_missing": False}) if is_finished else request
            )
            planned = plan_sync(asked, self.locations, self.carrier)
            if planned is None:
                return SyncReport(None, Tally())
            self._carry_out(planned, started_at)
        return SyncReport(planned.plan, _counted(planned))

    def _locked(self, request: DataSyncRequest) -> AbstractContextManager[None]:
        destination = self.locations.find(request.destination_path)
        if not request.require_lock or not isinstance(destination, LocalPlace):
            return nullcontext()
        if not self._is_download(request):
            return nullcontext()
        return self._lock(destination._replace(path=destination.followed()))

    def _is_download(self, request: DataSyncRequest) -> bool:
        source = self.locations.find(request.source_path)
        destination = self.locations.find(request.destination_path)
        return isinstance(source, ObjectPlace) and isinstance(destination, LocalPlace)

    def _finish_earlier(self, request: DataSyncRequest) -> bool:
        source = self.locations.find(request.source_path)
        destination = self.locations.find(request.destination_path)
        if not gives_up_source(request, source, destination):
            return False
        self.locations.check_may_delete(source, below=False)
        return finish_removal(source, self.carrier)

    def _carry_out(self, planned: Planned, started_at: datetime) -> None:
        self._carry(planned, started_at)
        if isinstance(planned.destination, LocalPlace):
            path = Path(planned.plan.destination)
            settle(
                path,
                started_at.timestamp(),
                is_locked=planned.request.require_lock,
                hidden=planned.destination.hidden,
            )
        if planned.gives_up_source:
            give_up(planned, self.carrier)

    def _carry(self, planned: Planned, started_at: datetime) -> None:
        progress = Progress(planned.request.source_path, planned.plan.transferred)
        if planned.is_local:
            carry_here(planned, self.carrier, started_at, progress)
        else:
            carry_there(planned, self.carrier, progress)
        progress.finish()


def _counted(planned: Planned) -> Tally:
    plan = planned.plan
    source = plan.transferred.and_all(plan.kept)
    is_from_local = isinstance(planned.source, LocalPlace)
    return source if is_from_local else source.and_all(plan.extra)
