"""A plan carried out in the object store: uploads, and copies from prefix to prefix.

A file that changes while it is stored is an error, and what was stored of it goes again: its
object would be younger than the change, and the next sync would take it for good.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path

from chalicelib.carriers import Carrier, Transfer
from chalicelib.core.data_sync.plan import SyncPlan
from chalicelib.core.data_sync.selection import FileState
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync.listing import is_same_file
from chalicelib.worker.sync.locations import LocalPlace, leads_out
from chalicelib.worker.sync.planning import Planned
from chalicelib.worker.sync.progress import Progress


def carry_there(planned: Planned, carrier: Carrier, progress: Progress) -> None:
    """Do what the plan says. Raises InvalidRequest for a file that changes meanwhile."""
    departures = _Departures(planned, carrier, progress)
    carrier.transfer(
        departures.transfers(),
        concurrency=planned.request.max_concurrency,
        done=departures.stored,
        moved=progress.bytes_done,
    )
    if planned.plan.deleted:
        carrier.remove(map(planned.plan.destination_of, planned.plan.deleted))


class _Departures:
    """Files on their way to the object store."""

    def __init__(self, planned: Planned, carrier: Carrier, progress: Progress) -> None:
        self._plan: SyncPlan = planned.plan
        self._is_upload = planned.is_upload
        place = planned.source
        around = place.bound if isinstance(place, LocalPlace) else None
        self._bound = around or Path(planned.plan.source)
        self._carrier = carrier
        self._progress = progress
        self._times: dict[str, datetime] = {}

    def transfers(self) -> Iterator[Transfer]:
        """Yield them."""
        for file in chain(self._plan.copied, self._plan.overwritten):
            source, uri = self._plan.source_of(file.name), self._plan.destination_of(file.name)
            self._times[uri] = file.modified_at
            yield Transfer(self._without_link(source), uri, file.size_bytes)

    def _without_link(self, path: str) -> str:
        """A carrier follows no link at a file's name; the planning has, and looks again here."""
        if not self._is_upload or not os.path.islink(path):  # noqa: PTH114  (ten times faster)
            return path
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self._bound):
            raise leads_out(path, self._bound)
        return str(real)

    def stored(self, transfer: Transfer) -> None:
        """Check that the file is still what was planned."""
        listed = FileState(transfer.size_bytes, self._times.pop(transfer.destination))
        if self._is_upload and not is_same_file(transfer.source, listed):
            self._carrier.remove([transfer.destination])
            raise InvalidRequest(
                f"{transfer.source!r} changed while it was stored",
                field="source_path",
                value=transfer.source,
                mend="sync when all processes have finished writing",
            )
        self._progress.file_done()
