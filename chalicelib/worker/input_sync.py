"""One input of a demand: what it consists of, what has to be copied, and the copying.

A data sync like any other, but that a run may write into its own places only, and that folders in
its root are open to the user's container.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.missing import SourceMissing
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.folders import make_folder_of
from chalicelib.worker.places import Places
from chalicelib.worker.run_locations import RunLocations
from chalicelib.worker.sync.arriving import carry_here
from chalicelib.worker.sync.batches import KeptFiles
from chalicelib.worker.sync.leavings import settle
from chalicelib.worker.sync.listing import find_source
from chalicelib.worker.sync.locations import ObjectPlace
from chalicelib.worker.sync.planning import Planned, plan_sync
from chalicelib.worker.sync.progress import Progress


def files_of_input(request: DataSyncRequest, carrier: Carrier) -> KeptFiles | None:
    """Return names and sizes of what the source holds, filtered; None if it is not there."""
    path_filter = PathFilter.of(request.filter_config, request.source_path, request.filter_root)
    found = find_source(_source(request), carrier, path_filter)
    return None if found is None else KeptFiles(found, path_filter)


def bring_input(
    param: str, request: DataSyncRequest, places: Places, carrier: Carrier, started_at: datetime
) -> Planned | None:
    """Plan it and do it; return the plan, None where there is nothing to copy."""
    planned = plan_input(request, places, carrier)
    if planned is not None:
        carry_input(param, planned, places, carrier, started_at)
    return planned


def plan_input(
    request: DataSyncRequest,
    places: Places,
    carrier: Carrier,
    known: Mapping[str, str] | None = None,
) -> Planned | None:
    """Return the plan; None where there is nothing to copy, as the request allows.

    ``known`` are the checksums of files at the destination, by their names. Raises InvalidRequest.
    """
    _source(request)
    try:
        return plan_sync(request, RunLocations(places), carrier, known)
    except SourceMissing as exc:
        raise InvalidRequest(
            f"the source {request.source_path!r} has nothing to copy: nothing is there",
            value=request.source_path,
            mend="check the location and the filters",
        ) from exc


def carry_input(
    param: str, planned: Planned, places: Places, carrier: Carrier, started_at: datetime
) -> None:
    """Do what the plan says. Raises InvalidRequest for what the file system cannot hold."""
    plan, request = planned.plan, planned.request
    place = places.find_open(request.destination_path)
    progress = Progress(param, plan.transferred)

    def make_folder(folder: Path) -> None:
        make_folder_of(folder / "any", place)

    carry_here(planned, carrier, started_at, progress, make_folder)
    progress.finish()
    settle(Path(plan.destination), started_at.timestamp(), is_locked=request.require_lock)


def _source(request: DataSyncRequest) -> ObjectPlace:
    uri = request.source_path
    if not uri.startswith("s3://"):
        raise InvalidRequest(
            f"{uri!r} is not in the object store", value=uri, mend="give an s3:// location"
        )
    return ObjectPlace(uri)
