"""From a request to its plan: both ends are found and read, and nothing is changed.

::

    request ─▶ places ─▶ checks ─▶ source listed ─▶ where it arrives ─▶ destination listed ─▶ plan
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.missing import SourceMissing
from chalicelib.core.data_sync.plan import Listed, SyncPlan
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync.ends import (
    Ends,
    arrival,
    check_filters,
    check_overlap,
    check_prefix,
    is_filtered,
)
from chalicelib.worker.sync.listing import find_source
from chalicelib.worker.sync.locations import LocalPlace, Locations, ObjectPlace, Place
from chalicelib.worker.sync.reading import Reading


class Planned(NamedTuple):
    """A plan with what carrying it out needs besides."""

    plan: SyncPlan
    request: DataSyncRequest
    source: Place
    destination: Place
    """Where the files arrive: for a prefix or a folder, not quite where the request says."""
    temporary: LocalPlace | None = None
    """Where the request wants single objects to be downloaded to first."""
    everything: tuple[Listed, ...] = ()
    """All that the source held, the left-out files too: kept only where it is to be given up."""

    @property
    def is_local(self) -> bool:
        """Whether the files end up on this machine."""
        return isinstance(self.destination, LocalPlace)

    @property
    def is_upload(self) -> bool:
        """Whether files of this machine become objects."""
        return isinstance(self.source, LocalPlace) and not self.is_local

    @property
    def gives_up_source(self) -> bool:
        """Whether the source goes when all is done."""
        return gives_up_source(self.request, self.source, self.destination)

    @property
    def deletes(self) -> bool:
        """Whether what is at the destination and not in the source goes."""
        return _deletes(self.request, self.source, self.destination, self.plan.is_folder)


def gives_up_source(request: DataSyncRequest, source: Place, destination: Place) -> bool:
    """Tell whether the source is to go. An object never does for a copy on a file system."""
    is_download = isinstance(source, ObjectPlace) and isinstance(destination, LocalPlace)
    return not request.retain_source_data and not is_download


def plan_sync(
    request: DataSyncRequest,
    locations: Locations,
    carrier: Carrier,
    known: Mapping[str, str] | None = None,
) -> Planned | None:
    """Return the plan; None where there is nothing to sync, as the request allows.

    ``known`` are checksums of files at the destination, by their names, so that nobody need read
    them. Raises SourceMissing and InvalidRequest.
    """
    path_filter = PathFilter.of(request.filter_config, request.source_path, request.filter_root)
    ends = _ends(request, locations, carrier, path_filter)
    if ends is None:
        return None
    gives_up = gives_up_source(request, ends.source, ends.destination)
    locations.check_may_write(ends.destination)
    deletes = _deletes(request, ends.source, ends.destination, ends.found.is_folder)
    if deletes:
        locations.check_may_delete(ends.destination, below=True)
    if gives_up:
        locations.check_may_delete(ends.source, below=False)
    temporary = request.remote_to_local_config.custom_tmp_dir
    reading = Reading(ends, path_filter, carrier, keeps_all=gives_up, known=known or {})
    plan = reading.plan(force=request.force, size_only=request.size_only, deletes=deletes)
    if is_filtered(request) and not reading.kept_any and plan.left_out:
        return _nothing_kept(request, plan.left_out)
    return Planned(
        plan,
        request,
        ends.source,
        ends.destination,
        temporary=locations.find_local(temporary) if temporary else None,
        everything=tuple(reading.everything),
    )


def _ends(
    request: DataSyncRequest, locations: Locations, carrier: Carrier, path_filter: PathFilter
) -> Ends | None:
    source = locations.find(request.source_path)
    destination = locations.find(request.destination_path)
    check_filters(request, source, destination)
    check_prefix(request, source)
    found = find_source(source, carrier, path_filter)
    if found is None:
        if request.fail_if_missing:
            raise SourceMissing(f"there is nothing at the source {request.source_path!r}")
        return None
    ends = Ends(source, arrival(request, source, destination, found), found)
    check_overlap(ends, request.destination_path)
    return ends


def _deletes(request: DataSyncRequest, source: Place, destination: Place, is_folder: bool) -> bool:
    """Tell whether extra files at the destination go: never between folders of one machine."""
    are_local = isinstance(source, LocalPlace) and isinstance(destination, LocalPlace)
    return request.delete and is_folder and not are_local


def _nothing_kept(request: DataSyncRequest, left_out: int) -> Planned | None:
    """Nothing is deleted for a filter that lets nothing pass: it is a mistake more often."""
    if request.fail_if_missing:
        raise InvalidRequest(
            f"the filter leaves out all {left_out} files of {request.source_path!r}",
            field="filter_config",
            mend="check the patterns: they match the whole path relative to the source",
        )
    return None
