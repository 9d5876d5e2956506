"""An input that runs share is brought under a lease, by the versions of its objects.

It lies at one path whatever the version, for that is promised to jobs before anybody lists the
source. So a file whose object has another version is replaced, by a rename: who has it open goes
on reading the old one, who opens it later gets the new one. Sizes and times are not enough; an
object of the same size is another one all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from chalicelib.carriers import Carrier, Entry
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.requests import DataSyncRequest, RemoteToLocalConfig
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.input_sync import carry_input, plan_input
from chalicelib.worker.places import Places
from chalicelib.worker.run_locations import RunLocations
from chalicelib.worker.shared_notes import SharedNotes
from chalicelib.worker.sync.locations import LocalPlace
from chalicelib.worker.sync.planning import Planned
from chalicelib.worker.transfers import say
from chalicelib.worker.witness import Witness


def is_shared(request: DataSyncRequest, places: Places) -> bool:
    """Tell whether other runs may want the input too: it lies elsewhere, under a lock."""
    return request.require_lock and not places.is_own(request.destination_path)


def bring_shared(
    param: str, request: DataSyncRequest, places: Places, carrier: Carrier, started_at: datetime
) -> Planned | None:
    """Bring the input; the caller holds its lock. Returns what was planned, as ``plan_input``.

    The version of a file is noted only if its object was the same before and after.
    """
    place = RunLocations(places).find_local(request.destination_path)
    notes, source = SharedNotes(place.path), request.source_path
    notes.lease(places.run, places.find_open(request.destination_path), started_at)
    others = set(notes.users(started_at)) - {places.run}
    notes.tidy(is_used=bool(others))
    witness = Witness(carrier)
    known = notes.versions(source)
    planned = plan_input(request.model_copy(update={"size_only": False}), places, witness, known)
    if planned is None:
        return None
    changed = _changed(planned)
    kept = {name: version for name, version in known.items() if name not in changed}
    there = _versions(planned, witness.seen)
    if changed:
        notes.note(source, kept)
        for name in changed if others else ():
            notes.keep_open(Path(planned.plan.destination_of(name)))
    carry_input(param, _by_way_of(notes, planned, place), places, carrier, started_at)
    if changed:
        there = _unchanged(there, _versions(planned, _seen_now(planned, witness)), changed)
    versions = kept | {name: entry.etag or "" for name, entry in there.items()}
    if versions != known:
        notes.note(source, versions)
    return planned


def release_shared(paths: tuple[str, ...], places: Places) -> None:
    """End the run's leases of these inputs, as far as it has any."""
    locations = RunLocations(places)
    for path in paths:
        try:
            SharedNotes(locations.find_local(path).path).release(places.run)
        except (InvalidRequest, OSError) as exc:
            # It runs out by itself; what the run has to clean up does not wait for it.
            say(f"the lease of {path} stays: {exc}")


def _changed(planned: Planned) -> frozenset[str]:
    plan = planned.plan
    return frozenset([*(file.name for file in (*plan.copied, *plan.overwritten)), *plan.deleted])


def _seen_now(planned: Planned, witness: Witness) -> Mapping[str, Entry]:
    for _ in witness.list(planned.plan.source):
        pass
    return witness.seen


def _unchanged(
    before: Mapping[str, Entry], after: Mapping[str, Entry], changed: frozenset[str]
) -> Mapping[str, Entry]:
    """What was read or compared as it is; what was brought, only if it was the same all along."""
    return {
        name: entry
        for name, entry in before.items()
        if name not in changed or after.get(name) == entry
    }


def _versions(planned: Planned, seen: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """What the filter keeps of a listing, by name; the rest says nothing of what is there."""
    plan, request = planned.plan, planned.request
    path_filter = PathFilter.of(request.filter_config, request.source_path, request.filter_root)
    root = f"{plan.source}/" if plan.is_folder else plan.source.rpartition("/")[0] + "/"
    keeps = path_filter.keeps if plan.is_folder else path_filter.keeps_single
    return {
        name: entry
        for uri, entry in seen.items()
        if uri.startswith(root) and (name := uri.removeprefix(root)) and keeps(name)
    }


def _by_way_of(notes: SharedNotes, planned: Planned, place: LocalPlace) -> Planned:
    """Download a single object to where its half is found again; a folder holds its own."""
    by_temporary = RemoteToLocalConfig(use_custom_tmp_dir=True)
    return planned._replace(
        request=planned.request.model_copy(update={"remote_to_local_config": by_temporary}),
        temporary=LocalPlace(place.text, notes.folder, place.bound),
    )
